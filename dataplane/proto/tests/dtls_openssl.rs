//! DTLS-SRTP with OpenSSL for a peer, which shows an RSA certificate as many telephones do.

#![allow(clippy::panic, clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use aws_lc_rs::digest::{SHA256, digest};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tandem_control::{DtlsRole, Fingerprint, FingerprintHash};
use tandem_media::dtls::{DtlsError, DtlsSession, Identity, SrtpKeys};

/// Ends the process with the test.
struct Openssl {
    child: Child,
    directory: PathBuf,
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Openssl {
    /// A client that calls that address, and the fingerprint of its certificate.
    fn client(key: &[&str], address: SocketAddr) -> (Openssl, Fingerprint) {
        let name = format!("tandem-dtls-{}-{}", std::process::id(), address.port());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let run = |arguments: &[&str]| {
            let output = Command::new("openssl").args(arguments).current_dir(&directory).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let request =
            ["req", "-x509", "-nodes", "-subj", "/CN=telephone", "-keyout", "key.pem", "-out", "a.pem"];
        run(&[&request[..], &["-newkey"], key].concat());
        run(&["x509", "-in", "a.pem", "-outform", "der", "-out", "a.der"]);
        let certificate = std::fs::read(directory.join("a.der")).unwrap();
        let hash = FingerprintHash::Sha256;
        let fingerprint = Fingerprint { hash, digest: digest(&SHA256, &certificate).as_ref().to_vec() };
        let child = Command::new("openssl")
            .args(["s_client", "-dtls1_2", "-cert", "a.pem", "-key", "key.pem"])
            .args(["-use_srtp", "SRTP_AES128_CM_SHA1_80", "-connect", &address.to_string()])
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (Openssl { child, directory }, fingerprint)
    }
}

/// Serves the first peer of the socket until there are keys.
fn serve(socket: &UdpSocket, fingerprint: Fingerprint) -> Result<SrtpKeys, DtlsError> {
    let identity = Identity::generate().unwrap();
    let mut session = DtlsSession::new(Instant::now(), &identity, DtlsRole::Server, &[fingerprint])?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut peer = None;
    let mut buffer = [0; 2048];
    while Instant::now() < deadline {
        match socket.recv_from(&mut buffer) {
            Ok((length, source)) => {
                peer = Some(source);
                session.receive(Instant::now(), &buffer[..length])?;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                session.handle_timeout(Instant::now())?;
            }
            Err(error) => panic!("{error}"),
        }
        let mut packet = [0; tandem_media::dtls::MTU];
        while let Some(packet) = session.poll_packet(&mut packet) {
            socket.send_to(packet, peer.unwrap()).unwrap();
        }
        if let Some(keys) = session.take_keys() {
            return Ok(keys);
        }
    }
    Err(DtlsError::HandshakeFailed)
}

fn handshake(key: &[&str], spoil: u8) -> Result<SrtpKeys, DtlsError> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (_openssl, mut fingerprint) = Openssl::client(key, socket.local_addr().unwrap());
    fingerprint.digest[0] ^= spoil;
    serve(&socket, fingerprint)
}

fn is_missing() -> bool {
    let missing = Command::new("openssl").arg("version").output().is_err();
    if missing {
        eprintln!("skipped: there is no openssl here");
    }
    missing
}

#[test]
fn a_client_with_an_rsa_certificate_gets_keys() {
    if !is_missing() {
        handshake(&["rsa:2048"], 0).unwrap();
    }
}

#[test]
fn a_client_with_an_ecdsa_certificate_gets_keys() {
    if !is_missing() {
        handshake(&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], 0).unwrap();
    }
}

#[test]
fn an_rsa_certificate_with_another_fingerprint_is_refused() {
    if !is_missing() {
        assert_eq!(handshake(&["rsa:2048"], 1), Err(DtlsError::FingerprintMismatch));
    }
}
