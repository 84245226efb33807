//! The language between a party (a SIP dialog, a browser on the WCS protocol) and the call.
//!
//! It is the same in both directions: what one party signals, the call may pass on to the other. A party hides its
//! own protocol: retransmissions, PRACK, ACK, glare, session timers and challenges never reach the call.

/// What a party tells the call, or the call a party.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// The callee is being alerted or heard: a provisional response above 100.
    Progress {
        /// 180, 181, 182, 183 ...
        status: u16,
        /// An answer (or, to an INVITE without one, an offer): early media.
        sdp: Option<Vec<u8>>,
    },
    /// The call was answered. Without SDP when the answer went with a reliable provisional response before.
    Answer {
        /// The answer, or the offer if the INVITE had none.
        sdp: Option<Vec<u8>>,
    },
    /// The answer to an offer that came with [`Signal::Answer`] or an empty [`Signal::Offer`]'s reply (in an ACK).
    LateAnswer {
        /// The answer.
        sdp: Vec<u8>,
    },
    /// The call was not answered, and will not be.
    Reject(Cause),
    /// A new offer inside the call (re-INVITE or UPDATE).
    Offer {
        /// The offer; `None` asks the other side to make one.
        sdp: Option<Vec<u8>>,
        /// Came or goes by UPDATE (RFC 3311), which may be used before the call is answered.
        update: bool,
    },
    /// The reply to [`Signal::Offer`]: the answer, or the offer where it had none.
    OfferAnswer {
        /// The description.
        sdp: Vec<u8>,
    },
    /// The reply to [`Signal::Offer`]: refused; the session goes on as it was (RFC 3261 section 14.1).
    OfferReject(Cause),
    /// The caller gave up before the answer, or either side hung up after it.
    Hangup(Cause),
    /// From a party: it puts the other one on hold, or takes it back, without a description of its own (a browser's
    /// message); the call offers the other side what that means. To a party: the other one did so, in whatever way. A
    /// SIP party learns it by the offer that goes with it.
    Hold {
        /// On hold from now on.
        on: bool,
    },
    /// A digit by SIP INFO or by a browser's message.
    Digit {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// Milliseconds.
        duration_ms: u16,
        /// How its message was written, or shall be.
        format: DigitFormat,
    },
    /// A SIP INFO request with anything else than a digit (RFC 6086 section 6), or a browser's message to the same end.
    /// It is passed on as it is, and answered by [`Signal::InfoDone`].
    Info {
        /// As in Content-Type, with its parameters.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// The answer to the oldest [`Signal::Info`] that has none: 2xx if it was taken.
    InfoDone(Cause),
    /// To the party that asked for a transfer: how it goes.
    Transfer(TransferProgress),
}

/// How a transfer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferProgress {
    /// It is carried out.
    Trying,
    /// The target is alerted.
    Ringing,
    /// The other party talks to the target. The one that asked is hung up next.
    Done,
    /// It was refused, or the target does not answer: the call goes on as it was.
    Failed(Cause),
}

/// How a digit is written in a SIP INFO request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigitFormat {
    /// `application/dtmf-relay`: with its length.
    #[default]
    Relay,
    /// `application/dtmf`: the digit alone.
    Plain,
}

/// Why a call ended or was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// A SIP status (RFC 3261 section 21); 200 for a normal end.
    pub status: u16,
    /// Words for a person or a log; the reason phrase where the far end sent one.
    pub text: String,
    /// What there was too little of here, if it was that.
    pub shortage: Option<Shortage>,
}

/// What a server can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Calls, or registrations at providers, that its limits allow.
    Calls,
    /// Ports for media.
    MediaPorts,
    /// Ports for the signalling of single accounts.
    SipPorts,
}

impl Cause {
    /// A cause.
    pub fn new(status: u16, text: impl Into<String>) -> Cause {
        Cause { status, text: text.into(), shortage: None }
    }

    /// The server has too little of something.
    pub fn short_of(shortage: Shortage, status: u16, text: impl Into<String>) -> Cause {
        Cause { shortage: Some(shortage), ..Cause::new(status, text) }
    }

    /// An ordinary hang-up.
    pub fn normal() -> Cause {
        Cause::new(200, "Normal call clearing")
    }
}
