//! Reads each section of the file into its part of the [`Config`], with the defaults.

use super::reader::{Placed, Section};
use super::{
    CertificateFiles, Config, ConfigError, DEFAULT_DOMAIN, Http, Media, Overrides, Sip, accounts, audio,
    data, domains, messages, network, ng, providers, tokens, video, xcap,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tandem_control::{MAX_WATCHERS, RecordingFormat};
use tandem_sip::ng::Files;
use tandem_sip::settings::{Domain, Limits, Settings, Timers, User};
use tandem_sip::transport::Transport;

/// Where state is kept if nothing else is said: below the working directory.
const DEFAULT_STATE_DIRECTORY: &str = "run";
/// A relay's: it may run beside a gateway.
const RELAY_STATE_DIRECTORY: &str = "run/relay";
/// The roots of trust as Debian installs them.
const DEFAULT_TLS_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Media ports if nothing else is said, and those of a relay: more calls, below the ports that Linux gives to clients.
const DEFAULT_PORTS: (u16, u16) = (31001, 32000);
const RELAY_PORTS: (u16, u16) = (20000, 29999);
/// Sessions if nothing else is said, and those of a relay.
const DEFAULT_SESSIONS: usize = 4_000;
const RELAY_SESSIONS: usize = 10_000;
/// The most seconds that any timer may be set to: a week.
const MAX_SECONDS: u64 = 7 * 24 * 3600;

/// Reads the whole file. Problems go to the section's document; an error is one of the state directory.
pub(super) fn read(root: &Section<'_>, file: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    let beside = file.parent().unwrap_or(Path::new(""));
    let state = root.string("state_directory").map(|text| beside.join(text.value));
    let relay = overrides.relay;
    let state_directory = overrides.state_directory.clone().or(state).unwrap_or_else(|| {
        PathBuf::from(if relay { RELAY_STATE_DIRECTORY } else { DEFAULT_STATE_DIRECTORY })
    });
    let (advertised, local, listen) = addresses(root);
    let sip = sip(root, beside, relay);
    let http = http(root, beside, relay);
    let (media, media_timeout) = media(root, beside, &state_directory, relay);
    let audio = audio::read(root);
    let provider_media = audio::read_providers(root, &audio.sip);
    let ng = ng::read(root, relay, &local, &advertised, media_timeout, &media.files, audio.sip.opus);
    check_ports(root, &sip, &http, &media);
    let uses_default_domain = !root.has("domain") && !relay;
    let (mut domains, lines) = domains::read(root, file);
    if uses_default_domain {
        domains.push(default_domain(&state_directory)?);
    }
    let (tokens, token_hook) = tokens::read(root, file, &domains);
    let xcap = xcap::read(root);
    let data_hook = data::read(root);
    let settings = Settings {
        sip: advertised_sip(&advertised, &sip, &http),
        user_ports: sip.user_ports,
        advertised: advertised.clone(),
        domains,
        tokens,
        xcap: xcap.iter().map(|server| server.root.clone()).collect(),
        has_application: data_hook.is_some(),
        lines,
        providers: providers::read(root, provider_media),
        sip_media: audio.sip,
        browser_media: audio.browser,
        tones: audio.tones,
        limits: limits(root),
        timers: timers(root, media_timeout),
        messages: messages::messages(root),
        presence: messages::presence(root),
        streams: video::streams(root),
        trusted: messages::trusted(root),
        product: format!("Tandem/{}", env!("CARGO_PKG_VERSION")),
    };
    let name_servers = name_servers(root);
    let log_level = log_level(root);
    Ok(Config {
        relay,
        advertised,
        local,
        listen,
        state_directory,
        sip,
        http,
        ng,
        media,
        name_servers,
        log_level,
        uses_default_domain,
        token_hook,
        data_hook,
        xcap,
        settings,
    })
}

fn default_domain(state_directory: &Path) -> Result<Domain, ConfigError> {
    let users = accounts::default_accounts(state_directory)?.into_iter().map(|account| User {
        ha1: accounts::hash_password(&account.name, DEFAULT_DOMAIN, &account.password),
        name: account.name,
        display_name: None,
        offer_security: Default::default(),
    });
    Ok(Domain { name: DEFAULT_DOMAIN.to_owned(), users: users.collect() })
}

/// `ip`, `ip_local`, and what is listened on.
fn addresses(root: &Section<'_>) -> (Vec<IpAddr>, Vec<IpAddr>, Vec<IpAddr>) {
    let ip = ip_list(root, "ip");
    let ip_local = ip_list(root, "ip_local");
    let local = match &ip_local {
        Some(list) => list.iter().map(|ip| ip.value).collect(),
        None => network::host_addresses(),
    };
    let mut listen: Vec<IpAddr> = local.clone();
    if ip_local.is_none() {
        for loopback in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let family_in_use = local.iter().any(|ip| ip.is_ipv4() == loopback.is_ipv4());
            if family_in_use && !local.contains(&loopback) {
                listen.push(loopback);
            }
        }
    }
    let Some(ip) = ip else {
        let advertised =
            if local.iter().any(IpAddr::is_unspecified) { network::host_addresses() } else { local.clone() };
        return (advertised, local, listen);
    };
    for ip in &ip {
        if ip.value.is_unspecified() || ip.value.is_multicast() {
            root.problem(ip.offset, "`ip` is what peers are told: it must be an address they can reach");
        } else if !local.iter().any(|local| local.is_ipv4() == ip.value.is_ipv4()) {
            root.problem(ip.offset, "`ip` has a family of which `ip_local` has no address");
        }
    }
    let advertised: Vec<IpAddr> = ip.iter().map(|ip| ip.value).collect();
    // Without `ip_local`, a family that is not advertised is not used.
    let told =
        |local: &IpAddr| ip_local.is_some() || advertised.iter().any(|ip| ip.is_ipv4() == local.is_ipv4());
    let local = local.into_iter().filter(told).collect();
    (advertised, local, listen)
}

