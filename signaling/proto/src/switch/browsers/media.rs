//! What browsers are told of their calls' media beside the descriptions.

use crate::sdp::codecs;
use crate::switch::Switch;
use crate::switch::calls::CallId;
use crate::wcs::{PictureSizes, ServerMessage};
use tandem_control::{LegConfig, PictureSize, SessionId, Side};

impl Switch {
    /// A leg of a call is configured so: if it is a browser's, and has another audio codec than before, the browser is
    /// told. One whose media does not go by descriptions knows what to send by this alone.
    pub(in crate::switch) fn tell_audio_codec(&mut self, call: CallId, side: Side, leg: &LegConfig) {
        // The peer's own order: its first is what it sends (RFC 3264 section 7).
        let Some(codec) = leg.audio.send.iter().find_map(codecs::name_of) else { return };
        let Some((id, call_id)) = self.browser_at(call, side) else { return };
        let mut is_news = false;
        self.with_browser_call(id, &call_id, |call| is_news = call.codec.replace(codec) != Some(codec));
        if let Some(call) = self.browser_call(id, &call_id).filter(|_| is_news) {
            self.say(id, &ServerMessage::AudioCodec { call: &call, name: codec.encoding() });
        }
    }

    /// Whoever is on one side of a call sends pictures of this size: the browsers at both ends are told. Only those of
    /// the session that the call goes by are of interest.
    pub(in crate::switch) fn tell_picture_size(
        &mut self,
        call: CallId,
        session: SessionId,
        side: Side,
        size: PictureSize,
    ) {
        let goes_by = self.calls.entries.get(&call).and_then(|entry| entry.call.session());
        if goes_by != Some(session) {
            return;
        }
        for end in [Side::A, Side::B] {
            let Some((id, call_id)) = self.browser_at(call, end) else { continue };
            let mut news = None;
            self.with_browser_call(id, &call_id, |call| {
                let PictureSizes { player, streamer } = &mut call.info.sizes;
                let (known, goes) = match end == side {
                    true => (streamer, call.info.video.is_sent()),
                    false => (player, call.info.video.is_shown()),
                };
                let is_news = known.replace(size) != Some(size);
                news = Some(call.status).filter(|_| is_news && goes);
            });
            if let (Some(status), Some(call)) = (news, self.browser_call(id, &call_id)) {
                self.say(id, &ServerMessage::VideoFormat { call: &call, status });
            }
        }
    }
}
