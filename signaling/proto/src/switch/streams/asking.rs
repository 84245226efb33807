//! What browsers ask of streams beside their media.

use super::table::Role;
use super::{StreamId, StreamRefusal};
use crate::party::Cause;
use crate::switch::Switch;
use crate::switch::browsers::BrowserId;
use crate::wcs::{ServerMessage, StreamEvent, StreamEventKind, StreamMessage};
use std::time::Instant;

impl Switch {
    /// Tells a browser whether it could play a stream of this name.
    pub(super) fn tell_availability(&mut self, browser: BrowserId, id: &str, name: &str) {
        let result = self.stream_name(browser, name).and_then(|(_, name)| {
            let publisher = self.streams.publisher(&name).and_then(|id| self.streams.get(id));
            let publisher = publisher.ok_or(StreamRefusal::NotFound)?;
            publisher.running().map(|_| ()).ok_or(StreamRefusal::NotReady)
        });
        let refusal = result.err().map(|refusal| refusal.to_string());
        self.say(
            browser,
            &ServerMessage::Stream(StreamMessage::Available { id, refusal: refusal.as_deref() }),
        );
    }

    /// Passes what a publisher says to all who play its stream.
    pub(super) fn pass_stream_event(
        &mut self,
        now: Instant,
        browser: BrowserId,
        reference: &str,
        event: &StreamEvent,
    ) {
        match self.note_stream_event(now, browser, reference, event.kind) {
            Ok(players) => {
                for player in players {
                    let Some((browser, id)) = self.playing(player) else { continue };
                    self.say(browser, &ServerMessage::Stream(StreamMessage::Event { id: &id, event }));
                }
            }
            Err((status, refusal)) => {
                let cause = Cause::new(status, self.counted(&refusal));
                let request = "sendStreamEvent";
                self.say(browser, &ServerMessage::RequestFailed { request, cause: &cause });
            }
        }
    }

    /// Notes what a publisher mutes, so that those learn it who come later. Who is to be told now; or why nobody is, with a
    /// status of SIP that comes near.
    fn note_stream_event(
        &mut self,
        now: Instant,
        browser: BrowserId,
        reference: &str,
        kind: StreamEventKind,
    ) -> Result<Vec<StreamId>, (u16, StreamRefusal)> {
        let id = self.streams.find(browser, reference);
        let stream = id.and_then(|id| self.streams.get_mut(id)).ok_or((404, StreamRefusal::NotFound))?;
        let Role::Publisher { players, muted: [audio, video], events, .. } = &mut stream.role else {
            return Err((403, StreamRefusal::NotPublisher));
        };
        if !events.admits(now) {
            return Err((503, StreamRefusal::TooManyEvents));
        }
        match kind {
            StreamEventKind::AudioMuted(is_off) => *audio = is_off,
            StreamEventKind::VideoMuted(is_off) => *video = is_off,
            StreamEventKind::Data => {}
        }
        Ok(players.clone())
    }

    /// Who plays a stream, and what it calls its end; `None` until it does.
    pub(super) fn playing(&self, player: StreamId) -> Option<(BrowserId, String)> {
        let playing = self.streams.get(player).filter(|stream| stream.running().is_some())?;
        Some((playing.browser, playing.reference.clone()))
    }

    /// There are no images: signaling sees no media, and the dataplane decodes no picture.
    pub(super) fn refuse_snapshot(&mut self, browser: BrowserId, id: &str) {
        let info = self.counted(&StreamRefusal::NoSnapshots);
        self.say(browser, &ServerMessage::Stream(StreamMessage::SnapshotFailed { id, info: &info }));
    }
}
