//! The NG relay as a whole: requests about calls, and a dataplane that does as it is asked.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};
use tandem_control::{
    Hello, LocalPorts, Message, RecordingFormat, Refusal, Reply, Request, RequestFrame, SessionId,
    SessionStats, VERSION,
};
use tandem_sip::ng::{Client, Files, Framing, Input, Interface, Limits, Output, Relay, Settings, Timers};

/// Requests of one input.
const MAX_REQUESTS: usize = 32;

/// The lines are requests without cookies. Each is answered, and when every call's time has passed no session is left.
pub(crate) fn relay(data: &[u8]) {
    let mut now = Instant::now();
    let mut random = 0u8;
    let mut relay = Relay::new(now, SystemTime::UNIX_EPOCH, settings(), move |bytes: &mut [u8]| {
        for byte in bytes {
            random = random.wrapping_add(1);
            *byte = random;
        }
    });
    let mut dataplane = Dataplane::default();
    let hello =
        Hello { version: VERSION, workers: 1, sessions: 0, fingerprint: [7; 32], addresses: Vec::new() };
    relay.handle(now, Input::DataplaneUp(hello));
    dataplane.serve(now, &mut relay);
    let from = Client { id: 1, source: SocketAddr::from(([127, 0, 0, 1], 4_000)) };
    for line in data.split(|byte| *byte == b'\n').take(MAX_REQUESTS) {
        relay.handle(now, Input::Request { from, framing: Framing::Plain, bytes: line.to_vec() });
        assert_eq!(dataplane.serve(now, &mut relay), 1, "one reply for each request");
    }
    now += Duration::from_secs(10_000);
    relay.handle(now, Input::Timeout);
    dataplane.serve(now, &mut relay);
    for session in dataplane.sessions.clone() {
        let kind = tandem_control::EventKind::MediaTimeout;
        relay.handle(now, Input::Dataplane(Message::Event(tandem_control::Event { session, kind })));
        dataplane.serve(now, &mut relay);
    }
    assert!(dataplane.sessions.is_empty());
}

fn settings() -> Settings {
    let address = [127, 0, 0, 1].into();
    Settings {
        interfaces: vec![Interface { name: "a".to_owned(), local: address, advertised: address }],
        limits: Limits { calls: 8 },
        timers: Timers {
            media: Duration::from_secs(60),
            offer: Duration::from_secs(60),
            delete_delay: Duration::from_secs(30),
        },
        files: Files {
            announcements: Some("/".into()),
            recordings: Some("/".into()),
            format: RecordingFormat::OggOpus,
        },
        opus: Default::default(),
    }
}

#[derive(Default)]
struct Dataplane {
    sessions: HashSet<SessionId>,
    made: u64,
}

impl Dataplane {
    /// Does what the relay asks for; how many replies it wrote.
    fn serve(&mut self, now: Instant, relay: &mut Relay) -> usize {
        let mut replies = 0;
        while let Some(output) = relay.poll_output() {
            match output {
                Output::Reply { .. } => replies += 1,
                Output::Warn(_) => {}
                Output::Dataplane(RequestFrame { id, request }) => {
                    let result = self.answer(&request);
                    relay.handle(now, Input::Dataplane(Message::Reply { id, result }));
                }
            }
        }
        replies
    }

    fn answer(&mut self, request: &Request) -> Result<Reply, Refusal> {
        match request {
            Request::Create { ports, .. } => {
                self.made += 1;
                let session = SessionId(self.made);
                self.sessions.insert(session);
                let local = ports.map(|port| LocalPorts {
                    rtp: SocketAddr::new(port.address, 30_000),
                    rtcp: SocketAddr::new(port.address, 30_001),
                    video: None,
                });
                Ok(Reply::Created { session, local })
            }
            Request::Configure { session, .. } if self.sessions.contains(session) => Ok(Reply::Done),
            Request::Query { session } if self.sessions.contains(session) => {
                Ok(Reply::Stats(Box::new(SessionStats::default())))
            }
            Request::Delete { session } if self.sessions.remove(session) => {
                Ok(Reply::Stats(Box::new(SessionStats::default())))
            }
            // The reply to one that is played waits for what this dataplane never tells.
            Request::Play { .. } => Err(Refusal::Busy),
            Request::StopPlay { session, .. }
            | Request::PlayDigit { session, .. }
            | Request::Record { session, .. }
            | Request::PauseRecording { session }
            | Request::ResumeRecording { session }
            | Request::StopRecording { session }
                if self.sessions.contains(session) =>
            {
                Ok(Reply::Done)
            }
            Request::List { .. } => Ok(Reply::Sessions { sessions: Vec::new(), more: false }),
            other => panic!("{other:?}"),
        }
    }
}
