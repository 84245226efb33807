//! What subscribers are told.

use super::watchers::Watched;
use crate::presence::{
    Contact, Dialog, Package, Presence, Stage, write_dialogs, write_presence, write_registration,
};
use crate::registrar::AddressOfRecord;
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
    /// The state of a user now, and as a document for a watcher with this address.
    pub(super) fn state_of(
        &self,
        now: Instant,
        (package, user): &Watched,
        by: &AddressOfRecord,
        version: u32,
    ) -> (State, String) {
        let entity = user.uri().map(|uri| uri.to_string()).unwrap_or_default();
        match package {
            Package::Dialog => {
                let dialogs = self.dialogs_of(user, self.may_pick_up(by, user));
                let document = write_dialogs(version, &entity, &dialogs);
                (State { dialogs, ..State::default() }, document)
            }
            Package::Presence => {
                let presence = self.presence_of(now, user);
                (State { presence, ..State::default() }, write_presence(&entity, presence))
            }
            Package::Registration => {
                let contacts: Vec<Contact> = self
                    .registrar
                    .bindings(now, user)
                    .map(|binding| Contact {
                        uri: binding.contact.uri.to_string(),
                        expires: binding.expires.saturating_duration_since(now).as_secs(),
                    })
                    .collect();
                let document = write_registration(version, &entity, &contacts);
                let contacts = contacts.into_iter().map(|contact| contact.uri).collect();
                (State { contacts, ..State::default() }, document)
            }
        }
    }

    /// The calls of a user; those that ring with the names of their dialogs, for who may answer them.
    fn dialogs_of(&self, user: &AddressOfRecord, is_named: bool) -> Vec<Dialog> {
        let mut dialogs = self.calls.dialogs_of(&user.to_string());
        let rings = |dialog: &&mut Dialog| is_named && !dialog.is_caller && dialog.stage == Stage::Early;
        for dialog in dialogs.iter_mut().filter(rings) {
            let telephones = self.calls.rung_telephones(CallId(dialog.id));
            dialog.early = telephones.into_iter().find_map(|call| self.user_agent.early_dialog(call));
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
