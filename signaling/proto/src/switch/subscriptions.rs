//! Subscriptions to what happens here (RFC 6665): registrations (RFC 3680), the calls of a user (RFC 4235) and its presence
//! (RFC 3856).

mod state;
mod watchers;

pub(super) use watchers::Watchers;

use super::Switch;
use super::browsers::BrowserId;
use crate::party::Cause;
use crate::presence::Package;
use crate::registrar::AddressOfRecord;
use crate::sip::auth::Challenger;
use crate::sip::user_agent::{RequestHandle, SubscriptionHandle};
use crate::sip::{HeaderName, Request, default_reason, reply};
use crate::transport::Flow;
use crate::wcs::{ServerMessage, Subscribe, Subscription};
use state::State;
use std::time::{Duration, Instant};
use watchers::{Subscriber, Watched, Watcher};

impl Switch {
    /// A SUBSCRIBE outside a dialog.
    pub(super) fn subscribe(&mut self, now: Instant, handle: RequestHandle, flow: Flow, request: &Request) {
        let domain = self.domain_of_sender(request);
        let Some(user) = self.authenticate(now, handle, &flow, request, Challenger::Proxy, &domain) else {
            return;
        };
        let package = request.headers.get(HeaderName::Event).and_then(Package::parse);
        let Some(package) = package else {
            // RFC 6665 section 7.3.1: 489 says which packages there are.
            let mut response = reply(request, 489, default_reason(489));
            response.headers.push(HeaderName::AllowEvents, Package::ALLOW_EVENTS);
            return self.user_agent.respond(now, handle, response);
        };
        let watched = self.local_user(&request.uri);
        let allowed = watched.ok_or_else(|| Cause::new(404, default_reason(404))).and_then(|watched| {
            self.may_watch(package, &user, &watched)?;
            Ok(watched)
        });
        let watched = match allowed {
            Ok(watched) => watched,
            Err(cause) => return self.refuse(now, handle, request, cause.status, &cause.text),
        };
        let (limit, contact_user) = (self.settings.presence.max_expires, watched.user.clone());
        // What the user agent refuses, it answers.
        let Ok(handle) = self.user_agent.accept_subscription(now, handle, limit, &contact_user) else {
            return;
        };
        let watcher = Watcher { by: user, version: 0, told: State::default(), ends: None };
        self.watchers.insert(Subscriber::Sip(handle), (package, watched), watcher);
    }

    /// Whether a user may answer the calls that ring at another one.
    pub(super) fn may_pick_up(&self, by: &AddressOfRecord, of: &AddressOfRecord) -> bool {
        by == of || (self.settings.presence.pickup && by.domain == of.domain)
    }

    /// Whether a user may watch another one.
    fn may_watch(&self, package: Package, by: &AddressOfRecord, of: &AddressOfRecord) -> Result<(), Cause> {
        let rules = &self.settings.presence;
        match package {
            // Contacts tell where somebody is: that is for the user alone.
            Package::Registration if by != of => return Err(Cause::new(403, "Not your address")),
            Package::Dialog | Package::Presence
                if by != of && (!rules.busy_lamp || by.domain != of.domain) =>
            {
                return Err(Cause::new(403, "Others may not be watched here"));
            }
            _ => {}
        }
        if !self.users.contains_key(of) {
            return Err(Cause::new(404, format!("There is no user {}", of.user)));
        }
        let own = self.watchers.all.values().filter(|watcher| watcher.by == *by).count();
        if self.watchers.len() >= rules.total || own >= rules.per_user {
            return Err(Cause::new(403, "The limit of subscriptions is reached"));
        }
        Ok(())
    }

    /// The next document for a subscriber.
    fn next_document(&mut self, now: Instant, subscriber: Subscriber, watched: &Watched) -> Option<String> {
        let key = (subscriber, watched.clone());
        let Watcher { by, version, .. } = self.watchers.all.get(&key)?;
        let told = self.state_of(now, watched, by);
        let document = self.document(now, watched, &told, *version);
        let watcher = self.watchers.all.get_mut(&key)?;
        watcher.told = told;
        watcher.version = watcher.version.saturating_add(1);
        Some(document)
    }