/// Addresses, at most one of each family.
fn ip_list(root: &Section<'_>, key: &'static str) -> Option<Vec<Placed<IpAddr>>> {
    let list = root.list(key, "an IP address", |text| text.parse::<IpAddr>().ok())?;
    for family_is_v4 in [true, false] {
        if let Some(second) = list.iter().filter(|ip| ip.value.is_ipv4() == family_is_v4).nth(1) {
            root.problem(second.offset, format!("`{key}` may have at most one address of each family"));
        }
    }
    (!list.is_empty()).then_some(list)
}

/// `FIRST-LAST`, above the ports that need a privilege, so many of them at least.
pub(super) fn range_of_ports(text: &str, at_least: u16) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first >= 1024 && last >= first && last - first >= at_least - 1).then_some((first, last))
}

/// A port, with what it is if nothing is said.
fn port(section: &Section<'_>, key: &'static str, default: Option<u16>) -> Option<u16> {
    section.port(key).map_or(default, |port| port.map(|port| port.value))
}

fn number(section: &Section<'_>, key: &'static str, low: u64, high: u64, default: u64) -> u64 {
    section.integer(key, low..=high).map_or(default, |number| number.value)
}

pub(super) fn count(section: &Section<'_>, key: &'static str, high: u64, default: usize) -> usize {
    let given = section.integer(key, 1..=high).and_then(|number| usize::try_from(number.value).ok());
    given.unwrap_or(default)
}

fn small(section: &Section<'_>, key: &'static str, default: u32) -> u32 {
    let given = section.integer(key, 1..=1_000_000).and_then(|number| u32::try_from(number.value).ok());
    given.unwrap_or(default)
}

pub(super) fn seconds(section: &Section<'_>, key: &'static str, low: u64, default: u64) -> Duration {
    Duration::from_secs(number(section, key, low, MAX_SECONDS, default))
}

