//! Calls that ring and are answered by somebody who was not rung (RFC 3891 section 3): their caller goes, unanswered, into
//! the call of who answers, and hears the answer there.

use super::join::Moved;
use super::tones::Hears;
use super::{Call, Media};
use crate::party::Cause;
use crate::sdp::SdpError;
use tandem_control::Side;

/// What a caller has not been answered yet.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    /// The description that it was given with a provisional response.
    early: Option<Vec<u8>>,
}

impl Unanswered {
    /// What the caller on this side is answered. RFC 3261 section 13.2.1: what went with a provisional response is what
    /// goes with the final one.
    pub(super) fn answer(&self, media: &mut Media, side: Side) -> Result<Vec<u8>, SdpError> {
        match &self.early {
            Some(early) => Ok(early.clone()),
            // Who answers may still have to describe its media.
            None if media.leg(side.other()).codecs().is_empty() => media.write_early_answer(side),
            None => media.write_answer(side),
        }
    }
}

impl Call {
    /// The caller of a call that rings, so that it can be put into another call.
    ///
    /// # Errors
    /// 481: nobody rings any more, or somebody has answered; 488: the caller described nothing, so that it cannot be
    /// answered by anybody else than who made it an offer.
    pub fn ringing_caller(&self) -> Result<Moved, Cause> {
        let is_over = self.ended.is_some() || self.answered.is_some() || self.awaited.is_some();
        let moved = self.moved_from(Side::A).filter(|_| !is_over && !matches!(self.hears, Hears::Lament(_)));
        let moved = moved.ok_or_else(|| Cause::new(481, "The call does not ring any more"))?;
        if self.offer.is_none() {
            return Err(Cause::new(488, "The caller has described no media yet"));
        }
        Ok(Moved { unanswered: Some(Unanswered { early: self.answer.clone() }), ..moved })
    }
}
