//! What those who watch a user are told: registrations (RFC 3680), calls (RFC 4235) and presence (RFC 3856).

mod dialog_info;
mod pidf;
mod registration_info;

pub use dialog_info::{Dialog, DialogId, Stage, write_dialogs};
pub use pidf::{Presence, write_presence};
pub use registration_info::{Contact, write_registration};

/// The event packages that can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Package {
    /// `reg`: where a user is registered.
    Registration,
    /// `dialog`: the calls of a user.
    Dialog,
    /// `presence`: whether a user can be reached, and whether it talks.
    Presence,
}

impl Package {
    /// All of them, as Allow-Events has them (RFC 6665 section 8.2.2).
    pub const ALLOW_EVENTS: &str = "dialog, presence, reg";

    /// The package that an Event header field names, whatever its parameters.
    pub fn parse(event: &str) -> Option<Package> {
        match event.split(';').next().unwrap_or("").trim() {
            "reg" => Some(Package::Registration),
            "dialog" => Some(Package::Dialog),
            "presence" => Some(Package::Presence),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Package::Registration => "reg",
            Package::Dialog => "dialog",
            Package::Presence => "presence",
        }
    }

    /// The type of its documents.
    pub fn content_type(self) -> &'static str {
        match self {
            Package::Registration => "application/reginfo+xml",
            Package::Dialog => "application/dialog-info+xml",
            Package::Presence => "application/pidf+xml",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_with_and_without_parameters() {
        assert_eq!(Package::parse("dialog;id=7"), Some(Package::Dialog));
        assert_eq!(Package::parse(" reg "), Some(Package::Registration));
        for unknown in ["", "presence.winfo", "dialog.winfo", "Dialog"] {
            assert_eq!(Package::parse(unknown), None, "{unknown}");
        }
        for package in [Package::Dialog, Package::Presence, Package::Registration] {
            assert_eq!(Package::parse(package.name()), Some(package));
            assert!(Package::ALLOW_EVENTS.contains(package.name()));
        }
    }
}
