//! Tandem's dataplane, driven over its control socket.

use crate::measure::process::Measured;
use crate::relay::{Call, Mode, Relay};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tandem_control::{
    Audio, Codec, LegConfig, MAX_RECORD, Message, PayloadType, PortKind, PortRequest, Remote, Reply, Request,
    RequestFrame, Security, SrtpKey, SrtpSuite, VERSION, decode, encode,
};

const START: Duration = Duration::from_secs(5);

/// A dataplane of one worker.
pub(crate) struct Tandem {
    process: Measured,
    control: Socket,
    directory: PathBuf,
    next_id: u32,
}

impl Tandem {
    /// Starts it and says hello.
    pub(crate) fn start(program: &Path) -> io::Result<Tandem> {
        let directory = std::env::temp_dir().join(format!("tandem-bench-{}", fastrand::u64(..)));
        std::fs::create_dir(&directory)?;
        let path = directory.join("control");
        let mut command = Command::new(program);
        command.arg("--control").arg(&path).args(["--ip-local", "127.0.0.1", "--media-ports", "31001-39000"]);
        command.args(["--workers", "1", "--log", "error"]);
        let process = Measured::start(command, None)?;
        let control = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        let patience = Instant::now() + START;
        while let Err(error) = control.connect(&SockAddr::unix(&path)?) {
            if Instant::now() > patience {
                return Err(io::Error::other(format!("{} does not answer: {error}", program.display())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut tandem = Tandem { process, control, directory, next_id: 0 };
        tandem.ask(Request::Hello { version: VERSION })?;
        Ok(tandem)
    }

    fn ask(&mut self, request: Request) -> io::Result<Reply> {
        self.next_id += 1;
        let frame = RequestFrame { id: self.next_id, request };
        self.control.send(&encode(&frame).map_err(io::Error::other)?)?;
        let mut record = vec![0; MAX_RECORD];
        loop {
            let length = self.control.read(&mut record)?;
            match decode(&record[..length]).map_err(io::Error::other)? {
                Message::Reply { id, result } if id == self.next_id => {
                    return result.map_err(io::Error::other);
                }
                _ => {}
            }
        }
    }
}

impl Relay for Tandem {
    fn process(&self) -> &Measured {
        &self.process
    }

    fn open(&mut self, mode: Mode, a: SocketAddr, b: SocketAddr) -> io::Result<Call> {
        let port = PortRequest { address: Ipv4Addr::LOCALHOST.into(), kind: PortKind::Own };
        let b_key = (mode == Mode::Srtp).then(key);
        let security = match &b_key {
            Some(receive) => Security::Sdes { send: key(), receive: Some(receive.clone()) },
            None => Security::None,
        };
        let legs = Box::new([leg(a, Security::None), leg(b, security)]);
        let create = Request::Create { ports: [port; 2], legs, note: Vec::new(), media_timeout_seconds: 60 };
        let Reply::Created { local, .. } = self.ask(create)? else {
            return Err(io::Error::other("unexpected reply to Create"));
        };
        Ok(Call { a: local[0].rtp, b: local[1].rtp, b_key })
    }
}

impl Drop for Tandem {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn leg(remote: SocketAddr, security: Security) -> LegConfig {
    let pcmu = vec![PayloadType { number: 0, codec: Codec::Pcmu, clock: 8000 }];
    LegConfig {
        security,
        remote: Some(Remote { rtp: remote, rtcp: remote }),
        audio: Audio {
            receive: pcmu.clone(),
            send: pcmu,
            may_receive: true,
            may_send: true,
            ..Audio::idle()
        },
        ..LegConfig::idle()
    }
}

fn key() -> SrtpKey {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let key_and_salt = (0..suite.key_len() + suite.salt_len()).map(|_| fastrand::u8(..)).collect();
    SrtpKey { suite, key_and_salt }
}
