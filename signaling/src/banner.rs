//! What the launcher prints: how to reach the running gateway.

use crate::config::{Config, ConfigError, DEFAULT_DOMAIN, default_accounts};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// For one health check.
const HEALTH_DEADLINE: Duration = Duration::from_secs(2);
/// Bytes of an answer to it that are read at most.
const HEALTH_ANSWER: u64 = 1024;

/// A few plain lines. With the embedded domain they show its generated passwords: they go to the terminal, not a log.
///
/// # Errors
/// [`ConfigError`] if the generated passwords cannot be read.
pub fn text(config: &Config, file: Option<&Path>) -> Result<String, ConfigError> {
    if config.relay {
        return Ok(relay_text(config, file));
    }
    let mut text = String::from("\nTandem is running.\n");
    let mut line = |title: &str, content: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {title:<16}{content}");
    };
    if let Some(port) = config.http.port {
        line("Phone page", &format!("http://localhost:{port}/ on this host"));
    }
    for ip in &config.advertised {
        if let Some(port) = config.http.tls_port {
            line("", &format!("https://{}/ from elsewhere", SocketAddr::new(*ip, port)));
        }
    }
    if config.http.certificate.is_none() && config.http.tls_port.is_some() {
        line("", "(self-signed certificate: the browser asks once)");
    }
    for ip in &config.advertised {
        line("SIP telephones", &sip_line(config, *ip));
    }
    let domains: Vec<&str> = config.settings.domains.iter().map(|domain| domain.name.as_str()).collect();
    line("SIP domain", &domains.join(", "));
    if config.uses_default_domain {
        for account in default_accounts(&config.state_directory)? {
            let content = format!("{}  password {}", account.name, account.password.as_str());
            line("User", &content);
        }
    } else {
        line("Users", &format!("{} in the configuration", users(config)));
    }
    for address in &config.ng.udp {
        line("NG", &format!("{address} (UDP)"));
    }
    line("Configuration", &name_of(file));
    line("State", &config.state_directory.display().to_string());
    if config.uses_default_domain {
        let note = format!(
            "Telephones log in as NAME@{DEFAULT_DOMAIN}, with the SIP address above as outbound proxy."
        );
        let _ = writeln!(text, "{note}");
    }
    text += "Ctrl-C ends it.\n";
    Ok(text)
}

/// How a SIP proxy finds the relay.
fn relay_text(config: &Config, file: Option<&Path>) -> String {
    let mut text = String::from("\nTandem relays media.\n");
    let ng = [("UDP", &config.ng.udp), ("TCP", &config.ng.tcp), ("HTTP", &config.ng.http)];
    for (name, addresses) in ng {
        for address in addresses {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {:<16}{address}", format!("NG, {name}"));
        }
    }
    for interface in &config.ng.settings.interfaces {
        let _ = write!(text, "  {:<16}{} on {}", "Interface", interface.name, interface.local);
        let _ = match interface.advertised == interface.local {
            true => writeln!(text),
            false => writeln!(text, ", advertised as {}", interface.advertised),
        };
    }
    let (first, last) = config.media.ports;
    let _ = writeln!(text, "  {:<16}{first}-{last}", "Media ports");
    let _ = writeln!(text, "  {:<16}{}", "Configuration", name_of(file));
    if let Some(address) = config.ng.udp.first() {
        let _ = writeln!(text, "In Kamailio's configuration:");
        let _ = writeln!(text, "  loadmodule \"rtpengine.so\"");
        let _ = writeln!(text, "  modparam(\"rtpengine\", \"rtpengine_sock\", \"udp:{address}\")");
    }
    text += "Ctrl-C ends it.\n";
    text
}

fn name_of(file: Option<&Path>) -> String {
    file.map_or("embedded defaults".to_owned(), |file| file.display().to_string())
}

fn users(config: &Config) -> usize {
    config.settings.domains.iter().map(|domain| domain.users.len()).sum()
}

fn sip_line(config: &Config, ip: IpAddr) -> String {
    let ports = [("UDP", config.sip.udp), ("TCP", config.sip.tcp), ("TLS", config.sip.tls)];
    let address =
        |(name, port): (&str, Option<u16>)| Some(format!("{} ({name})", SocketAddr::new(ip, port?)));
    ports.into_iter().filter_map(address).collect::<Vec<_>>().join(", ")
}

/// Whether a dataplane has its socket here. It takes one client, and that is signaling: a connection of the wrong kind
/// is refused otherwise where the right kind (SEQPACKET) listens than where nobody does.
async fn is_served(control: &Path) -> bool {
    let answer = UnixStream::connect(control).await;
    answer.is_err_and(|error| error.raw_os_error() == Some(libc::EPROTOTYPE))
}

/// Whether `/health` says so; without any plain HTTP port, whether the dataplane's socket is there.
pub async fn is_healthy(config: &Config) -> bool {
    let page = config.http.port.zip(config.listen.last()).map(|(port, ip)| SocketAddr::new(*ip, port));
    let Some(mut address) = page.or(config.ng.http.first().copied()) else {
        return is_served(&config.media.control).await;
    };
    if address.ip().is_unspecified() {
        let ipv4 = address.is_ipv4();
        address.set_ip(if ipv4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .ok()?;
        let mut answer = Vec::new();
        stream.take(HEALTH_ANSWER).read_to_end(&mut answer).await.ok()?;
        Some(answer.starts_with(b"HTTP/1.1 200 "))
    };
    matches!(timeout(HEALTH_DEADLINE, asked).await, Ok(Some(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, SockAddr, Socket, Type};

    #[tokio::test]
    async fn a_dataplane_is_seen_while_it_listens_and_not_by_what_it_left() {
        let path = std::env::temp_dir().join(format!("tandem-banner-{}", std::process::id()));
        assert!(!is_served(&path).await);
        let listener = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(1).unwrap();
        assert!(is_served(&path).await);
        drop(listener);
        assert!(!is_served(&path).await);
        std::fs::remove_file(&path).unwrap();
    }
}