/// A relay listens only where it is told to.
fn sip(root: &Section<'_>, beside: &Path, relay: bool) -> Sip {
    let default = |port: u16| (!relay).then_some(port);
    let section = root.section("sip");
    let roots = section.string("tls_roots").map(|text| beside.join(text.value));
    let sip = Sip {
        udp: port(&section, "udp", default(5060)),
        tcp: port(&section, "tcp", default(5060)),
        tls: port(&section, "tls", default(5061)),
        user_ports: section
            .parsed("user_ports", r#"a range like "30000-31000""#, |text| range_of_ports(text, 1))
            .map(|range| range.value),
        tls_roots: roots.unwrap_or_else(|| PathBuf::from(DEFAULT_TLS_ROOTS)),
        connections: count(&section, "connections", 1_000_000, 10_000),
        connections_per_source: count(&section, "connections_per_source", 1_000_000, 200),
    };
    section.finish();
    sip
}

fn http(root: &Section<'_>, beside: &Path, relay: bool) -> Http {
    let default = |port: u16| (!relay).then_some(port);
    let section = root.section("http");
    let certificate = section.string("certificate");
    let key = section.string("key");
    let files = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(CertificateFiles {
            certificate: beside.join(certificate.value),
            key: beside.join(key.value),
        }),
        (Some(alone), None) => {
            section.problem(alone.offset, "`certificate` needs its `key` beside it");
            None
        }
        (None, Some(alone)) => {
            section.problem(alone.offset, "`key` needs its `certificate` beside it");
            None
        }
        (None, None) => None,
    };
    let metrics = section.list("metrics", "an IP address that may read /metrics", |text| text.parse().ok());
    let loopback = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let http = Http {
        port: port(&section, "port", default(8080)),
        tls_port: port(&section, "tls_port", default(8443)),
        certificate: files,
        metrics: metrics.map_or(loopback, |list| list.into_iter().map(|ip| ip.value).collect()),
    };
    section.finish();
    http
}

/// The dataplane's settings, and the media time-out.
fn media(root: &Section<'_>, beside: &Path, state_directory: &Path, relay: bool) -> (Media, Duration) {
    let section = root.section("media");
    // Four ports make one call between two telephones.
    let ports = section.parsed("ports", r#"a range like "31001-32000""#, |text| range_of_ports(text, 4));
    let control = section.string("control").map(|text| beside.join(text.value));
    let media = Media {
        ports: ports.map_or(if relay { RELAY_PORTS } else { DEFAULT_PORTS }, |ports| ports.value),
        workers: section.integer("workers", 1..=255).and_then(|number| usize::try_from(number.value).ok()),
        pin: section.boolean("pin").unwrap_or(true),
        sessions: count(
            &section,
            "sessions",
            1_000_000,
            if relay { RELAY_SESSIONS } else { DEFAULT_SESSIONS },
        ),
        control: control.unwrap_or_else(|| state_directory.join("control.sock")),
        files: files(&section, beside),
    };
    let timeout = seconds(&section, "timeout", 5, 60);
    section.finish();
    (media, timeout)
}

/// The directories of files that are played and recorded.
fn files(section: &Section<'_>, beside: &Path) -> Files {
    let directory = |key: &'static str| {
        let given = section.string(key)?;
        let absolute = std::path::absolute(beside.join(given.value)).ok();
        if absolute.is_none() {
            section.problem(given.offset, format!("`{key}` in [media] must be a directory"));
        }
        absolute
    };
    let format = section.parsed("recording_format", r#""ogg" or "wav""#, |text| match text {
        "ogg" => Some(RecordingFormat::OggOpus),
        "wav" => Some(RecordingFormat::Wav),
        _ => None,
    });
    Files {
        announcements: directory("announcements"),
        recordings: directory("recordings"),
        format: format.map_or(RecordingFormat::OggOpus, |format| format.value),
    }
}

/// Two listeners on one port, or a listener among the media ports, cannot both be had.
fn check_ports(root: &Section<'_>, sip: &Sip, http: &Http, media: &Media) {
    let streams = [
        ("[sip] tcp", sip.tcp),
        ("[sip] tls", sip.tls),
        ("[http] port", http.port),
        ("[http] tls_port", http.tls_port),
    ];
    for (index, (name, port)) in streams.iter().enumerate() {
        let earlier = streams.iter().take(index).find(|(_, other)| port.is_some() && other == port);
        if let Some((other, _)) = earlier {
            root.problem(root.offset(), format!("{name} and {other} are the same port; change one of them"));
        }
    }
    if sip.udp.is_some_and(|port| (media.ports.0..=media.ports.1).contains(&port)) {
        root.problem(root.offset(), "[sip] udp lies in the range of [media] ports; change one of them");
    }
    let Some((first, last)) = sip.user_ports else { return };
    match sip.udp {
        None => root.problem(root.offset(), "[sip] user_ports needs udp, the common port of the telephones"),
        Some(port) if (first..=last).contains(&port) => {
            root.problem(root.offset(), "[sip] udp lies in the range of user_ports; change one of them");
        }
        Some(_) => {}
    }
    if first <= media.ports.1 && media.ports.0 <= last {
        root.problem(root.offset(), "[sip] user_ports and [media] ports overlap; change one of them");
    }
}

