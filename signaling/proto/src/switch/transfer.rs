//! Transfers (RFC 5589): one party of a call, the *transferor*, wants the other one, the *transferee*, to be connected to a
//! *target*.
//!
//! We stand in the middle, so nobody else is asked to call anybody. A blind transfer makes a second call, to the target,
//! whose caller's place stays empty; once the target answers, the transferee takes it. An attended transfer has that second
//! call already: the transferee takes the transferor's place in it. Either way the dataplane lets two legs change places, and
//! the first call ends. Until then it goes on: a transfer that fails changes nothing but what the transferor is told.

mod authority;
mod pickup;
mod places;
mod replacing;

use super::Switch;
use super::calls::{CallId, Endpoint};
use super::dataplane::Purpose;
use crate::call::{Call, Who};
use crate::party::{Cause, Signal, TransferProgress};
use crate::sip::Uri;
use crate::sip::user_agent::{CallHandle, Refer, Replaces};
use pickup::Pickup;
use std::time::Instant;
use tandem_control::{Refusal, Request};

/// Whom the other party shall be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransferTarget {
    /// Somebody who is called, as typed: a blind transfer.
    Typed(String),
    /// The same, as a REFER says it; the call there that is to be replaced is none of ours.
    Address(Uri, Option<Replaces>),
    /// The other party of another call of the same user: an attended transfer.
    Call(Endpoint),
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The target has not answered.
    Ringing,
    /// It has; an offer inside one of the calls is still open.
    Answered,
    /// The dataplane lets the legs change places.
    Swapping,
}

/// A transfer out of a call.
#[derive(Debug)]
pub(super) struct Transfer {
    transferor: Who,
    transferee: Who,
    /// The call with the target, and the place in it that the transferee takes.
    target: CallId,
    place: Who,
    stage: Stage,
    /// The transferor asked for it and is told how it goes; otherwise somebody took its place.
    is_asked: bool,
    /// It has hung up, and is told nothing more.
    is_alone: bool,
    /// The transferee hears that the target is alerted.
    rings_back: bool,
    /// Nobody has answered the transferee yet: somebody picks its call up.
    pickup: Option<Pickup>,
}

impl Switch {
    /// An endpoint wants its other party to be connected to somebody else. How that goes is told to the endpoint by
    /// [`Signal::Transfer`], a refusal too.
    pub(super) fn endpoint_transfer(&mut self, now: Instant, endpoint: &Endpoint, target: TransferTarget) {
        self.counters.transfers_attempted += 1;
        if let Err(cause) = self.begin_transfer(now, endpoint, target) {
            self.counters.transfers_failed += 1;
            self.tell_endpoint(now, endpoint, Signal::Transfer(TransferProgress::Failed(cause)));
        }
    }

    /// The far end of a SIP call sent a REFER.
    pub(super) fn sip_refer(&mut self, now: Instant, call: CallHandle, refer: Refer) {
        let named = refer.replaces.as_ref().and_then(|replaces| self.user_agent.named(replaces));
        let target = match named {
            Some(named) => TransferTarget::Call(Endpoint::Sip(named.handle())),
            None => TransferTarget::Address(refer.target, refer.replaces),
        };
        self.endpoint_transfer(now, &Endpoint::Sip(call), target);
    }

