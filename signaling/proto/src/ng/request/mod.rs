//! What a controller asks for, typed.

mod codecs;
mod fields;
mod flags;
mod media;
mod options;
mod raw_flags;
mod read;
#[cfg(test)]
mod tests;
mod tokens;
mod verb;
mod words;

pub use codecs::{CodecOptions, CodecSpec};
pub use flags::{Flag, Flags};
pub use media::{Play, PlayDigit, PlaySource, RecordingControl, RecordingNames, RecordingStep, StopPlay};
pub use options::{
    AddressFamily, Dtls, DtmfSecurity, IceMode, Options, Osrtp, Replace, RtcpMux, SdesOptions, SdesParameter,
    SipMessageType, TransportProtocol,
};
pub use verb::Verb;

use super::{Dictionary, Fault};
use fields::Fields;
use std::net::IpAddr;
use std::time::Duration;

/// Calls that `list` names where the request does not say.
const DEFAULT_LIST: usize = 32;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// Keys, flags and values that mean nothing here, shortened; they are ignored, and logged once each
    /// ([`super::Reported`]).
    pub unknown: Vec<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `ping`.
    Ping,
    /// `offer`: the SDP of whoever is named by the from-tag, to be rewritten for the other side.
    Offer(Box<Exchange>),
    /// `answer`: the SDP of whoever is named by the to-tag.
    Answer(Box<Exchange>),
    /// `delete`.
    Delete(Delete),
    /// `query`.
    Query(Names),
    /// `list`: the call-ids of at most so many calls.
    List(usize),
    /// `statistics`.
    Statistics,
    /// `block media` and its like.
    Control(Box<Control>),
    /// `play media`.
    Play(Box<Play>),
    /// `stop media`.
    StopPlay(StopPlay),
    /// `play DTMF`.
    PlayDigit(PlayDigit),
    /// `start recording` and its like.
    Recording(Box<RecordingControl>),
}

impl Command {
    /// Its name.
    pub fn verb(&self) -> Verb {
        match self {
            Command::Ping => Verb::Ping,
            Command::Offer(_) => Verb::Offer,
            Command::Answer(_) => Verb::Answer,
            Command::Delete(_) => Verb::Delete,
            Command::Query(_) => Verb::Query,
            Command::List(_) => Verb::List,
            Command::Statistics => Verb::Statistics,
            Command::Control(control) => control.action.verb(),
            Command::Play(_) => Verb::PlayMedia,
            Command::StopPlay(_) => Verb::StopMedia,
            Command::PlayDigit(_) => Verb::PlayDtmf,
            Command::Recording(recording) => match recording.step {
                RecordingStep::Start => Verb::StartRecording,
                RecordingStep::Pause => Verb::PauseRecording,
                RecordingStep::Stop => Verb::StopRecording,
            },
        }
    }
}

/// Which call, and which of its parties. No name is longer than [`super::MAX_NAME`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Names {
    /// The SIP Call-ID.
    pub call_id: String,
    /// The tag of whoever sent the SIP request; empty where the command does not need one and the request has none.
    pub from_tag: String,
    /// The other tag, where it is known.
    pub to_tag: Option<String>,
    /// The branch of the topmost Via, where the controller tells branches of a call apart by it.
    pub via_branch: Option<String>,
}

/// An offer or an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The call and the parties; an answer always has a to-tag.
    pub names: Names,
    /// The session description, as it came.
    pub sdp: Vec<u8>,
    /// How it is to be rewritten and its media relayed.
    pub options: Options,
}

/// The end of a call or of one of its branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// The call; the branch, where one is named.
    pub names: Names,
    /// How long the call is kept, so that a late retransmission still finds it; `None`: as configured.
    pub delay: Option<Duration>,
    /// Whether an unknown call is an error and not a warning (`fatal`).
    pub is_fatal: bool,
    /// Whether the figures are left out of the reply (`fast`).
    pub is_fast: bool,
    /// Whether the to-tag narrows what is deleted (`to-tag`); else it is ignored.
    pub honours_to_tag: bool,
}

