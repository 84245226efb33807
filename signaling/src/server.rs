//! Starts everything: binds the sockets, then runs the event loop.

use crate::certificate::{CertificateError, Certificates, client_config, server_config};
use crate::config::Config;
use crate::connection::Admission;
use crate::data_hook::DataPoster;
use crate::dataplane_client::DataplaneClient;
use crate::dns::Dns;
use crate::event_loop::EventLoop;
use crate::events::Events;
use crate::http::{self, Figures, Server};
use crate::limits;
use crate::message_store::MessageStore;
use crate::ng::{self, Door, Replies};
use crate::sip::transports::Transports;
use crate::sip::{listener, udp};
use crate::token_hook::Asker;
use crate::xcap_client::XcapClient;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tandem_sip::ng::Relay;
use tandem_sip::switch::{Input, Switch};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Why the process could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port is taken, or an address is not this host's.
    #[error("cannot listen on {protocol} {address}: {error}{hint}")]
    Listen {
        /// TCP or UDP.
        protocol: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
        /// What to change.
        hint: String,
    },
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// No resolver.
    #[error("DNS: {0}")]
    Dns(String),
    /// No recorder for figures.
    #[error("metrics: {0}")]
    Metrics(String),
    /// The messages that are kept for users cannot be read, or no more can be written.
    #[error("messages in {}: {error}", path.display())]
    Messages {
        /// Their directory.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Something of the operating system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs the process until it is told to end.
///
/// # Errors
/// [`StartError`] before anything was served.
pub async fn run(config: Config) -> Result<(), StartError> {
    let process = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| StartError::Metrics(error.to_string()))?;
    let connector = TlsConnector::from(client_config(&config.sip.tls_roots)?);
    let dns = Dns::new(&config.name_servers, &config.local).map_err(StartError::Dns)?;
    let tls = if config.uses_tls() { Some(Certificates::load(&config)?) } else { None };
    let acceptor = tls.clone().map(server_config).transpose()?.map(TlsAcceptor::from);
    let sockets = Sockets::bind(&config)?;
    let ng_sockets = bind_ng(&config)?;

    let (events, queue) = mpsc::channel(limits::EVENTS);
    let dataplane = DataplaneClient::start(config.media.control.clone(), events.clone());
    let admission = Admission::new(config.sip.connections, config.sip.connections_per_source);
    let figures = Figures { process, events: events.clone(), dataplane: dataplane.clone() };
    let server = Arc::new(Server {
        events: events.clone(),
        admission: admission.clone(),
        figures: figures.clone(),
        metrics: config.http.metrics.clone(),
    });
    let udp = sockets.udp.clone();
    sockets.serve(acceptor.as_ref(), &admission, &events, &server);
    if let Some(certificates) = tls {
        tokio::spawn(certificates.watch(signal(SignalKind::hangup())?));
    }
    let replies = Replies::new(ng_sockets.udp.clone());
    let metrics = config.http.metrics.clone();
    ng_sockets.serve(Door { ng: config.ng.clone(), events: events.clone(), figures, metrics });

    let mut switch = Switch::new(Instant::now(), config.settings.clone(), fill_random);
    let messages = open_messages(&config, &events, &mut switch)?;
    let tokens = Asker::new(config.token_hook.clone(), connector.clone(), events.clone());
    let data = DataPoster::new(config.data_hook.clone(), connector.clone(), events.clone());
    let xcap = XcapClient::new(config.xcap.clone(), connector.clone(), events.clone());
    let transports = Transports::new(udp, connector, events.clone());
    let relay = Relay::new(Instant::now(), SystemTime::now(), config.ng.settings.clone(), fill_random);
    let leaving = events.clone();
    let event_loop = EventLoop {
        switch,
        relay,
        replies,
        transports,
        dns,
        tokens,
        xcap,
        data,
        dataplane,
        messages,
        events,
        queue,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    tracing::info!(relay = config.relay, listen = ?config.listen, advertised = ?config.advertised, "started");
    // A task of its own: tokio looks for new events of all sockets each time the main future is woken.
    let mut running = tokio::spawn(event_loop.run());
    let is_told = tokio::select! {
        ended = &mut running => {
            tracing::error!(?ended, "the event loop has ended");
            false
        }
        _ = terminate.recv() => true,
        _ = tokio::signal::ctrl_c() => true,
    };
    if is_told {
        leave(&leaving, running).await;
    }
    tracing::info!("ended");
    Ok(())
}

/// Has the accounts at providers unregistered, and waits for the providers for a while.
async fn leave(events: &Events, running: JoinHandle<()>) {
    let left = async { events.send(Input::Leave.into()).await.is_ok() && running.await.is_ok() };
    if !timeout(limits::LEAVE_DEADLINE, left).await.unwrap_or(false) {
        tracing::warn!("not every account at a provider is unregistered");
    }
}

/// For tags, nonces and keys.
fn fill_random(bytes: &mut [u8]) {
    // Guessable nonces and SRTP keys are worse than an end: without random numbers there is no safe way on.
    aws_lc_rs::rand::fill(bytes)
        .expect("the operating system's random generator does not fail once it is seeded");
}

/// Opens the store of messages, where there are users for whom any could be kept, and gives the switch what is in it.
fn open_messages(
    config: &Config,
    events: &Events,
    switch: &mut Switch,
) -> Result<Option<MessageStore>, StartError> {
    if config.settings.domains.is_empty() {
        return Ok(None);
    }
    let (path, now) = (config.state_directory.join("messages"), SystemTime::now());
    let opened = MessageStore::open(&path, now, events.clone());
    let (store, kept) = opened.map_err(|error| StartError::Messages { path, error })?;
    switch.restore_messages(Instant::now(), now, kept);
    Ok(Some(store))
}

/// Everything that is listened on.
struct Sockets {
    udp: Vec<udp::Udp>,
    tcp: Vec<TcpListener>,
    tls: Vec<TcpListener>,
    http: Vec<TcpListener>,
    https: Vec<TcpListener>,
}

impl Sockets {
    fn bind(config: &Config) -> Result<Sockets, StartError> {
        let listen = &config.listen;
        let streams = |port, section, key| bind_each("TCP", listen, port, section, key, listener::bind);
        Ok(Sockets {
            udp: bind_each("UDP", listen, config.sip.udp, "sip", "udp", udp::bind)?,
            tcp: streams(config.sip.tcp, "sip", "tcp")?,
            tls: streams(config.sip.tls, "sip", "tls")?,
            http: streams(config.http.port, "http", "port")?,
            https: streams(config.http.tls_port, "http", "tls_port")?,
        })
    }

    /// Serves everything. Without an acceptor nothing of TLS was bound.
    fn serve(
        self,
        acceptor: Option<&TlsAcceptor>,
        admission: &Admission,
        events: &Events,
        server: &Arc<Server>,
    ) {
        for udp in self.udp {
            tokio::spawn(udp::receive(udp, events.clone()));
        }
        for (listeners, tls) in [(self.tcp, None), (self.tls, acceptor)] {
            for listener in listeners {
                let tls = tls.cloned();
                tokio::spawn(listener::serve(listener, tls, admission.clone(), events.clone()));
            }
        }
        for (listeners, tls) in [(self.http, None), (self.https, acceptor)] {
            for listener in listeners {
                tokio::spawn(http::serve(listener, tls.cloned(), server.clone()));
            }
        }
    }
}

/// The sockets of NG, each at the address that it is given.
fn bind_ng(config: &Config) -> Result<ng::Sockets, StartError> {
    let ng = &config.ng;
    let streams = |addresses: &[SocketAddr], key| {
        addresses
            .iter()
            .map(|address| bind("TCP", *address, "ng", key, listener::bind))
            .collect::<Result<_, _>>()
    };
    let udp =
        ng.udp.iter().map(|address| bind("UDP", *address, "ng", "udp", udp::bind)).collect::<Result<_, _>>();
    Ok(ng::Sockets { udp: udp?, tcp: streams(&ng.tcp, "tcp")?, http: streams(&ng.http, "http")? })
}

/// One port at each address, if there is one.
fn bind_each<T>(
    protocol: &'static str,
    listen: &[IpAddr],
    port: Option<u16>,
    section: &str,
    key: &str,
    open: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>, StartError> {
    let Some(port) = port else { return Ok(Vec::new()) };
    listen.iter().map(|ip| bind(protocol, SocketAddr::new(*ip, port), section, key, &open)).collect()
}

/// Binds one socket; the error names the setting to change.
fn bind<T>(
    protocol: &'static str,
    address: SocketAddr,
    section: &str,
    key: &str,
    open: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<T, StartError> {
    open(address).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                ". Another program uses this port: stop it, or set `{key}` in [{section}] to another port"
            ),
            io::ErrorKind::AddrNotAvailable if section == "ng" => {
                format!(". This host has no such address: set `{key}` in [{section}] to one that it has")
            }
            io::ErrorKind::AddrNotAvailable => {
                ". This host has no such address: set `ip_local` to one that it has".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                format!(". Ports below 1024 need a privilege: set `{key}` in [{section}] to a higher one")
            }
            _ => String::new(),
        };
        StartError::Listen { protocol, address, error, hint }
    })
}
