//! A client of the NG protocol, as a SIP proxy is one: bencode over UDP. Any relay that speaks it gets the same
//! requests.

mod bencode;
mod call;
mod sdp;

pub(crate) use bencode::Value;
pub(crate) use call::{Shape, Transport, delete, open, open_silent};

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long a relay may take to start.
const START: Duration = Duration::from_secs(10);
/// How long one answer may take, and how often a request is sent.
const ANSWER: Duration = Duration::from_millis(500);
const TRIES: usize = 4;
const MAX_REPLY: usize = 65_536;

/// A socket towards one relay.
pub(crate) struct Client {
    socket: UdpSocket,
    buffer: Vec<u8>,
    next_cookie: u64,
}

impl Client {
    /// Waits until the relay at `address` answers a ping.
    ///
    /// # Errors
    /// If it does not in time.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Client> {
        let mut client = Client::towards(address)?;
        let patience = Instant::now() + START;
        loop {
            match client.ask(&Value::dictionary([("command", "ping".into())])) {
                Ok(_) => return Ok(client),
                Err(error) if Instant::now() > patience => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Another socket towards the same relay.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn another(&self) -> io::Result<Client> {
        Client::towards(self.socket.peer_addr()?)
    }

    fn towards(relay: SocketAddr) -> io::Result<Client> {
        let socket = UdpSocket::bind((relay.ip(), 0))?;
        socket.connect(relay)?;
        socket.set_read_timeout(Some(ANSWER))?;
        Ok(Client { socket, buffer: vec![0; MAX_REPLY], next_cookie: fastrand::u64(..1 << 32) })
    }

    /// Sends a request, again if it is lost, and waits for the reply.
    ///
    /// # Errors
    /// If there is none, or it says error.
    pub(crate) fn ask(&mut self, request: &Value) -> io::Result<Value> {
        let cookie = self.send(request)?;
        for _ in 1..TRIES {
            match self.receive() {
                Ok((answered, reply)) if answered == cookie => return reply,
                // A reply to a request that was given up.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.send_as(cookie, request)?,
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the relay does not answer"))
    }

    /// Sends a request whose reply is fetched later; returns its cookie.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn send(&mut self, request: &Value) -> io::Result<u64> {
        self.next_cookie += 1;
        self.send_as(self.next_cookie, request)?;
        Ok(self.next_cookie)
    }

    fn send_as(&mut self, cookie: u64, request: &Value) -> io::Result<()> {
        let mut datagram = format!("{cookie:x} ").into_bytes();
        request.encode(&mut datagram);
        self.socket.send(&datagram).map(drop)
    }

    /// The next reply with its cookie; an error inside says what the relay said.
    ///
    /// # Errors
    /// If nothing comes in time, or not a reply.
    pub(crate) fn receive(&mut self) -> io::Result<(u64, io::Result<Value>)> {
        let length = self.socket.recv(&mut self.buffer)?;
        let datagram = &self.buffer[..length];
        let space = datagram.iter().position(|byte| *byte == b' ');
        let parsed = space.and_then(|space| {
            let cookie = u64::from_str_radix(std::str::from_utf8(&datagram[..space]).ok()?, 16).ok()?;
            Some((cookie, Value::decode(&datagram[space + 1..])?))
        });
        let (cookie, reply) = parsed.ok_or_else(|| io::Error::other("a reply that is no bencode"))?;
        let reply = match reply.text("result") {
            Some("ok" | "pong") => Ok(reply),
            _ => Err(io::Error::other(
                reply.text("error-reason").unwrap_or("no result in the reply").to_owned(),
            )),
        };
        Ok((cookie, reply))
    }
}
