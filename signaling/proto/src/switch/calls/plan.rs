//! What a call is to be: who calls whom, and how each is reached.

use crate::call::{PartyMedia, Who};
use crate::sip::auth::Credentials;
use crate::sip::user_agent::CallHandle;
use crate::sip::{HeaderName, NameAddr, Uri};
use crate::switch::browsers::BrowserId;
use crate::switch::lines::Identity;
use crate::transport::Flow;

/// Names a call. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::switch) struct CallId(pub(in crate::switch) u64);

/// How a party is signaled to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::switch) enum Endpoint {
    Sip(CallHandle),
    Browser(BrowserId, String),
    /// Nobody yet: whoever is transferred from this call comes here.
    Awaited(CallId),
    /// Nobody any more.
    Nobody,
}

impl Endpoint {
    pub(in crate::switch) fn is_somebody(&self) -> bool {
        matches!(self, Endpoint::Sip(_) | Endpoint::Browser(..))
    }
}

/// Whom a branch rings.
#[derive(Clone, Debug)]
pub(in crate::switch) enum Target {
    /// A registered contact, along its flow.
    Contact { uri: Uri, flow: Flow },
    /// A browser on the WCS protocol.
    Browser(BrowserId),
    /// Whoever the provider finds, with the user's credentials, from the account's own UDP port where it has one.
    /// Of a local user's account with its identity.
    Provider {
        uri: Uri,
        route: Option<Uri>,
        port: Option<u16>,
        credentials: Box<Credentials>,
        identity: Option<Box<Identity>>,
    },
    /// Nobody: whoever is transferred from this call comes here.
    Awaited(CallId),
}

/// One callee of a plan.
#[derive(Clone, Debug)]
pub(in crate::switch) struct Callee {
    pub(in crate::switch) target: Target,
    pub(in crate::switch) media: PartyMedia,
}

/// A call that is allowed.
#[derive(Debug)]
pub(in crate::switch) struct Plan {
    pub(in crate::switch) caller_media: PartyMedia,
    pub(in crate::switch) offer: Option<Vec<u8>>,
    pub(in crate::switch) callees: Vec<Callee>,
    /// The caller as the callee is told, and the user part of our Contact toward the callee.
    pub(in crate::switch) from: NameAddr,
    pub(in crate::switch) contact_user: String,
    /// Whether the caller, and whether the callee, wants to be told to trusted sides only (RFC 3325 section 7).
    pub(in crate::switch) is_private: [bool; 2],
    pub(in crate::switch) to: NameAddr,
    pub(in crate::switch) max_forwards: u8,
    /// Whose calls are counted against the limit: the caller and the callee, where they are ours.
    pub(in crate::switch) users: [Option<String>; 2],
    /// Those on whose accounts it is made, and who are in it no more: they are counted too.
    pub(in crate::switch) payers: Vec<String>,
    /// More header fields of the INVITEs.
    pub(in crate::switch) headers: Vec<(HeaderName, String)>,
}

impl Plan {
    /// A call to whom a party of another one is transferred. Whose offer, wishes and header fields it carries is that call's
    /// to say.
    pub(in crate::switch) fn of_transfer(
        caller_media: PartyMedia,
        callees: Vec<Callee>,
        from: NameAddr,
        to: NameAddr,
        users: [Option<String>; 2],
    ) -> Plan {
        Plan {
            caller_media,
            offer: None,
            callees,
            from,
            contact_user: String::new(),
            is_private: [false; 2],
            to,
            max_forwards: 0,
            users,
            payers: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// A party's address, and its user where it is one of ours.
    pub(in crate::switch) fn party(&self, who: Who) -> (NameAddr, Option<String>) {
        let [caller, callee] = &self.users;
        match who {
            Who::Caller => (self.from.clone(), caller.clone()),
            Who::Callee(_) => (self.to.clone(), callee.clone()),
        }
    }

    /// Whether a party wants privacy.
    pub(in crate::switch) fn is_private(&self, who: Who) -> bool {
        let [caller, callee] = self.is_private;
        match who {
            Who::Caller => caller,
            Who::Callee(_) => callee,
        }
    }

    /// Puts another party there, with its wish for privacy; who it was before.
    pub(in crate::switch) fn set_party(
        &mut self,
        who: Who,
        (address, user): (NameAddr, Option<String>),
        wants_privacy: bool,
    ) -> (NameAddr, Option<String>) {
        let ([caller, callee], [caller_is_private, callee_is_private]) =
            (&mut self.users, &mut self.is_private);
        let (its_address, its_user, its_privacy) = match who {
            Who::Caller => (&mut self.from, caller, caller_is_private),
            Who::Callee(_) => (&mut self.to, callee, callee_is_private),
        };
        *its_privacy = wants_privacy;
        (std::mem::replace(its_address, address), std::mem::replace(its_user, user))
    }
}
