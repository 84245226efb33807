//! Offers inside the calls of browsers: theirs, and those that they are to answer.

use super::{BrowserId, Owes};
use crate::party::{Cause, Signal};
use crate::switch::calls::Endpoint;
use crate::switch::{Switch, Timer};
use std::time::{Duration, Instant};

/// How long a browser may take to answer an offer; its user may have to allow a camera first. Whoever offered by UPDATE
/// waits no longer than 32 seconds (RFC 3261 section 17.1.2.2, timer F).
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl Switch {
    /// A new offer of the browser's inside a call.
    pub(super) fn browser_offers(&mut self, now: Instant, id: BrowserId, call_id: String, sdp: String) {
        let mut meets_ours = false;
        self.with_browser_call(id, &call_id, |call| {
            meets_ours = call.owes.take_if(|owes| matches!(owes, Owes::OfferAnswer { .. })).is_some();
        });
        let endpoint = Endpoint::Browser(id, call_id);
        if meets_ours {
            // Of two offers that meet the browser's is answered: it does not take ours while its own is open (RFC 3264
            // section 4 leaves it to the protocol who yields).
            let pending = Cause::new(491, "Request Pending");
            self.endpoint_signal(now, &endpoint, Signal::OfferReject(pending));
        }
        let offer = Signal::Offer { sdp: Some(sdp.into_bytes()), update: false };
        self.endpoint_signal(now, &endpoint, offer);
    }

    /// A browser is sent an offer inside a call, and must answer in time.
    pub(super) fn browser_is_offered(&mut self, now: Instant, id: BrowserId, call_id: &str) {
        let until = now + ANSWER_WITHIN;
        self.with_browser_call(id, call_id, |call| call.owes = Some(Owes::OfferAnswer { until }));
        self.timers.insert((until, Timer::BrowserOffer(id)));
    }

    /// An offer to this browser may have waited for long enough.
    pub(in crate::switch) fn browser_offer_timeout(&mut self, now: Instant, id: BrowserId) {
        self.give_up_offers(now, id, |until| until <= now, "The browser did not answer the offer");
    }

    /// The answers of a browser whose time `is_up` are waited for no longer. Its calls go on as they were.
    pub(super) fn give_up_offers(
        &mut self,
        now: Instant,
        id: BrowserId,
        is_up: impl Fn(Instant) -> bool,
        why: &str,
    ) {
        let Some(browser) = self.browsers.get_mut(&id) else { return };
        let is_over = |owes: &mut Owes| matches!(owes, Owes::OfferAnswer { until } if is_up(*until));
        let calls = browser.calls.iter_mut();
        let given_up: Vec<String> =
            calls.filter_map(|(call_id, call)| call.owes.take_if(is_over).map(|_| call_id.clone())).collect();
        for call_id in given_up {
            // RFC 3261 section 14.2: 488 refuses the offer and nothing else.
            let cause = Cause::new(488, why);
            self.endpoint_signal(now, &Endpoint::Browser(id, call_id), Signal::OfferReject(cause));
        }
    }
}
