//! What the dataplane tells of a call's sessions.

use super::{Branch, Call, Media, Who};
use crate::party::{Cause, Signal};
use std::time::Instant;
use tandem_control::{EventKind, Refusal, SessionId, Side};

impl Call {
    /// The dataplane would not do with a session what it was told: the call has no media then.
    pub fn configuration_refused(&mut self, session: SessionId, refusal: &Refusal) {
        self.media_failed(session, Cause::new(500, format!("The media session failed: {refusal}")));
    }

    /// The dataplane tells something of one of this call's sessions.
    pub fn media_event(&mut self, now: Instant, session: SessionId, kind: &EventKind) {
        match kind {
            EventKind::MediaTimeout if self.media().is_some_and(Media::is_on_hold) => {}
            EventKind::MediaTimeout => {
                self.media_failed(session, Cause::new(408, "No media from either side"))
            }
            EventKind::DtlsFailed { side } => {
                let text = format!("The DTLS handshake with the {} failed", name(*side));
                self.media_failed(session, Cause::new(488, text));
            }
            EventKind::ConsentLost { side } => {
                let text = format!("The browser of the {} no longer answers (ICE consent lost)", name(*side));
                self.media_failed(session, Cause::new(480, text));
            }
            EventKind::Digit { side, event, duration_ms } => {
                self.digit_heard(now, *side, *event, *duration_ms)
            }
            EventKind::Connected { .. }
            | EventKind::FirstMedia { .. }
            | EventKind::Moved { .. }
            | EventKind::PictureSize { .. } => {}
            EventKind::PlayStarted { .. }
            | EventKind::PlayEnded { .. }
            | EventKind::RecordingEnded { .. }
            | EventKind::WatchEnded { .. } => {}
        }
    }

    /// A session is gone, or of no use.
    pub fn media_failed(&mut self, session: SessionId, cause: Cause) {
        let of = |slot: &Branch| slot.media.as_ref().is_some_and(|media| media.session() == session);
        let Some(branch) = self.branches.iter().position(of) else { return };
        if self.answered == Some(branch) {
            return self.hang_up(None, cause);
        }
        self.tell(Who::Callee(branch), Signal::Hangup(cause.clone()));
        self.branch_failed(branch, cause);
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::A => "caller",
        Side::B => "callee",
    }
}
