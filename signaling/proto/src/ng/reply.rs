//! What a controller is answered.

mod call;
mod statistics;

pub use call::{CallReport, MediaReport, SsrcQuality, SsrcReport, StreamReport, TagReport};
pub use statistics::{CommandCounts, Statistics};

use super::{Dictionary, Encoding, Value};

/// A reply, to be written in the encoding of its request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To `ping`.
    Pong,
    /// Done; there is nothing to say but perhaps a warning.
    Done {
        /// What was not as it should be, though it is no error: an unknown call that is deleted.
        warning: Option<String>,
    },
    /// To `offer` and `answer`.
    Sdp {
        /// The rewritten description.
        sdp: Vec<u8>,
        /// What was not carried out of the request.
        warning: Option<String>,
        /// The files that the call is recorded into.
        recordings: Vec<String>,
    },
    /// To `play media`.
    Playing {
        /// How long the file lasts, where that is known.
        duration_ms: Option<u64>,
    },
    /// To `start recording` and its like.
    Recording {
        /// The files that the call is recorded into.
        recordings: Vec<String>,
    },
    /// To `query` and `delete`.
    Call(Box<CallReport>),
    /// To `list`: call-ids.
    Calls(Vec<String>),
    /// To `statistics`.
    Statistics(Box<Statistics>),
    /// The request is not carried out; the reason. Kamailio sends an offer to the next engine on exactly
    /// [`Reply::SESSION_LIMIT`] and [`Reply::NO_PORTS`].
    Error(String),
    /// As an error, for controllers that know it ([`super::request::Options::supports_load_limit`]): they send the offer
    /// to another engine.
    LoadLimit(String),
}

impl Reply {
    /// The reason of an error when there are as many calls as may be.
    pub const SESSION_LIMIT: &str = "Parallel session limit reached";
    /// The reason of an error when all ports are taken.
    pub const NO_PORTS: &str = "Ran out of ports";

    /// Writes the body, behind what is in `out`.
    pub fn write(&self, encoding: Encoding, out: &mut Vec<u8>) {
        let mut reply = Dictionary::new();
        match self {
            Reply::Pong => reply.set("result", Value::text("pong")),
            Reply::Done { warning } => ok(&mut reply, warning.as_deref()),
            Reply::Sdp { sdp, warning, recordings } => {
                ok(&mut reply, warning.as_deref());
                reply.set("sdp", Value::Bytes(sdp.into()));
                set_recordings(&mut reply, recordings);
            }
            Reply::Playing { duration_ms } => {
                ok(&mut reply, None);
                if let Some(duration) = duration_ms {
                    reply.set("duration", integer(*duration));
                }
            }
            Reply::Recording { recordings } => {
                ok(&mut reply, None);
                set_recordings(&mut reply, recordings);
            }
            Reply::Call(report) => {
                ok(&mut reply, None);
                report.write(&mut reply);
            }
            Reply::Calls(calls) => {
                ok(&mut reply, None);
                reply.set("calls", Value::List(calls.iter().map(|call| Value::text(call)).collect()));
            }
            Reply::Statistics(statistics) => {
                ok(&mut reply, None);
                reply.set("statistics", Value::Dictionary(statistics.dictionary()));
            }
            Reply::Error(reason) => {
                reply.set("result", Value::text("error"));
                reply.set("error-reason", Value::text(reason));
            }
            Reply::LoadLimit(reason) => {
                reply.set("result", Value::text("load limit"));
                reply.set("message", Value::text(reason));
            }
        }
        reply.write(encoding, out);
    }
}

fn ok<'a>(reply: &mut Dictionary<'a>, warning: Option<&'a str>) {
    reply.set("result", Value::text("ok"));
    if let Some(warning) = warning {
        reply.set("warning", Value::text(warning));
    }
}

fn set_recordings<'a>(reply: &mut Dictionary<'a>, recordings: &'a [String]) {
    if !recordings.is_empty() {
        reply.set("recordings", Value::List(recordings.iter().map(|file| Value::text(file)).collect()));
    }
}

/// Packets, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many.
    pub packets: u64,
    /// The bytes of their UDP payloads.
    pub bytes: u64,
    /// Packets that were dropped as faulty.
    pub errors: u64,
}

impl Traffic {
    fn value(&self) -> Value<'static> {
        let mut traffic = Dictionary::new();
        traffic.set("packets", integer(self.packets));
        traffic.set("bytes", integer(self.bytes));
        traffic.set("errors", integer(self.errors));
        Value::Dictionary(traffic)
    }
}

fn integer(number: u64) -> Value<'static> {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