/// The SIP addresses that peers are told: each advertised address with the port of each transport.
fn advertised_sip(advertised: &[IpAddr], sip: &Sip, http: &Http) -> Vec<(Transport, SocketAddr)> {
    let ports = [
        (Transport::Udp, sip.udp),
        (Transport::Tcp, sip.tcp),
        (Transport::Tls, sip.tls),
        (Transport::Ws, http.port),
        (Transport::Wss, http.tls_port),
    ];
    let mut list = Vec::new();
    for ip in advertised {
        for (transport, port) in ports {
            list.extend(port.map(|port| (transport, SocketAddr::new(*ip, port))));
        }
    }
    list
}

fn limits(root: &Section<'_>) -> Limits {
    let section = root.section("limits");
    let limits = Limits {
        calls: count(&section, "calls", 1_000_000, 4_000),
        calls_per_user: count(&section, "calls_per_user", 1_000_000, 100),
        contacts_per_user: count(&section, "contacts_per_user", 1_000, 10),
        registrations: count(&section, "registrations", 1_000_000, 10_000),
        streams: count(&section, "streams", 1_000_000, 1_000),
        streams_per_user: count(&section, "streams_per_user", 1_000_000, 20),
        players_per_stream: players_per_stream(&section),
        transactions: count(&section, "transactions", 10_000_000, 50_000),
        requests_per_source: small(&section, "requests_per_source", 200),
        wrong_passwords: small(&section, "wrong_passwords", 10),
        lockout: seconds(&section, "lockout", 1, 60),
    };
    section.finish();
    limits
}

fn players_per_stream(section: &Section<'_>) -> usize {
    let most = u64::try_from(MAX_WATCHERS).unwrap_or(u64::MAX);
    count(section, "players_per_stream", most, MAX_WATCHERS)
}

fn timers(root: &Section<'_>, media: Duration) -> Timers {
    let section = root.section("timers");
    let session = section.integer("session_expires", 90..=MAX_SECONDS);
    let registration = section.integer("registration_max", 60..=MAX_SECONDS);
    let timers = Timers {
        ring: seconds(&section, "ring", 5, 180),
        session_expires: Duration::from_secs(session.as_ref().map_or(1_800, |number| number.value)),
        // RFC 4028 section 5: Min-SE must not be below 90 seconds.
        min_session_expires: seconds(&section, "min_session_expires", 90, 90),
        media,
        reconnect: seconds(&section, "reconnect", 0, 30),
        registration_min: seconds(&section, "registration_min", 1, 60),
        registration_max: Duration::from_secs(registration.as_ref().map_or(3_600, |number| number.value)),
    };
    if timers.session_expires < timers.min_session_expires {
        let offset = session.map_or(section.offset(), |number| number.offset);
        section.problem(offset, "`session_expires` is below `min_session_expires`");
    }
    if timers.registration_max < timers.registration_min {
        let offset = registration.map_or(section.offset(), |number| number.offset);
        section.problem(offset, "`registration_max` is below `registration_min`");
    }
    section.finish();
    timers
}

fn name_servers(root: &Section<'_>) -> Vec<IpAddr> {
    let section = root.section("dns");
    let servers = section.list("servers", "the IP address of a name server", |text| text.parse().ok());
    section.finish();
    servers.unwrap_or_default().into_iter().map(|ip| ip.value).collect()
}

fn log_level(root: &Section<'_>) -> String {
    let section = root.section("log");
    let parse = |text: &str| {
        let filter = tracing_subscriber::EnvFilter::builder().parse(text);
        filter.ok().map(|_| text.to_owned())
    };
    let wanted = r#""error", "warn", "info", "debug" or "trace", also by part: "info,tandem_sip=debug""#;
    let level = section.parsed("level", wanted, parse);
    section.finish();
    level.map_or_else(|| "info".to_owned(), |level| level.value)
}