/// What a [`Control`] does to the media of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Packets are not forwarded.
    BlockMedia,
    /// They are again.
    UnblockMedia,
    /// Packets are forwarded with silence in them.
    SilenceMedia,
    /// They are forwarded as they are again.
    UnsilenceMedia,
    /// Telephone events are kept back.
    BlockDtmf(DtmfSecurity),
    /// They are not any more.
    UnblockDtmf,
}

impl Action {
    fn verb(self) -> Verb {
        match self {
            Action::BlockMedia => Verb::BlockMedia,
            Action::UnblockMedia => Verb::UnblockMedia,
            Action::SilenceMedia => Verb::SilenceMedia,
            Action::UnsilenceMedia => Verb::UnsilenceMedia,
            Action::BlockDtmf(_) => Verb::BlockDtmf,
            Action::UnblockDtmf => Verb::UnblockDtmf,
        }
    }
}

/// A change to what is forwarded of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// What.
    pub action: Action,
    /// The call. Its tags do not select a party by themselves: see [`Control::party`].
    pub names: Names,
    /// Whose packets.
    pub party: Party,
    /// Whether undoing for the whole call also undoes what was done to single parties (`all`).
    pub for_all: bool,
}

/// Whose packets a [`Control`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// Everybody's.
    All,
    /// Those of the party with this tag (the from-tag, with the flag `directional`).
    Tag(String),
    /// Those of the party whose SDP named this address.
    Address(IpAddr),
    /// Those of the party that an offer or answer gave this label.
    Label(String),
}

/// Reads the body of a message.
pub fn parse(body: &[u8]) -> Result<Request, Fault> {
    if body.len() > super::MAX_MESSAGE {
        return Err(Fault::TooLong);
    }
    let dictionary = Dictionary::parse(body)?;
    let name = dictionary.get("command").ok_or(Fault::Missing("command"))?;
    let name = name.as_str().ok_or(Fault::WrongType { key: "command", wanted: "a string" })?;
    let verb = verb::find(name)?;
    let mut fields = Fields::read(&dictionary)?;
    let unknown = std::mem::take(&mut fields.unknown);
    Ok(Request { command: command(verb, fields)?, unknown })
}

fn command(verb: Verb, fields: Fields) -> Result<Command, Fault> {
    let action = match verb {
        Verb::Ping => return Ok(Command::Ping),
        Verb::Statistics => return Ok(Command::Statistics),
        Verb::List => return Ok(Command::List(fields.limit.unwrap_or(DEFAULT_LIST))),
        Verb::Query => return Ok(Command::Query(fields.into_names()?)),
        Verb::Offer => return Ok(Command::Offer(Box::new(fields.into_exchange()?))),
        Verb::Answer => {
            let exchange = fields.into_exchange()?;
            if exchange.names.to_tag.is_none() {
                return Err(Fault::Missing("to-tag"));
            }
            return Ok(Command::Answer(Box::new(exchange)));
        }
        Verb::Delete => return Ok(Command::Delete(fields.into_delete()?)),
        Verb::PlayMedia => return Ok(Command::Play(Box::new(fields.into_play()?))),
        Verb::StopMedia => return Ok(Command::StopPlay(fields.into_stop()?)),
        Verb::PlayDtmf => return Ok(Command::PlayDigit(fields.into_digit()?)),
        Verb::StartRecording => return Ok(recording(fields.into_recording(RecordingStep::Start)?)),
        Verb::PauseRecording => return Ok(recording(fields.into_recording(RecordingStep::Pause)?)),
        Verb::StopRecording => {
            let step = if fields.pauses() { RecordingStep::Pause } else { RecordingStep::Stop };
            return Ok(recording(fields.into_recording(step)?));
        }
        Verb::BlockMedia => Action::BlockMedia,
        Verb::UnblockMedia => Action::UnblockMedia,
        Verb::SilenceMedia => Action::SilenceMedia,
        Verb::UnsilenceMedia => Action::UnsilenceMedia,
        Verb::BlockDtmf => Action::BlockDtmf(fields.dtmf_security().unwrap_or_default()),
        Verb::UnblockDtmf => Action::UnblockDtmf,
    };
    Ok(Command::Control(Box::new(fields.into_control(action)?)))
}

fn recording(control: RecordingControl) -> Command {
    Command::Recording(Box::new(control))
}