    fn begin_transfer(
        &mut self,
        now: Instant,
        endpoint: &Endpoint,
        target: TransferTarget,
    ) -> Result<(), Cause> {
        let (call, transferor) = self.calls.place_of(endpoint).ok_or_else(no_call)?;
        self.check_untouched(call)?;
        let transferee = self.calls.call(call).and_then(|call| call.other(transferor));
        let transferee = transferee.ok_or_else(|| Cause::new(491, "The call is not answered yet"))?;
        match target {
            TransferTarget::Call(other) => self.transfer_attended(now, call, transferor, transferee, &other),
            blind => {
                let moved = self.calls.call(call).and_then(|call| call.moved(transferee));
                let moved = moved.ok_or_else(no_call)?;
                let plan = self.transfer_plan(now, call, (transferor, transferee), blind, moved.media())?;
                let target = self.calls.next_id();
                let place = Who::Caller;
                self.transfers
                    .insert(call, Transfer::new(transferor, transferee, target, place, Stage::Ringing));
                let placed = self.place_call(now, Endpoint::Awaited(call), plan, Some((place, moved)));
                if let Err(cause) = placed {
                    self.transfers.remove(&call);
                    return Err(cause);
                }
                self.tell_transferor(now, call, TransferProgress::Trying);
                Ok(())
            }
        }
    }

    /// The transferee takes the transferor's place in another call of the transferor's.
    fn transfer_attended(
        &mut self,
        now: Instant,
        call: CallId,
        transferor: Who,
        transferee: Who,
        other: &Endpoint,
    ) -> Result<(), Cause> {
        let (target, place) = self.calls.place_of(other).ok_or_else(no_call)?;
        if target == call {
            return Err(Cause::new(400, "A call cannot be transferred to itself"));
        }
        self.check_untouched(target)?;
        self.check_same_user((call, transferor), (target, place))?;
        let is_answered = self.calls.call(target).is_some_and(Call::is_answered);
        let stage = match (is_answered, place) {
            (true, _) => Stage::Answered,
            (false, Who::Caller) => Stage::Ringing,
            (false, Who::Callee(_)) => return Err(Cause::new(491, "The other call is not answered yet")),
        };
        let moved = self.calls.call(call).and_then(|call| call.moved(transferee)).ok_or_else(no_call)?;
        self.transfers.insert(call, Transfer::new(transferor, transferee, target, place, stage));
        self.tell_transferor(now, call, TransferProgress::Trying);
        if stage == Stage::Ringing {
            // It becomes a blind one: the target goes on ringing, for somebody else.
            let leaving = self.calls.put(target, place, Endpoint::Awaited(call));
            self.with_call(now, target, |call, _| call.await_caller(moved));
            self.dismiss(now, leaving, Signal::Reject(Cause::new(487, "The call is transferred")));
            self.target_is_alerted(now, call);
        }
        self.go_on_with_transfers(now, call);
        Ok(())
    }

    /// One transfer at a time: of a call, and into one.
    fn check_untouched(&self, call: CallId) -> Result<(), Cause> {
        let is_target = self.transfers.values().any(|transfer| transfer.target == call);
        match self.transfers.contains_key(&call) || is_target {
            true => Err(Cause::new(491, "The call is being transferred already")),
            false => Ok(()),
        }
    }

    /// What the call with the target tells its caller, whose place is empty.
    pub(super) fn awaited_is_told(&mut self, now: Instant, call: CallId, signal: Signal) {
        match signal {
            Signal::Progress { status: 180..=189, .. } => self.target_is_alerted(now, call),
            Signal::Answer { .. } => self.target_is_there(now, call),
            Signal::Reject(cause) | Signal::Hangup(cause) => self.transfer_fails(now, call, &cause),
            _ => {}
        }
    }

    fn target_is_alerted(&mut self, now: Instant, call: CallId) {
        self.tell_transferor(now, call, TransferProgress::Ringing);
        self.ring_back(now, call);
    }

    /// The transferee hears that somebody is called.
    fn ring_back(&mut self, now: Instant, call: CallId) {
        let Some(transfer) = self.transfers.get_mut(&call) else { return };
        if !std::mem::replace(&mut transfer.rings_back, true) {
            let transferee = transfer.transferee;
            self.with_call(now, call, |call, _| call.ring_back_to(transferee, true));
        }
    }

    /// The target has answered, or a place for the transferee is ready.
    pub(super) fn target_is_there(&mut self, now: Instant, call: CallId) {
        if let Some(transfer) = self.transfers.get_mut(&call) {
            transfer.stage = Stage::Answered;
            self.go_on_with_transfers(now, call);
        }
    }