    /// The user agent may send a NOTIFY.
    pub(super) fn state_wanted(&mut self, now: Instant, handle: SubscriptionHandle) {
        let Some(watched) = self.watchers.by_handle.get(&handle).cloned() else { return };
        if let Some(document) = self.next_document(now, Subscriber::Sip(handle), &watched) {
            self.user_agent.notify(now, handle, watched.0.content_type(), document.into_bytes());
        }
    }

    pub(super) fn subscription_ended(&mut self, handle: SubscriptionHandle) {
        if let Some(watched) = self.watchers.by_handle.get(&handle).cloned() {
            self.watchers.remove(Subscriber::Sip(handle), &watched);
        }
    }

    /// Tells whoever watches users whose state has changed.
    pub(super) fn tell_watchers(&mut self, now: Instant) {
        while let Some(watched) = self.watchers.changed.pop_first() {
            for subscriber in self.watchers.of(&watched) {
                let watcher = self.watchers.all.get(&(subscriber, watched.clone()));
                let is_new = |watcher: &Watcher| watcher.told != self.state_of(now, &watched, &watcher.by);
                if !watcher.is_some_and(is_new) {
                    continue;
                }
                match subscriber {
                    Subscriber::Sip(handle) => self.user_agent.state_changed(now, handle),
                    Subscriber::Browser(browser) => self.tell_browser_state(now, browser, &watched),
                }
            }
            self.settle(now);
        }
    }

    /// A browser subscribes, or ends its subscription.
    ///
    /// # Errors
    /// Why it cannot: to be told as a subscription that has ended.
    pub(super) fn browser_subscribes(
        &mut self,
        now: Instant,
        browser: BrowserId,
        subscribe: &Subscribe,
    ) -> Result<(), Cause> {
        let package = Package::parse(&subscribe.event)
            .ok_or_else(|| Cause::new(489, format!("Nobody can subscribe to {}", subscribe.event)))?;
        let (user, watched) = self.watched_by_browser(browser, subscribe.to.as_deref())?;
        let watched = (package, watched);
        let key = (Subscriber::Browser(browser), watched.clone());
        let lifetime =
            Duration::from_secs(u64::from(subscribe.expires)).min(self.settings.presence.max_expires);
        let ends = Some(now + lifetime);
        match self.watchers.all.get_mut(&key) {
            Some(watcher) => watcher.ends = ends,
            None => {
                self.may_watch(package, &user, &watched.1)?;
                let watcher = Watcher { by: user, version: 0, told: State::default(), ends };
                self.watchers.insert(key.0, watched.clone(), watcher);
            }
        }
        self.tell_browser_state(now, browser, &watched);
        if lifetime.is_zero() {
            self.watchers.remove(key.0, &watched);
        }
        Ok(())
    }

    fn tell_browser_state(&mut self, now: Instant, browser: BrowserId, watched: &Watched) {
        let key = (Subscriber::Browser(browser), watched.clone());
        let Some(body) = self.next_document(now, key.0, watched) else { return };
        let ends = self.watchers.all.get(&key).and_then(|watcher| watcher.ends).unwrap_or(now);
        let left = ends.saturating_duration_since(now).as_secs();
        let state = Subscription {
            event: watched.0.name().to_owned(),
            to: watched.1.user.clone(),
            expires: u32::try_from(left).unwrap_or(u32::MAX),
            status: if left == 0 { "terminated" } else { "active" },
            body,
        };
        self.say(browser, &ServerMessage::Subscription(&state));
    }

    /// Ends the subscriptions of browsers whose time is up, or that are gone.
    pub(super) fn expire_subscriptions(&mut self, now: Instant) {
        let is_over = |subscriber: &Subscriber, watcher: &Watcher| match subscriber {
            Subscriber::Browser(browser) => {
                watcher.ends.is_some_and(|ends| ends <= now) || !self.browsers.contains_key(browser)
            }
            Subscriber::Sip(_) => false,
        };
        let over = self.watchers.all.iter().filter(|((subscriber, _), watcher)| is_over(subscriber, watcher));
        let over: Vec<(Subscriber, Watched)> = over.map(|(key, _)| key.clone()).collect();
        for (subscriber, watched) in over {
            if let Subscriber::Browser(browser) = subscriber {
                self.tell_browser_state(now, browser, &watched);
            }
            self.watchers.remove(subscriber, &watched);
        }
    }
}
