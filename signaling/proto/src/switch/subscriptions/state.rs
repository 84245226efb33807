//! What subscribers are told.

use super::watchers::Watched;
use crate::presence::{
    Contact, Dialog, Package, Presence, Stage, write_dialogs, write_presence, write_registration,
};
use crate::registrar::{AddressOfRecord, Binding};
use crate::switch::Switch;
use crate::switch::calls::CallId;
use std::time::Instant;

/// The state that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    dialogs: Vec<Dialog>,
    /// Without their lifetimes, which always change.
    contacts: Vec<String>,
    presence: Presence,
}

impl Switch {
    /// The state of a user now, for a watcher with this address.
    pub(super) fn state_of(&self, now: Instant, (package, user): &Watched, by: &AddressOfRecord) -> State {
        let mut state = State::default();
        match package {
            Package::Dialog => state.dialogs = self.dialogs_of(user, self.may_pick_up(by, user)),
            Package::Presence => state.presence = self.presence_of(now, user),
            Package::Registration => {
                let contacts = self.contacts_of(now, user);
                state.contacts = contacts.into_iter().map(|contact| contact.uri).collect();
            }
        }
        state
    }

    /// The document, number `version` of those that a watcher gets, that tells a state of now.
    pub(super) fn document(
        &self,
        now: Instant,
        (package, user): &Watched,
        state: &State,
        version: u32,
    ) -> String {
        let entity = user.uri().map(|uri| uri.to_string()).unwrap_or_default();
        match package {
            Package::Dialog => write_dialogs(version, &entity, &state.dialogs),
            Package::Presence => write_presence(&entity, state.presence),
            Package::Registration => write_registration(version, &entity, &self.contacts_of(now, user)),
        }
    }

    fn contacts_of(&self, now: Instant, user: &AddressOfRecord) -> Vec<Contact> {
        let bindings = self.registrar.bindings(now, user);
        let contact = |binding: &Binding| Contact {
            uri: binding.contact.uri.to_string(),
            expires: binding.expires.saturating_duration_since(now).as_secs(),
        };
        bindings.map(contact).collect()
    }

    /// The calls of a user; those that ring with the names of their dialogs, for who may answer them.
    fn dialogs_of(&self, user: &AddressOfRecord, is_named: bool) -> Vec<Dialog> {
        let mut dialogs = self.calls.dialogs_of(&user.to_string());
        let rings = |dialog: &&mut Dialog| is_named && !dialog.is_caller && dialog.stage == Stage::Early;
        for dialog in dialogs.iter_mut().filter(rings) {
            let id = CallId(dialog.id);
            let of_telephone = || {
                let telephones = self.calls.rung_telephones(id);
                telephones.into_iter().find_map(|call| self.user_agent.early_dialog(call))
            };
            // A page's is there at once, and stays when a telephone begins to ring too.
            dialog.early = self.calls.page_dialog(id).or_else(of_telephone);
        }
        dialogs
    }

    fn presence_of(&self, now: Instant, user: &AddressOfRecord) -> Presence {
        // Whoever is only rung is free to talk.
        let is_busy = |dialog: &Dialog| dialog.is_caller || dialog.stage == Stage::Confirmed;
        Presence {
            is_open: self.is_reachable(now, user),
            is_on_the_phone: self.calls.dialogs_of(&user.to_string()).iter().any(is_busy),
        }
    }
}
