//! The subscriptions that there are, and how each is found.

use super::state::State;
use crate::presence::Package;
use crate::registrar::AddressOfRecord;
use crate::sip::user_agent::SubscriptionHandle;
use crate::switch::browsers::BrowserId;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Subscriber {
    Sip(SubscriptionHandle),
    Browser(BrowserId),
}

/// What a subscription is to.
pub(super) type Watched = (Package, AddressOfRecord);

/// One subscription.
#[derive(Debug)]
pub(super) struct Watcher {
    /// The subscriber's own address.
    pub(super) by: AddressOfRecord,
    /// The number of the next document.
    pub(super) version: u32,
    /// What was told last.
    pub(super) told: State,
    /// When a browser's ends; that of a SIP subscriber is the user agent's affair.
    pub(super) ends: Option<Instant>,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(in crate::switch) struct Watchers {
    pub(super) all: HashMap<(Subscriber, Watched), Watcher>,
    /// In order, so that whoever watches one user is found.
    by_watched: BTreeSet<(Watched, Subscriber)>,
    pub(super) by_handle: HashMap<SubscriptionHandle, Watched>,
    /// Users whose state may have changed.
    pub(super) changed: BTreeSet<Watched>,
}

impl Watchers {
    pub(in crate::switch) fn len(&self) -> usize {
        self.all.len()
    }

    /// The registrations of a user may have changed. Where nobody watches it costs nothing.
    pub(in crate::switch) fn note_registration(&mut self, user: &AddressOfRecord) {
        if !self.all.is_empty() {
            let packages = [Package::Registration, Package::Presence];
            self.changed.extend(packages.map(|package| (package, user.clone())));
        }
    }

    /// The calls of a user, as they are counted, may have changed.
    pub(in crate::switch) fn note_calls(&mut self, user: &str) {
        // Users of providers have no such address, and are watched by nobody here.
        let user = AddressOfRecord::of_name(user).filter(|_| !self.all.is_empty());
        if let Some(user) = user {
            let packages = [Package::Dialog, Package::Presence];
            self.changed.extend(packages.map(|package| (package, user.clone())));
        }
    }

    /// The registrations of everybody may have changed.
    pub(in crate::switch) fn note_registrations(&mut self) {
        let watched = self.by_watched.iter().map(|(watched, _)| watched);
        let registrations = watched.filter(|(package, _)| *package != Package::Dialog).cloned();
        self.changed.extend(registrations);
    }

    pub(super) fn of(&self, watched: &Watched) -> Vec<Subscriber> {
        let lowest = Subscriber::Sip(SubscriptionHandle(0));
        let from = self.by_watched.range((watched.clone(), lowest)..);
        from.take_while(|(each, _)| each == watched).map(|(_, subscriber)| *subscriber).collect()
    }

    pub(super) fn insert(&mut self, subscriber: Subscriber, watched: Watched, watcher: Watcher) {
        if let Subscriber::Sip(handle) = subscriber {
            self.by_handle.insert(handle, watched.clone());
        }
        self.by_watched.insert((watched.clone(), subscriber));
        self.all.insert((subscriber, watched), watcher);
    }

    pub(super) fn remove(&mut self, subscriber: Subscriber, watched: &Watched) -> bool {
        if let Subscriber::Sip(handle) = subscriber {
            self.by_handle.remove(&handle);
        }
        self.by_watched.remove(&(watched.clone(), subscriber));
        self.all.remove(&(subscriber, watched.clone())).is_some()
    }
}
