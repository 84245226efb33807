//! Subscriptions of others to what happens here: the notifier's part of RFC 6665.
//!
//! The switch says that something has changed; the user agent says when a NOTIFY may go ([`UaEvent::StateWanted`]), and
//! then the switch gives the state. So nothing waits in a queue: what goes is always the newest state.

use super::call::hop;
use super::outgoing::{Draft, Outcome, Purpose};
use super::timer_queue::TimerOwner;
use super::uas::return_flow;
use super::{RequestHandle, SubscriptionHandle, UaError, UaEvent, UserAgent};
use crate::sip::dialog::Dialog;
use crate::sip::{HeaderName, Method, Request, default_reason, reply};
use crate::transport::{ConnectionId, Destination, Transport};
use std::time::{Duration, Instant};

/// The least time between two notifications of one subscription. RFC 4235 section 3.10: "a server SHOULD NOT generate
/// notifications for a single presentity at a rate of more than once every second".
const NOTIFY_INTERVAL: Duration = Duration::from_secs(1);
/// The most notifications that one subscriber may leave unanswered in a row before it counts as gone.
const MAX_UNANSWERED: u8 = 2;

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    dialog: Dialog,
    /// Call-ID and our tag.
    key: (String, String),
    /// The Event header field, with its `id`, as the subscriber wrote it.
    event: String,
    contact_user: String,
    /// When it ends unless it is refreshed.
    ends: Instant,
    /// It has ended: the next NOTIFY is the last.
    is_over: bool,
    /// Something has changed that was not told yet.
    is_stale: bool,
    /// The state was asked for and has not been given yet.
    is_asked: bool,
    /// The NOTIFY on its way.
    outgoing: Option<u64>,
    /// When the next may go.
    not_before: Instant,
    unanswered: u8,
}

impl Subscription {
    /// When there is something to do without anything happening.
    fn next_timeout(&self) -> Option<Instant> {
        let is_idle = self.outgoing.is_none() && !self.is_asked;
        let told = (self.is_stale && is_idle).then_some(self.not_before);
        let ends = (!self.is_over).then_some(self.ends);
        told.into_iter().chain(ends).min()
    }
}

/// The lifetime that a SUBSCRIBE asks for, at most `limit`.
fn lifetime(request: &Request, limit: Duration) -> Duration {
    let asked = request.headers.expires().ok().flatten().map(u64::from).map(Duration::from_secs);
    asked.unwrap_or(limit).min(limit)
}

impl UserAgent {
    /// Accepts a SUBSCRIBE outside any dialog, for at most `limit`. A lifetime of zero only fetches the state (RFC 6665
    /// section 4.4.3). The state is asked for at once.
    ///
    /// # Errors
    /// [`UaError::Over`]: the request is answered already, or was refused because it lacks a Contact.
    pub fn accept_subscription(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        limit: Duration,
        contact_user: &str,
    ) -> Result<SubscriptionHandle, UaError> {
        let incoming = self.incoming.get(&handle.0).ok_or(UaError::Over)?;
        let (request, flow) = (incoming.request.clone(), incoming.flow);
        let Some(mut dialog) = Dialog::of_server(&request, &incoming.to_tag) else {
            self.refuse(now, handle.0, 400, Vec::new());
            return Err(UaError::Over);
        };
        dialog.flow = return_flow(&request, &flow);
        // RFC 6665 section 4.1.3: the NOTIFY's From and To are the SUBSCRIBE's To and From.
        let key = (dialog.call_id.clone(), dialog.local_tag().to_owned());
        let lifetime = lifetime(&request, limit);
        let subscription = Subscription {
            dialog,
            key: key.clone(),
            event: request.headers.get(HeaderName::Event).unwrap_or_default().to_owned(),
            contact_user: contact_user.to_owned(),
            ends: now + lifetime,
            is_over: lifetime.is_zero(),
            is_stale: true,
            is_asked: false,
            outgoing: None,
            not_before: now,
            unanswered: 0,
        };
        let subscriber = SubscriptionHandle(self.next_id());
        self.subscriptions.insert(subscriber, subscription);
        self.subscriptions_by_dialog.insert(key, subscriber);
        self.accept_subscribe(now, handle.0, &request, subscriber, lifetime);
        self.ask_for_state(now, subscriber);
        Ok(subscriber)
    }

