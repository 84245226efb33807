//! The user agent: transactions, dialogs and registrations tied together, sans-IO. It is all that the switch knows of
//! SIP: what a peer sends becomes a [`UaEvent`], and a signal becomes requests and responses.

mod api;

pub use api::{
    CallHandle, Credentials, Drop, Drops, Invite, Register, RegistrationHandle, RequestHandle, Secret,
    UaError, UaEvent, UaSettings,
};
