//! What a call is to be: who calls whom, and how each is reached.

use crate::call::{PartyMedia, Who};
use crate::registrar::AddressOfRecord;
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
    /// Who of a provider's users the caller, and the callee, is: see [`Switch::remote`](super::Switch::remote).
    pub(in crate::switch) remotes: [Option<AddressOfRecord>; 2],
    /// Those on whose accounts it is made, and who are in it no more: they are counted too.
    pub(in crate::switch) payers: Vec<String>,
    /// More header fields of the INVITEs.
    pub(in crate::switch) headers: Vec<(HeaderName, String)>,
}

/// A party as its call's plan has it.
#[derive(Clone, Debug)]
pub(in crate::switch) struct Party {
    pub(in crate::switch) address: NameAddr,
    /// Its user, where it is one of ours.
    pub(in crate::switch) user: Option<String>,
    /// Who of a provider's users it is.
    pub(in crate::switch) remote: Option<AddressOfRecord>,
    /// Whether it wants privacy.
    pub(in crate::switch) is_private: bool,
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
            remotes: [None, None],
            payers: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// A party.
    pub(in crate::switch) fn party(&self, who: Who) -> Party {
        let ([caller, callee], [caller_remote, callee_remote]) = (&self.users, &self.remotes);
        let (address, user, remote) = match who {
            Who::Caller => (&self.from, caller, caller_remote),
            Who::Callee(_) => (&self.to, callee, callee_remote),
        };
        let is_private = self.is_private(who);
        Party { address: address.clone(), user: user.clone(), remote: remote.clone(), is_private }
    }

    /// Whether a party wants privacy.
    pub(in crate::switch) fn is_private(&self, who: Who) -> bool {
        let [caller, callee] = self.is_private;
        match who {
            Who::Caller => caller,
            Who::Callee(_) => callee,
        }
    }

    /// Puts another party there; who it was before.
    pub(in crate::switch) fn set_party(&mut self, who: Who, party: Party) -> Party {
        let before = self.party(who);
        let ([caller, callee], [caller_remote, callee_remote], [caller_is_private, callee_is_private]) =
            (&mut self.users, &mut self.remotes, &mut self.is_private);
        let (address, user, remote, is_private) = match who {
            Who::Caller => (&mut self.from, caller, caller_remote, caller_is_private),
            Who::Callee(_) => (&mut self.to, callee, callee_remote, callee_is_private),
        };
        (*address, *user, *remote, *is_private) = (party.address, party.user, party.remote, party.is_private);
        before
    }
}
