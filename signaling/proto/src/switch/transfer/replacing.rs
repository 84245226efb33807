//! Calls that take the place of another one (RFC 3891): a user goes on at another telephone, or somebody to whom it handed
//! the call over does; or somebody picks up a call that rings elsewhere.

use super::pickup::Pickup;
use super::{Stage, Transfer, no_call};
use crate::call::{Moved, Who};
use crate::party::{Cause, Signal};
use crate::registrar::AddressOfRecord;
use crate::sip::user_agent::{Named, Replaces, RequestHandle};
use crate::sip::{HeaderName, Request};
use crate::switch::Switch;
use crate::switch::calls::{CallId, Callee, Endpoint, Plan, Target};
use std::time::Instant;

/// Whose place is taken.
struct Replaced {
    call: CallId,
    who: Who,
    /// It rings there.
    is_early: bool,
}

impl Switch {
    /// An INVITE with Replaces: of a user that has proved who it is (the plan's caller), or of somebody at a provider who
    /// called one of its accounts here (the plan's callee).
    pub(in crate::switch) fn invite_replaces(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        request: &Request,
        plan: Plan,
        replaces: &Replaces,
    ) {
        let replaced = match self.replaced(request, &plan.users, replaces) {
            Ok(replaced) => replaced,
            Err(cause) => return self.refuse(now, handle, request, cause.status, &cause.text),
        };
        let contact_user = request.uri.as_sip().and_then(|uri| uri.user_name()).unwrap_or_default();
        let Ok(caller) = self.user_agent.accept_invite(now, handle, &contact_user) else { return };
        self.counters.calls_attempted += 1;
        if let Err(cause) = self.take_place(now, Endpoint::Sip(caller), plan, &replaced) {
            *self.counters.calls_failed.entry(cause.status).or_default() += 1;
            // A call that was accepted a moment ago can be rejected.
            let _ = self.user_agent.signal(now, caller, Signal::Reject(cause));
        }
    }

    /// Whose place an INVITE may take. Whoever knows the dialog's tags has them from one of its two sides; beyond that it
    /// must be the same user, or be sent by it (RFC 3891 section 3); or be at a provider and call, by a Contact that only
    /// the provider knows, the account that talks to somebody there.
    fn replaced(
        &self,
        request: &Request,
        [caller, called]: &[Option<String>; 2],
        replaces: &Replaces,
    ) -> Result<Replaced, Cause> {
        let Replaced { call, who, is_early } = self.named(replaces)?;
        let plan = self.calls.plan(call).ok_or_else(no_call)?;
        let owner = plan.party(who).user;
        let is_allowed = match (caller, &owner) {
            (Some(user), Some(owner)) => {
                user == owner || self.is_sent_by(request, owner) || (is_early && self.picks_up(user, owner))
            }
            (None, None) if !is_early => {
                let other = self.calls.call(call).and_then(|call| call.other(who));
                called.is_some() && other.is_some_and(|other| plan.party(other).user == *called)
            }
            _ => false,
        };
        if !is_allowed {
            return Err(Cause::new(403, "The call is not yours"));
        }
        if is_early && *caller != owner {
            self.admit(caller.as_deref(), None)?;
        }
        self.check_untouched(call)?;
        Ok(Replaced { call, who, is_early })
    }

    /// The place that Replaces names.
    fn named(&self, replaces: &Replaces) -> Result<Replaced, Cause> {
        if let Some((call, who)) = self.calls.ringing_at_page(replaces) {
            return Ok(Replaced { call, who, is_early: true });
        }
        let (handle, is_early) = match self.user_agent.named(replaces) {
            Some(Named::Confirmed(_)) if replaces.early_only => return Err(Cause::new(486, "Busy Here")),
            Some(Named::Confirmed(handle)) => (handle, false),
            Some(Named::Calling(handle)) => (handle, true),
            // RFC 3891 section 3: an early dialog can be replaced only where we called.
            Some(Named::Called(_)) | None => return Err(no_call()),
        };
        let (call, who) = self.calls.place_of(&Endpoint::Sip(handle)).ok_or_else(no_call)?;
        Ok(Replaced { call, who, is_early })
    }

    /// Whether a request says that a user of ours sent its sender (RFC 3892).
    fn is_sent_by(&self, request: &Request, user: &str) -> bool {
        let referred_by = request.headers.address(HeaderName::ReferredBy).ok().flatten();
        let referrer = referred_by.and_then(|address| self.local_user(&address.uri));
        referrer.is_some_and(|referrer| referrer.to_string() == user)
    }

    fn picks_up(&self, user: &str, owner: &str) -> bool {
        match (AddressOfRecord::of_name(user), AddressOfRecord::of_name(owner)) {
            (Some(user), Some(owner)) => self.may_pick_up(&user, &owner),
            _ => false,
        }
    }

    /// The party that comes into the new call, and its place in the old one.
    fn coming(&self, replaced: &Replaced) -> Result<(Who, Moved), Cause> {
        let call = self.calls.call(replaced.call).ok_or_else(no_call)?;
        if replaced.is_early {
            return Ok((Who::Caller, call.ringing_caller()?));
        }
        let other = call.other(replaced.who).ok_or_else(no_call)?;
        Ok((other, call.moved(other).ok_or_else(no_call)?))
    }

    /// Makes a call whose callee comes from another one.
    fn take_place(
        &mut self,
        now: Instant,
        caller: Endpoint,
        plan: Plan,
        replaced: &Replaced,
    ) -> Result<(), Cause> {
        let Replaced { call, who, is_early } = *replaced;
        self.admit_more()?;
        let (other, moved) = self.coming(replaced)?;
        let to = self.calls.plan(call).ok_or_else(no_call)?.party(other).address;
        let callee = Callee { target: Target::Awaited(call), media: moved.media() };
        let [caller_user, _] = plan.users;
        let plan = Plan { callees: vec![callee], to, users: [caller_user, None], ..plan };
        let target = self.calls.next_id();
        let place = Who::Callee(0);
        let pickup = is_early.then(Pickup::default);
        let transfer =
            Transfer { is_asked: false, pickup, ..Transfer::new(who, other, target, place, Stage::Ringing) };
        self.transfers.insert(call, transfer);
        let placed = self.place_call(now, caller, plan, Some((place, moved)));
        if placed.is_err() {
            self.transfers.remove(&call);
        }
        placed
    }
}
