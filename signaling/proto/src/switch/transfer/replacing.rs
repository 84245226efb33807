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
    /// An INVITE with Replaces, of a user that has proved who it is.
    pub(in crate::switch) fn invite_replaces(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        request: &Request,
        user: &AddressOfRecord,
        mut plan: Plan,
        replaces: &Replaces,
    ) {
        let replaced = match self.replaced(request, user, replaces) {
            Ok(replaced) => replaced,
            Err(cause) => return self.refuse(now, handle, request, cause.status, &cause.text),
        };
        let contact_user = request.uri.as_sip().and_then(|uri| uri.user_name()).unwrap_or_default();
        let Ok(caller) = self.user_agent.accept_invite(now, handle, &contact_user) else { return };
        plan.users = [Some(user.to_string()), None];
        self.counters.calls_attempted += 1;
        if let Err(cause) = self.take_place(now, Endpoint::Sip(caller), plan, &replaced) {
            *self.counters.calls_failed.entry(cause.status).or_default() += 1;
            // A call that was accepted a moment ago can be rejected.
            let _ = self.user_agent.signal(now, caller, Signal::Reject(cause));
        }
    }

    /// Whose place an INVITE may take. Whoever knows the dialog's tags has them from one of its two sides; beyond that it
    /// must be the same user, or be sent by it (RFC 3891 section 3).
    fn replaced(
        &self,
        request: &Request,
        user: &AddressOfRecord,
        replaces: &Replaces,
    ) -> Result<Replaced, Cause> {
        let (handle, is_early) = match self.user_agent.named(replaces) {
            Some(Named::Confirmed(_)) if replaces.early_only => return Err(Cause::new(486, "Busy Here")),
            Some(Named::Confirmed(handle)) => (handle, false),
            Some(Named::Calling(handle)) => (handle, true),
            // Section 3: an early dialog can be replaced only where we called.
            Some(Named::Called(_)) | None => return Err(no_call()),
        };
        let (call, who) = self.calls.place_of(&Endpoint::Sip(handle)).ok_or_else(no_call)?;
        let (_, owner) = self.calls.plan(call).ok_or_else(no_call)?.party(who);
        let owner = owner.as_deref().and_then(AddressOfRecord::of_name);
        let owner = owner.ok_or_else(|| Cause::new(403, "The call is not yours"))?;
        let referred_by = request.headers.address(HeaderName::ReferredBy).ok().flatten();
        let is_sent = referred_by.and_then(|address| self.local_user(&address.uri)).as_ref() == Some(&owner);
        if *user != owner && !is_sent && !(is_early && self.may_pick_up(user, &owner)) {
            return Err(Cause::new(403, "The call is not yours"));
        }
        if is_early && *user != owner {
            self.admit(Some(&user.to_string()), None)?;
        }
        self.check_untouched(call)?;
        Ok(Replaced { call, who, is_early })
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
        let (address, _) = self.calls.plan(call).ok_or_else(no_call)?.party(other);
        let callee = Callee { target: Target::Awaited(call), media: moved.media() };
        let plan = Plan { callees: vec![callee], to: address, ..plan };
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