    /// The 200 of a SUBSCRIBE.
    fn accept_subscribe(
        &mut self,
        now: Instant,
        id: u64,
        request: &Request,
        subscriber: SubscriptionHandle,
        lifetime: Duration,
    ) {
        let Some(each) = self.subscriptions.get(&subscriber) else { return };
        let Some(flow) = self.incoming.get(&id).map(|incoming| incoming.flow) else { return };
        let mut response = reply(request, 200, default_reason(200));
        for route in request.headers.all(HeaderName::RecordRoute) {
            response.headers.push(HeaderName::RecordRoute, route);
        }
        let contact = self.contact(&each.contact_user, &Destination::Flow(flow));
        response.headers.push(HeaderName::Contact, contact);
        response.headers.push(HeaderName::Expires, lifetime.as_secs());
        self.send_response(now, id, response);
    }

    /// A SUBSCRIBE inside the dialog of a subscription: it goes on, or ends (RFC 6665 sections 4.1.2.2 and 4.1.2.3).
    /// False: it belongs to none.
    pub(super) fn receive_subscribe(&mut self, now: Instant, id: u64, request: &Request) -> bool {
        let Some(subscriber) = self.subscription_of(request) else { return false };
        let limit = self.settings.max_subscription;
        let Some(each) = self.subscriptions.get_mut(&subscriber) else { return false };
        let number = request.headers.cseq().map_or(0, |(number, _)| number);
        if !each.dialog.accept_cseq(number) {
            self.refuse(now, id, 500, Vec::new());
            return true;
        }
        each.dialog.refresh_target(&request.headers);
        let lifetime = lifetime(request, limit);
        each.ends = now + lifetime;
        each.is_over = lifetime.is_zero();
        // Section 4.2.1.2: "the notifier MUST send a NOTIFY immediately after the response".
        each.is_stale = true;
        each.not_before = now;
        self.accept_subscribe(now, id, request, subscriber, lifetime);
        self.ask_for_state(now, subscriber);
        true
    }

    /// The subscription whose dialog a request belongs to.
    fn subscription_of(&self, request: &Request) -> Option<SubscriptionHandle> {
        let (to, from) = (request.headers.to().ok()?, request.headers.from().ok()?);
        let key = (request.headers.call_id().ok()?.to_owned(), to.tag()?.to_owned());
        let subscriber = *self.subscriptions_by_dialog.get(&key)?;
        let dialog = &self.subscriptions.get(&subscriber)?.dialog;
        (dialog.remote_tag() == from.tag().unwrap_or_default()).then_some(subscriber)
    }

    /// What a subscription is about has changed: the state is asked for as soon as a NOTIFY may go.
    pub fn state_changed(&mut self, now: Instant, subscriber: SubscriptionHandle) {
        if let Some(each) = self.subscriptions.get_mut(&subscriber) {
            each.is_stale = true;
            self.ask_for_state(now, subscriber);
        }
    }

    fn ask_for_state(&mut self, now: Instant, subscriber: SubscriptionHandle) {
        let Some(each) = self.subscriptions.get_mut(&subscriber) else { return };
        if each.is_stale && !each.is_asked && each.outgoing.is_none() && now >= each.not_before {
            each.is_asked = true;
            self.events.push_back(UaEvent::StateWanted { subscriber });
        }
        self.schedule_subscription(subscriber);
    }

