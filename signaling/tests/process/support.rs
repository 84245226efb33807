//! Starts a process for one test.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing that works takes so long.
const DEADLINE: Duration = Duration::from_secs(30);

/// One running process. Killed, and its files removed, when dropped.
pub(crate) struct Process {
    pub(crate) directory: PathBuf,
    pub(crate) udp: u16,
    pub(crate) tcp: u16,
    pub(crate) tls: u16,
    pub(crate) http: u16,
    pub(crate) https: u16,
    child: Child,
}

/// A new empty directory.
pub(crate) fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("tandem-process-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Process {
    /// Starts it with the ports' sections written and `more` in `[sip]` and behind it.
    pub(crate) async fn start(more: &str) -> Process {
        Process::start_with("", more).await
    }

    /// The same, with `http` in `[http]`.
    pub(crate) async fn start_with(http_section: &str, more: &str) -> Process {
        let directory = directory();
        let [udp, tcp, tls, http, https] = std::array::from_fn(|_| free_port());
        let text = format!(
            "ip = \"127.0.0.1\"\nip_local = \"127.0.0.1\"\nstate_directory = {directory:?}\n\
             [http]\nport = {http}\ntls_port = {https}\n{http_section}\n\
             [sip]\nudp = {udp}\ntcp = {tcp}\ntls = {tls}\n{more}\n"
        );
        let file = directory.join("tandem.toml");
        std::fs::write(&file, text).unwrap();
        let child =
            Command::new(env!("CARGO_BIN_EXE_tandem-signaling")).arg("--config").arg(file).spawn().unwrap();
        let process = Process { directory, udp, tcp, tls, http, https, child };
        let started = async {
            while TcpStream::connect(process.address(http)).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, started).await.expect("the process listens");
        process
    }

    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Opens TLS, trusting `certificate` alone.
    pub(crate) async fn connect_tls(
        &self,
        port: u16,
        certificate: &PathBuf,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address(port)).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, option: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([option, &id]).status().unwrap().success());
    }

    /// Waits until it has ended by itself, which it must do well.
    pub(crate) async fn ended(&mut self) {
        let ended = async {
            loop {
                match self.child.try_wait().unwrap() {
                    Some(status) => break assert!(status.success(), "{status}"),
                    None => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        timeout(DEADLINE, ended).await.expect("it ends");
    }

    /// One request on a connection of its own: the status line and headers, and the body.
    pub(crate) async fn get(&self, path: &str, headers: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address(self.http)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.to_owned(), body.to_owned())
    }

    /// Asks until the answer's head begins as wanted.
    pub(crate) async fn wait_for(&self, path: &str, wanted: &str) {
        let seen = async {
            while !self.get(path, "").await.0.starts_with(wanted) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, seen).await.unwrap_or_else(|_| panic!("{path} answers {wanted}"));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Runs an executable to its end: whether it succeeded, and its standard output and error.
pub(crate) fn run(executable: &str, arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(executable).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}
