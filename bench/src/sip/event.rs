//! What an agent tells its owner.

/// Why a call, a registration or a message came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cause {
    /// We hung up.
    LocalBye,
    /// The peer hung up.
    RemoteBye,
    /// We cancelled, and the callee was told.
    Cancelled,
    /// The peer refused with this status.
    Status(u16),
    /// Nothing answered within 64*T1.
    Timeout,
    /// We answered, and no ACK came.
    NoAck,
    /// A challenge that could not be answered, or the credentials were refused.
    Credentials,
    /// No room in a table of the generator.
    Full,
    /// The peer's session description cannot be used.
    Description,
    /// The call was there, but no media arrived.
    NoMedia,
    /// ICE or DTLS did not succeed in time.
    Transport,
}

impl Cause {
    /// Whether a run may count the call as well done.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, Cause::LocalBye | Cause::RemoteBye | Cause::Cancelled)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Status(status) => write!(formatter, "{status}"),
            other => write!(formatter, "{other:?}"),
        }
    }
}

/// What happened. Calls are named by the agent's number, users by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Registered {
        user: usize,
    },
    Unregistered {
        user: usize,
    },
    RegistrationFailed {
        user: usize,
        cause: Cause,
    },
    /// Somebody calls.
    Incoming {
        call: u32,
        user: usize,
        sdp: Option<String>,
    },
    /// A provisional response above 100.
    Progress {
        call: u32,
        sdp: Option<String>,
    },
    /// Our call was answered.
    Answered {
        call: u32,
        sdp: Option<String>,
    },
    /// The ACK of a call that we answered.
    Acknowledged {
        call: u32,
    },
    /// A re-INVITE or UPDATE of the peer; it waits for [`super::agent::Agent::answer`].
    Offered {
        call: u32,
        sdp: Option<String>,
    },
    /// Our re-INVITE was answered.
    Reanswered {
        call: u32,
        sdp: Option<String>,
    },
    /// Our re-INVITE or REFER was refused; the call goes on.
    Refused {
        call: u32,
        cause: Cause,
    },
    /// Our REFER was accepted.
    Referred {
        call: u32,
    },
    Delivered {
        user: usize,
    },
    NotDelivered {
        user: usize,
        cause: Cause,
    },
    /// A MESSAGE came.
    Message {
        user: usize,
    },
    Ended {
        call: u32,
        cause: Cause,
    },
}