    /// Gives the state that [`UaEvent::StateWanted`] asked for: it goes in a NOTIFY. The subscription is over after the
    /// last one, and [`UaEvent::SubscriptionEnded`] says so.
    pub fn notify(
        &mut self,
        now: Instant,
        subscriber: SubscriptionHandle,
        content_type: &str,
        body: Vec<u8>,
    ) {
        let Some(each) = self.subscriptions.get_mut(&subscriber) else { return };
        (each.is_asked, each.is_stale) = (false, false);
        each.not_before = now + NOTIFY_INTERVAL;
        let mut request = each.dialog.request(Method::Notify, 70);
        let left = each.ends.saturating_duration_since(now).as_secs();
        let state = match each.is_over {
            true => "terminated;reason=timeout".to_owned(),
            false => format!("active;expires={left}"),
        };
        request.headers.push(HeaderName::Event, &each.event);
        request.headers.push(HeaderName::SubscriptionState, state);
        request.headers.push(HeaderName::ContentType, content_type);
        request.body = body;
        let (hop, contact_user) = (hop(&each.dialog), Some(each.contact_user.clone()));
        let is_over = each.is_over;
        let purpose = if is_over { Purpose::Farewell } else { Purpose::Notify(subscriber) };
        let outgoing = self.send_request(now, Draft { purpose, request, hop, contact_user, guard: None });
        if is_over {
            return self.end_subscription(subscriber);
        }
        // It may have failed on the spot.
        let is_open = self.outgoing.contains_key(&outgoing);
        if let Some(each) = self.subscriptions.get_mut(&subscriber) {
            each.outgoing = Some(outgoing).filter(|_| is_open);
        }
        self.schedule_subscription(subscriber);
    }

    /// The response to a NOTIFY. RFC 6665 section 4.2.2: a subscriber that does not know the subscription has ended it;
    /// one that does not answer may have missed one, and gets another chance.
    pub(super) fn notify_outcome(&mut self, now: Instant, subscriber: SubscriptionHandle, outcome: &Outcome) {
        let cause = outcome.cause();
        if cause.status < 200 {
            return;
        }
        let Some(each) = self.subscriptions.get_mut(&subscriber) else { return };
        each.outgoing = None;
        let is_answered = (200..300).contains(&cause.status);
        each.unanswered = if is_answered { 0 } else { each.unanswered.saturating_add(1) };
        let is_temporary = matches!(cause.status, 408 | 480 | 500 | 503 | 504);
        if !is_answered && (!is_temporary || each.unanswered >= MAX_UNANSWERED) {
            return self.end_subscription(subscriber);
        }
        each.is_stale |= !is_answered;
        self.ask_for_state(now, subscriber);
    }

    fn end_subscription(&mut self, subscriber: SubscriptionHandle) {
        self.timers.set(TimerOwner::Subscription(subscriber.0), None);
        if let Some(each) = self.subscriptions.remove(&subscriber) {
            self.subscriptions_by_dialog.remove(&each.key);
            self.events.push_back(UaEvent::SubscriptionEnded { subscriber });
        }
    }

    pub(super) fn subscription_timeout(&mut self, now: Instant, subscriber: SubscriptionHandle) {
        let Some(each) = self.subscriptions.get_mut(&subscriber) else { return };
        if now >= each.ends && !each.is_over {
            (each.is_over, each.is_stale) = (true, true);
            each.not_before = now;
        }
        self.ask_for_state(now, subscriber);
    }

    /// A browser without its WebSocket cannot be reached any more; over TCP and TLS its Contact can.
    pub(super) fn subscriptions_lost_connection(&mut self, connection: ConnectionId) {
        let mut lost = Vec::new();
        for (subscriber, each) in &mut self.subscriptions {
            let Some(flow) = each.dialog.flow.filter(|flow| flow.connection == Some(connection)) else {
                continue;
            };
            each.dialog.flow = None;
            if matches!(flow.transport, Transport::Ws | Transport::Wss) {
                lost.push(*subscriber);
            }
        }
        lost.sort_unstable();
        for subscriber in lost {
            self.end_subscription(subscriber);
        }
    }

    fn schedule_subscription(&mut self, subscriber: SubscriptionHandle) {
        let at = self.subscriptions.get(&subscriber).and_then(Subscription::next_timeout);
        self.timers.set(TimerOwner::Subscription(subscriber.0), at);
    }
}
