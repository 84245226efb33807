//! Session descriptions as a relay treats them: lines stay as they are, in their order; what says where and how the
//! media of a section flows is replaced by what the relay does.
//!
//! [`Text::parse`] cuts a description into lines, [`Peer::read`] says what its writer wants of one section, and
//! [`Draft::write`] writes what the other party is to be told.

mod formats;
mod peer;
mod plan;
mod protocol;
mod text;
mod write;

pub(super) use formats::{Codings, Format};
pub(super) use peer::{Peer, USUAL_PTIME_MS};
pub(super) use plan::{Added, KeyForm, Relayed, RtcpLines, SectionPlan, SessionPlan};
pub(super) use protocol::Protocol;
pub(super) use text::{Kind, Line, Section, Text};
pub(super) use write::{Draft, origin_at};
