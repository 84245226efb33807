//! The generator: many calls over few sockets, paced evenly.

use crate::relay::{Call, Mode};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tandem_media::srtp::{MAX_TRAILER, Outbound};

/// Run before each measurement, so that latching and caches are done.
pub(crate) const WARM_UP: Duration = Duration::from_millis(1500);
/// The packet time of each call.
const PTIME: Duration = Duration::from_millis(20);
/// One packet time is cut into this many bursts.
const SLOTS: u32 = 20;
/// How long packets may still arrive after the last was sent.
const SETTLE: Duration = Duration::from_millis(200);
const PAYLOAD: usize = 160;
const HEADER: usize = 12;
/// Calls share sockets by this many, so that each relay port still sees a peer of its own.
const CALLS_PER_SOCKET: usize = 64;
const RECEIVE_BUFFER: usize = 4 << 20;

/// Packets sent to the relay and received back from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

struct Stream {
    socket: usize,
    to: SocketAddr,
    protect: Option<Outbound>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

/// All calls of one round.
pub(crate) struct Load {
    sockets: Vec<UdpSocket>,
    streams: Vec<Stream>,
    mode: Mode,
    calls: usize,
}

impl Load {
    pub(crate) fn new(mode: Mode) -> Load {
        Load { sockets: Vec::new(), streams: Vec::new(), mode, calls: 0 }
    }

    /// The addresses of sides A and B of the next call.
    pub(crate) fn next_addresses(&mut self) -> io::Result<(SocketAddr, SocketAddr)> {
        if self.calls.is_multiple_of(CALLS_PER_SOCKET) {
            self.sockets.push(socket()?);
            self.sockets.push(socket()?);
        }
        let (a, b) = self.current();
        Ok((self.sockets[a].local_addr()?, self.sockets[b].local_addr()?))
    }

    fn current(&self) -> (usize, usize) {
        (self.sockets.len() - 2, self.sockets.len() - 1)
    }

    /// Takes a call that the relay has set up.
    pub(crate) fn add(&mut self, call: Call) -> io::Result<()> {
        let protect = match (self.mode, &call.b_key) {
            (Mode::Srtp, Some(key)) => {
                Some(Outbound::new(key).map_err(|error| io::Error::other(format!("{error:?}")))?)
            }
            (Mode::Srtp, None) => return Err(io::Error::other("the relay gave no key for an SRTP call")),
            (Mode::Rtp, _) => None,
        };
        let (a, b) = self.current();
        self.streams.push(stream(a, call.a, None));
        self.streams.push(stream(b, call.b, protect));
        self.calls += 1;
        Ok(())
    }

    /// Sends for `length`, spread evenly, and counts what comes back.
    pub(crate) fn run(&mut self, length: Duration) -> io::Result<Counts> {
        let mut counts = Counts::default();
        let start = Instant::now();
        let slot = PTIME / SLOTS;
        for tick in 0..u32::try_from(length.as_micros() / slot.as_micros()).unwrap_or(u32::MAX) {
            let due = start + slot * tick;
            while Instant::now() < due {
                counts.received += self.drain()?;
                std::thread::sleep(Duration::from_micros(100));
            }
            let first = (tick % SLOTS) as usize;
            for index in (first..self.streams.len()).step_by(SLOTS as usize) {
                let stream = &mut self.streams[index];
                counts.sent += u64::from(stream.send(&self.sockets[stream.socket])?);
            }
        }
        let settled = Instant::now() + SETTLE;
        while Instant::now() < settled {
            counts.received += self.drain()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(counts)
    }

    fn drain(&self) -> io::Result<u64> {
        let mut received = 0;
        let mut buffer = [0; 2048];
        for socket in &self.sockets {
            loop {
                match socket.recv(&mut buffer) {
                    // Only RTP counts: RTCP (RFC 5761 section 4: 64 to 95 without the marker) is the relay's own.
                    Ok(length) => received += u64::from(length > HEADER && !(192..=223).contains(&buffer[1])),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(received)
    }
}

impl Stream {
    /// Sends the next packet; whether the kernel took it.
    fn send(&mut self, socket: &UdpSocket) -> io::Result<bool> {
        let mut packet = [0xD5; HEADER + PAYLOAD + MAX_TRAILER];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(PAYLOAD as u32);
        let mut length = HEADER + PAYLOAD;
        if let Some(protect) = &mut self.protect {
            length = protect
                .protect(&mut packet, length)
                .map_err(|error| io::Error::other(format!("{error:?}")))?;
        }
        match socket.send_to(&packet[..length], self.to) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn stream(socket: usize, to: SocketAddr, protect: Option<Outbound>) -> Stream {
    Stream {
        socket,
        to,
        protect,
        sequence: fastrand::u16(..),
        timestamp: fastrand::u32(..),
        ssrc: fastrand::u32(..),
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