    /// Something happened in a call: transfers that waited for the end of an offer in it go on.
    pub(super) fn go_on_with_transfers(&mut self, now: Instant, touched: CallId) {
        let waits = |(call, transfer): (&CallId, &Transfer)| {
            let is_it = *call == touched || transfer.target == touched;
            (is_it && transfer.stage == Stage::Answered).then_some(*call)
        };
        for call in self.transfers.iter().filter_map(waits).collect::<Vec<_>>() {
            self.swap(now, call);
        }
    }

    fn swap(&mut self, now: Instant, call: CallId) {
        let Some(transfer) = self.transfers.get_mut(&call) else { return };
        let (target, transferee, place) = (transfer.target, transfer.transferee, transfer.place);
        let (Some(first), Some(second)) = (self.calls.call(call), self.calls.call(target)) else { return };
        let may_leave = first.is_settled() || transfer.pickup.is_some();
        if !may_leave || !second.may_take_in() {
            return;
        }
        let (Some(first), Some(second)) = (first.session(), second.session()) else { return };
        transfer.stage = Stage::Swapping;
        let request =
            Request::Swap { first: (first, Call::side(transferee)), second: (second, Call::side(place)) };
        self.ask(now, request, Purpose::Swap(call, target));
    }

    /// The legs changed places: so do the parties.
    pub(super) fn swapped(&mut self, now: Instant, call: CallId, target: CallId) {
        // One of the calls may have ended meanwhile.
        let Some(transfer) = self.transfers.remove(&call).filter(|transfer| transfer.target == target) else {
            return;
        };
        let Transfer { transferor, transferee, place, .. } = transfer;
        let is_pickup = transfer.pickup.is_some();
        let moved = self.calls.call(call).and_then(|call| match is_pickup {
            true => call.ringing_caller().ok(),
            false => call.moved(transferee),
        });
        let Some(moved) = moved else { return };
        let arriving = self.calls.put(call, transferee, Endpoint::Nobody);
        let leaving = self.calls.put(target, place, arriving);
        let leaves = Some(transferor).filter(|_| !is_pickup);
        self.calls.move_user((call, leaves, transferee), (target, place));
        self.with_call(now, target, |call, random| call.take_in(now, place, &moved, random));
        self.counters.transfers_done += 1;
        if transfer.is_asked && !transfer.is_alone {
            let done = Signal::Transfer(TransferProgress::Done);
            self.tell_party(now, call, transferor, done);
        }
        let words = if is_pickup { "Call completed elsewhere" } else { "The call was transferred" };
        let transferred = || Cause::new(200, words);
        self.with_call(now, call, |call, _| call.hang_up(Some(transferee), transferred()));
        self.dismiss(now, leaving, Signal::Hangup(transferred()));
    }

    pub(super) fn swap_refused(&mut self, now: Instant, call: CallId, target: CallId, refusal: &Refusal) {
        if self.transfers.get(&call).is_some_and(|transfer| transfer.target == target) {
            let cause = Cause::new(503, format!("The media cannot be joined: {refusal}"));
            self.transfer_fails(now, call, &cause);
        }
    }

    /// The call goes on as it was; unless the transferor has hung up, when there is nobody to go back to.
    fn transfer_fails(&mut self, now: Instant, call: CallId, cause: &Cause) {
        self.tell_transferor(now, call, TransferProgress::Failed(cause.clone()));
        let Some(transfer) = self.transfers.remove(&call) else { return };
        self.counters.transfers_failed += 1;
        self.end_target(now, call, &transfer, cause);
        if transfer.rings_back {
            self.with_call(now, call, |call, _| call.ring_back_to(transfer.transferee, false));
        }
        if transfer.is_alone {
            let cause = cause.clone();
            self.with_call(now, call, |call, _| call.hang_up(Some(transfer.transferor), cause));
        }
        self.pickup_failed(now, call, transfer.pickup);
    }

