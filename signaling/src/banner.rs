//! What the launcher prints: how to reach the running gateway.

use crate::config::{Config, ConfigError, DEFAULT_DOMAIN, default_accounts};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
    line("Configuration", &file.map_or("embedded defaults".to_owned(), |file| file.display().to_string()));
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

fn users(config: &Config) -> usize {
    config.settings.domains.iter().map(|domain| domain.users.len()).sum()
}

fn sip_line(config: &Config, ip: IpAddr) -> String {
    let ports = [("UDP", config.sip.udp), ("TCP", config.sip.tcp), ("TLS", config.sip.tls)];
    let address =
        |(name, port): (&str, Option<u16>)| Some(format!("{} ({name})", SocketAddr::new(ip, port?)));
    ports.into_iter().filter_map(address).collect::<Vec<_>>().join(", ")
}

/// Whether `/health` says so; without the plain HTTP port, whether the dataplane's socket is there.
pub async fn is_healthy(config: &Config) -> bool {
    let Some(port) = config.http.port else {
        return UnixStream::connect(&config.media.control).await.is_ok();
    };
    let Some(ip) = config.listen.last() else { return false };
    let ip = if ip.is_unspecified() && ip.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { *ip };
    let asked = async {
        let mut stream = TcpStream::connect(SocketAddr::new(ip, port)).await.ok()?;
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
