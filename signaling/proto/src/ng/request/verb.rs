//! The commands.

use super::tokens::{same, shortened};
use crate::ng::Fault;

/// The commands that are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `ping`
    Ping,
    /// `offer`
    Offer,
    /// `answer`
    Answer,
    /// `delete`
    Delete,
    /// `query`
    Query,
    /// `list`
    List,
    /// `statistics`
    Statistics,
    /// `block media`
    BlockMedia,
    /// `unblock media`
    UnblockMedia,
    /// `silence media`
    SilenceMedia,
    /// `unsilence media`
    UnsilenceMedia,
    /// `block DTMF`
    BlockDtmf,
    /// `unblock DTMF`
    UnblockDtmf,
    /// `start recording`
    StartRecording,
    /// `pause recording`
    PauseRecording,
    /// `stop recording`
    StopRecording,
    /// `play media`
    PlayMedia,
    /// `stop media`
    StopMedia,
    /// `play DTMF`
    PlayDtmf,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 19] = [
        Verb::Ping,
        Verb::Offer,
        Verb::Answer,
        Verb::Delete,
        Verb::Query,
        Verb::List,
        Verb::Statistics,
        Verb::BlockMedia,
        Verb::UnblockMedia,
        Verb::SilenceMedia,
        Verb::UnsilenceMedia,
        Verb::BlockDtmf,
        Verb::UnblockDtmf,
        Verb::StartRecording,
        Verb::PauseRecording,
        Verb::StopRecording,
        Verb::PlayMedia,
        Verb::StopMedia,
        Verb::PlayDtmf,
    ];

    /// As it stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Ping => "ping",
            Verb::Offer => "offer",
            Verb::Answer => "answer",
            Verb::Delete => "delete",
            Verb::Query => "query",
            Verb::List => "list",
            Verb::Statistics => "statistics",
            Verb::BlockMedia => "block media",
            Verb::UnblockMedia => "unblock media",
            Verb::SilenceMedia => "silence media",
            Verb::UnsilenceMedia => "unsilence media",
            Verb::BlockDtmf => "block DTMF",
            Verb::UnblockDtmf => "unblock DTMF",
            Verb::StartRecording => "start recording",
            Verb::PauseRecording => "pause recording",
            Verb::StopRecording => "stop recording",
            Verb::PlayMedia => "play media",
            Verb::StopMedia => "stop media",
            Verb::PlayDtmf => "play DTMF",
        }
    }
}

/// Commands of the protocol that are not carried out: their reply says so.
pub(super) const UNSUPPORTED: [&str; 12] = [
    "start forwarding",
    "stop forwarding",
    "publish",
    "subscribe request",
    "subscribe answer",
    "unsubscribe",
    "inject start",
    "inject stop",
    "connect",
    "create",
    "create answer",
    "mesh",
];

/// The command with this name.
pub(super) fn find(name: &str) -> Result<Verb, Fault> {
    if let Some(verb) = Verb::ALL.into_iter().find(|verb| same(verb.name(), name)) {
        return Ok(verb);
    }
    match UNSUPPORTED.into_iter().find(|known| same(known, name)) {
        Some(known) => Err(Fault::Unsupported(known)),
        None => Err(Fault::UnknownCommand(shortened(name))),
    }
}
