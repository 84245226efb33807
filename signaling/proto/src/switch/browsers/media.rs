//! What browsers are told of their calls' media beside the descriptions.

use crate::sdp::codecs;
use crate::switch::Switch;
use crate::switch::calls::CallId;
use crate::wcs::ServerMessage;
use tandem_control::{LegConfig, Side};

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
}
