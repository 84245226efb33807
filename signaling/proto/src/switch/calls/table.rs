//! The calls that there are, and how each is found.

use super::{CallId, Endpoint, Plan};
use crate::call::{Call, Who};
use crate::presence::{Dialog, DialogId, Stage};
use crate::registrar::AddressOfRecord;
use crate::sip::user_agent::CallHandle;
use crate::table::shrink;
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::Instant;
use tandem_control::{Near, SessionId};

#[derive(Debug)]
pub(in crate::switch) struct Entry {
    pub(in crate::switch) call: Call,
    pub(in crate::switch) caller: Endpoint,
    pub(in crate::switch) plan: Plan,
    /// The endpoint of each branch that rings.
    pub(in crate::switch) rung: HashMap<usize, Endpoint>,
    /// The first branch that rings at a page, and the name that the call has for who may answer it instead.
    pub(super) page_dialog: Option<(usize, DialogId)>,
    pub(super) timer: Option<Instant>,
}

/// A user of a provider's who is in more calls than this stands for many telephones. They need not share a worker, which
/// would do the work of all then.
const MAX_CALLS_NEAR: usize = 8;

/// The calls of each party of a kind.
#[derive(Debug)]
pub(in crate::switch) struct CallsOf<K>(HashMap<K, Vec<CallId>>);

impl<K> Default for CallsOf<K> {
    fn default() -> CallsOf<K> {
        CallsOf(HashMap::new())
    }
}

impl<K: Hash + Eq> CallsOf<K> {
    pub(in crate::switch) fn get<Q: Hash + Eq + ?Sized>(&self, party: &Q) -> &[CallId]
    where
        K: Borrow<Q>,
    {
        self.0.get(party).map_or(&[], Vec::as_slice)
    }

    pub(in crate::switch) fn insert<Q: Hash + Eq + ToOwned<Owned = K> + ?Sized>(
        &mut self,
        party: &Q,
        call: CallId,
    ) {
        self.0.entry(party.to_owned()).or_default().push(call);
    }

    pub(in crate::switch) fn remove<Q: Hash + Eq + ?Sized>(&mut self, party: &Q, call: CallId)
    where
        K: Borrow<Q>,
    {
        let Some(calls) = self.0.get_mut(party) else { return };
        if let Some(index) = calls.iter().position(|each| *each == call) {
            calls.swap_remove(index);
        }
        if calls.is_empty() {
            self.0.remove(party);
        }
    }
}

/// The calls, and their indices.
#[derive(Debug, Default)]
pub(in crate::switch) struct Calls {
    pub(in crate::switch) last_id: u64,
    pub(in crate::switch) entries: HashMap<CallId, Entry>,
    pub(in crate::switch) by_endpoint: HashMap<Endpoint, (CallId, Who)>,
    /// By the Call-ID of the name that a call at a page has.
    pub(super) by_page_dialog: HashMap<String, CallId>,
    pub(super) by_session: HashMap<SessionId, CallId>,
    pub(in crate::switch) by_user: CallsOf<String>,
    pub(in crate::switch) by_remote: CallsOf<AddressOfRecord>,
}

impl Calls {
    pub(in crate::switch) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(in crate::switch) fn sessions(&self) -> usize {
        self.by_session.len()
    }

    pub(in crate::switch) fn knows(&self, session: SessionId) -> bool {
        self.by_session.contains_key(&session)
    }

    pub(in crate::switch) fn all_sessions(&self) -> HashSet<SessionId> {
        self.by_session.keys().copied().collect()
    }

    /// Gives back memory that was needed in busier times.
    pub(in crate::switch) fn shrink(&mut self) {
        shrink(&mut self.entries);
        shrink(&mut self.by_endpoint);
        shrink(&mut self.by_session);
        shrink(&mut self.by_page_dialog);
    }

    /// How many calls a user has.
    pub(in crate::switch) fn of_user(&self, user: &str) -> usize {
        self.by_user.get(user).len()
    }

    /// The calls of a user, as those who watch it are told.
    pub(in crate::switch) fn dialogs_of(&self, user: &str) -> Vec<Dialog> {
        let calls = self.by_user.get(user).iter();
        let mut dialogs: Vec<Dialog> = calls.filter_map(|id| self.dialog_of(*id, user)).collect();
        dialogs.sort_unstable_by_key(|dialog| dialog.id);
        dialogs
    }

    fn dialog_of(&self, id: CallId, user: &str) -> Option<Dialog> {
        let entry = self.entries.get(&id)?;
        let stage = match (entry.call.is_answered(), entry.rung.is_empty()) {
            (true, _) => Stage::Confirmed,
            (false, false) => Stage::Early,
            (false, true) => Stage::Trying,
        };
        let is_caller = entry.plan.users.first().and_then(Option::as_deref) == Some(user);
        Some(Dialog { id: id.0, is_caller, stage, early: None })
    }

    /// The dialogs with the telephones that a call rings, in the order of its branches.
    pub(in crate::switch) fn rung_telephones(&self, id: CallId) -> Vec<CallHandle> {
        let entry = self.entries.get(&id).filter(|entry| !entry.call.is_answered());
        let mut rung: Vec<(&usize, &Endpoint)> = entry.into_iter().flat_map(|entry| &entry.rung).collect();
        rung.sort_unstable_by_key(|(branch, _)| **branch);
        let telephone = |(_, endpoint): (&usize, &Endpoint)| match endpoint {
            Endpoint::Sip(handle) => Some(*handle),
            _ => None,
        };
        rung.into_iter().filter_map(telephone).collect()
    }

    /// A session of the call that somebody of this one comes from, or of another call of these users, ours or a provider's.
    /// Calls of one user share a worker where they can: only then can their parties change places (see `Request::Swap`).
    pub(super) fn near(&self, call: CallId) -> Option<Near> {
        let entry = self.entries.get(&call)?;
        let from =
            [&entry.caller].into_iter().chain(entry.rung.values()).filter_map(|endpoint| match endpoint {
                Endpoint::Awaited(from) => Some(from),
                _ => None,
            });
        let plan = &entry.plan;
        let users = plan.users.iter().flatten().chain(&plan.payers);
        let remotes = plan.remotes.iter().flatten().map(|remote| self.by_remote.get(remote));
        let others = users
            .map(|user| self.by_user.get(user))
            .chain(remotes.filter(|calls| calls.len() <= MAX_CALLS_NEAR))
            .flatten()
            .filter(|other| **other != call);
        let session =
            from.chain(others).filter_map(|other| self.entries.get(other)?.call.session()).next()?;
        Some(Near::Session(session))
    }

    /// Whether nothing is kept of any call.
    #[cfg(test)]
    pub(in crate::switch) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.by_endpoint.is_empty()
            && self.by_session.is_empty()
            && self.by_page_dialog.is_empty()
            && self.by_user.0.is_empty()
            && self.by_remote.0.is_empty()
    }
}
