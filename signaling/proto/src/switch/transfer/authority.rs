//! Who may transfer whom to whom (attacks.md rows 12 and 21): only a party of the call, and only to where that party's user
//! may call by itself.

use super::TransferTarget;
use crate::call::{PartyMedia, Who};
use crate::party::Cause;
use crate::sip::user_agent::CallHandle;
use crate::sip::{HeaderName, NameAddr, Uri};
use crate::switch::Switch;
use crate::switch::calls::{CallId, Endpoint, Party, Plan, Target};
use std::time::Instant;

/// How many users may have left one call to others, whose account it goes on.
const MAX_PAYERS: usize = 4;

impl Switch {
    /// The call to a target: it is allowed as a call of the transferor's would be, and as such it is made; but the callee is
    /// told who is transferred to it, and by whom (RFC 3892).
    pub(super) fn transfer_plan(
        &self,
        now: Instant,
        call: CallId,
        (transferor, transferee): (Who, Who),
        target: TransferTarget,
        media: PartyMedia,
    ) -> Result<Plan, Cause> {
        let missing = || Cause::new(481, "There is no such call");
        let plan = self.calls.plan(call).ok_or_else(missing)?;
        if plan.payers.len() >= MAX_PAYERS {
            return Err(Cause::new(403, "The call has been transferred too often"));
        }
        let by_us = self.calls.endpoint(call, transferor).ok_or_else(missing)?;
        let Party { address: referrer, user, .. } = plan.party(transferor);
        let is_by_user = user.is_some();
        let (mut made, replaces) = match (by_us, user, target) {
            (Endpoint::Browser(id, _), _, TransferTarget::Typed(text)) => {
                (self.browser_destination(now, *id, &text, None)?, None)
            }
            (Endpoint::Sip(_), Some(user), TransferTarget::Address(uri, None)) => {
                (self.local_destination(now, &uri, &user, media)?, None)
            }
            (Endpoint::Sip(_), Some(_), TransferTarget::Address(_, Some(_))) => return Err(missing()),
            (Endpoint::Sip(provider), None, TransferTarget::Address(uri, replaces)) => {
                (self.destination_for_provider(now, *provider, (call, transferee), &uri, media)?, replaces)
            }
            _ => return Err(Cause::new(400, "This target does not fit the party")),
        };
        let is_outside = made.callees.iter().any(|callee| matches!(callee.target, Target::Provider { .. }));
        if is_outside {
            // Until the transferee takes its place the call is its payer's alone.
            made.payers = made.users.iter().flatten().cloned().collect();
        } else {
            let address = plan.party(transferee).address;
            made.contact_user = address.uri.as_sip().and_then(|uri| uri.user_name()).unwrap_or_default();
            made.from = address;
        }
        // Who wanted privacy still does: it is the transferor who calls to the outside, unless it is there itself.
        let caller = if is_outside && is_by_user { transferor } else { transferee };
        made.is_private = [plan.is_private(caller), false];
        let [caller, _] = &mut made.users;
        *caller = None;
        made.offer = None;
        made.max_forwards = plan.max_forwards.saturating_sub(1);
        if !plan.is_private(transferor) {
            made.headers.push((HeaderName::ReferredBy, NameAddr::new(referrer.uri).to_string()));
        }
        made.headers.extend(replaces.map(|replaces| (HeaderName::Replaces, replaces.to_string())));
        Ok(made)
    }

    /// Whom a user of a local domain may call.
    fn local_destination(
        &self,
        now: Instant,
        uri: &Uri,
        user: &str,
        caller_media: PartyMedia,
    ) -> Result<Plan, Cause> {
        let (callees, to, callee) = self.callees(now, uri, user, None)?;
        let from = format!("sip:{user}").parse::<Uri>().map_err(|_| Cause::new(403, "Unknown user"))?;
        Ok(Plan::of_transfer(caller_media, callees, NameAddr::new(from), to, [Some(user.to_owned()), callee]))
    }

    /// Whoever is at a provider may transfer our user only where that is switched on, and only within the provider's domain:
    /// the call is made with our user's credentials and on its account.
    fn destination_for_provider(
        &self,
        now: Instant,
        provider: CallHandle,
        (call, transferee): (CallId, Who),
        uri: &Uri,
        media: PartyMedia,
    ) -> Result<Plan, Cause> {
        let refused = |words| Err(Cause::new(403, words));
        if !self.settings.providers.accept_transfers {
            return refused("Transfers by a provider are not allowed here");
        }
        let line = self.user_agent.contact_user(provider).and_then(|user| self.lines.by_contact(user));
        if let Some(line) = line {
            return self.line_destination(line, uri, media);
        }
        let Some(Endpoint::Browser(id, _)) = self.calls.endpoint(call, transferee) else {
            return refused("Only an account at a provider can be transferred by it");
        };
        let home = self.browsers.get(id).and_then(|browser| browser.home());
        let host = uri.as_sip().map(|uri| &uri.host);
        if home.is_none() || host != home.as_ref() {
            return refused("A provider can transfer within its own domain only");
        }
        self.browser_destination(now, *id, &uri.to_string(), None)
    }

    /// Both calls must be the same user's, of ours or of a provider that may transfer; whose calls they are is known from
    /// their making, not from what is said now.
    pub(super) fn check_same_user(&self, one: (CallId, Who), other: (CallId, Who)) -> Result<(), Cause> {
        let party = |(call, who): (CallId, Who)| self.calls.plan(call).map(|plan| plan.party(who));
        let is_same = party(one).zip(party(other)).is_some_and(|(one, other)| {
            let is_user = one.user.is_some() && one.user == other.user;
            is_user || (one.remote.is_some() && one.remote == other.remote)
        });
        match is_same {
            true => Ok(()),
            false => Err(Cause::new(403, "The other call is not yours")),
        }
    }
}