    /// Ends the call with the target where nobody stands in the place that was to be taken.
    fn end_target(&mut self, now: Instant, call: CallId, transfer: &Transfer, cause: &Cause) {
        let place = self.calls.endpoint(transfer.target, transfer.place);
        if place == Some(&Endpoint::Awaited(call)) {
            let (place, cause) = (transfer.place, cause.clone());
            self.with_call(now, transfer.target, |call, _| call.hang_up(Some(place), cause));
        }
    }

    /// A party hangs up. True: a transfer of its goes on without it, and the call with it.
    pub(super) fn transferor_leaves(&mut self, now: Instant, call: CallId, who: Who) -> bool {
        let is_its = |transfer: &&mut Transfer| transfer.transferor == who && transfer.pickup.is_none();
        if let Some(transfer) = self.transfers.get_mut(&call).filter(is_its) {
            transfer.is_alone = true;
            let is_ringing = transfer.stage == Stage::Ringing;
            self.calls.put(call, who, Endpoint::Nobody);
            if is_ringing {
                self.ring_back(now, call);
            }
            return true;
        }
        let into = |(_, transfer): &(&CallId, &Transfer)| transfer.target == call && transfer.place == who;
        let Some(from) = self.transfers.iter().find(into).map(|(from, _)| *from) else { return false };
        self.calls.put(call, who, Endpoint::Awaited(from));
        true
    }

    /// A call is over: so are transfers from it and into it.
    pub(super) fn transfers_end(&mut self, now: Instant, call: CallId, cause: &Cause) {
        if let Some(transfer) = self.transfers.remove(&call) {
            self.counters.transfers_failed += 1;
            let gone = Cause::new(487, "The transferred party hung up");
            self.end_target(now, call, &transfer, &gone);
        }
        let into = |(from, transfer): (&CallId, &Transfer)| (transfer.target == call).then_some(*from);
        if let Some(from) = self.transfers.iter().find_map(into) {
            self.transfer_fails(now, from, cause);
        }
    }

    fn tell_transferor(&mut self, now: Instant, call: CallId, progress: TransferProgress) {
        let Some(transfer) = self.transfers.get(&call) else { return };
        if transfer.is_asked && !transfer.is_alone {
            let transferor = transfer.transferor;
            self.tell_party(now, call, transferor, Signal::Transfer(progress));
        }
    }

    fn tell_party(&mut self, now: Instant, call: CallId, who: Who, signal: Signal) {
        if let Some(endpoint) = self.calls.endpoint(call, who).cloned() {
            self.tell_endpoint(now, &endpoint, signal);
        }
    }

    /// Tells a party something past its call. Nobody needs to know what somebody who has gone is not told.
    fn tell_endpoint(&mut self, now: Instant, endpoint: &Endpoint, signal: Signal) {
        match endpoint {
            Endpoint::Sip(call) => drop(self.user_agent.signal(now, *call, signal)),
            Endpoint::Browser(id, call_id) => self.tell_browser(now, *id, call_id, signal),
            Endpoint::Awaited(_) | Endpoint::Nobody => {}
        }
    }

    /// Ends what a party has with us; it is in no call any more.
    fn dismiss(&mut self, now: Instant, endpoint: Endpoint, signal: Signal) {
        self.tell_endpoint(now, &endpoint, signal);
        if let Endpoint::Browser(id, call_id) = &endpoint {
            self.forget_browser_call(*id, call_id);
        }
    }
}

impl Transfer {
    fn new(transferor: Who, transferee: Who, target: CallId, place: Who, stage: Stage) -> Transfer {
        let (is_asked, is_alone, rings_back, pickup) = (true, false, false, None);
        Transfer { transferor, transferee, target, place, stage, is_asked, is_alone, rings_back, pickup }
    }
}

fn no_call() -> Cause {
    Cause::new(481, "There is no such call")
}
