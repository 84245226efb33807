//! rtpengine in userspace with one worker thread, driven over its NG protocol.

use crate::measure::process::Measured;
use crate::ng::{Value, dictionary, find};
use crate::relay::{Call, Mode, Relay};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tandem_control::{SrtpKey, SrtpSuite};

const START: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(1);
/// An RFC 4568 inline key of 30 bytes, as base64 text; what the generator's side B protects with.
const KEY_TEXT_LENGTH: usize = 40;
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

/// rtpengine.
pub(crate) struct Rtpengine {
    process: Measured,
    control: UdpSocket,
    calls: u64,
}

impl Rtpengine {
    /// Starts it and waits for its pong.
    pub(crate) fn start(program: &Path) -> io::Result<Rtpengine> {
        let listen = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.args([
            "--foreground",
            "--table=-1",
            "--interface=127.0.0.1",
            "--num-threads=1",
            "--log-level=0",
        ]);
        command.args(["--port-min=40000", "--port-max=48000"]).arg(format!("--listen-ng={listen}"));
        command.arg("--config-file=none");
        let process = Measured::start(command, None)?;
        let control = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        control.connect(listen)?;
        control.set_read_timeout(Some(ANSWER))?;
        let mut rtpengine = Rtpengine { process, control, calls: 0 };
        let patience = Instant::now() + START;
        while let Err(error) = rtpengine.ask(&[("command", Value::Text("ping"))]) {
            if Instant::now() > patience {
                return Err(io::Error::other(format!("{} does not answer: {error}", program.display())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(rtpengine)
    }

    fn ask(&mut self, entries: &[(&str, Value<'_>)]) -> io::Result<String> {
        let cookie = format!("{:x}", fastrand::u64(..));
        self.control.send(format!("{cookie} {}", dictionary(entries)).as_bytes())?;
        let mut buffer = vec![0; 65_536];
        let length = self.control.recv(&mut buffer)?;
        let reply = String::from_utf8_lossy(&buffer[..length]).into_owned();
        match find(&reply, "result") {
            Some("ok" | "pong") => Ok(reply),
            _ => Err(io::Error::other(format!(
                "rtpengine: {}",
                find(&reply, "error-reason").unwrap_or(&reply)
            ))),
        }
    }
}

impl Relay for Rtpengine {
    fn process(&self) -> &Measured {
        &self.process
    }

    fn open(&mut self, mode: Mode, a: SocketAddr, b: SocketAddr) -> io::Result<Call> {
        self.calls += 1;
        let call_id = format!("bench-{}", self.calls);
        let protocol = if mode == Mode::Srtp { "RTP/SAVP" } else { "RTP/AVP" };
        let replace = Value::List(&["origin", "session-connection"]);
        let offer = self.ask(&[
            ("ICE", Value::Text("remove")),
            ("call-id", Value::Text(&call_id)),
            ("command", Value::Text("offer")),
            ("flags", Value::List(&["trust-address"])),
            ("from-tag", Value::Text("a")),
            ("replace", replace),
            ("sdp", Value::Text(&sdp(a, "RTP/AVP", ""))),
            ("transport-protocol", Value::Text(protocol)),
        ])?;
        let key = (mode == Mode::Srtp).then(key_text);
        let tag = offered_tag(&offer).unwrap_or("1");
        let crypto = key.as_ref().map(|key| format!("a=crypto:{tag} {SUITE} inline:{key}\r\n"));
        let answer = self.ask(&[
            ("call-id", Value::Text(&call_id)),
            ("command", Value::Text("answer")),
            ("flags", Value::List(&["trust-address"])),
            ("from-tag", Value::Text("a")),
            ("replace", Value::List(&["origin", "session-connection"])),
            ("sdp", Value::Text(&sdp(b, protocol, crypto.as_deref().unwrap_or_default()))),
            ("to-tag", Value::Text("b")),
        ])?;
        Ok(Call {
            a: media_address(&answer)?,
            b: media_address(&offer)?,
            b_key: key.map(|key| srtp_key(&key)),
        })
    }
}

fn sdp(address: SocketAddr, protocol: &str, attributes: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {protocol} 0\r\n\
         a=rtpmap:0 PCMU/8000\r\n{attributes}"
    )
}

/// The tag under which the offer has [`SUITE`]; the answer must name it (RFC 4568 section 5.1.2).
fn offered_tag(offer: &str) -> Option<&str> {
    let (before, _) = offer.split_once(&format!(" {SUITE} "))?;
    before.rsplit_once("a=crypto:").map(|(_, tag)| tag)
}

/// Where the relay's description says it receives.
fn media_address(reply: &str) -> io::Result<SocketAddr> {
    let port = find(reply, "sdp")
        .and_then(|sdp| sdp.split_once("m=audio "))
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .ok_or_else(|| io::Error::other("no media port"))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn key_text() -> String {
    (0..KEY_TEXT_LENGTH).map(|_| char::from(BASE64[fastrand::usize(..BASE64.len())])).collect()
}

/// Decodes [`key_text`], which has no padding: four characters are three bytes.
fn srtp_key(text: &str) -> SrtpKey {
    let value = |byte: &u8| BASE64.iter().position(|other| other == byte).unwrap_or(0) as u32;
    let quads = text.as_bytes().chunks_exact(4);
    let words = quads.map(|quad| quad.iter().fold(0, |word, byte| word << 6 | value(byte)));
    let key_and_salt = words.flat_map(|word| word.to_be_bytes()[1..].to_vec()).collect();
    SrtpKey { suite: SrtpSuite::AesCm128HmacSha1_80, key_and_salt }
}
