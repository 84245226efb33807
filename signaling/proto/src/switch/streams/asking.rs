//! What browsers ask of streams beside their media.

use super::table::Role;
use super::{StreamId, StreamRefusal};
use crate::party::Cause;
use crate::switch::Switch;
use crate::switch::browsers::BrowserId;
use crate::wcs::{ServerMessage, StreamEvent, StreamEventKind, StreamMessage};

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

    /// Passes what a publisher says to all who play its stream; those who come later learn what it muted.
    pub(super) fn pass_stream_event(&mut self, browser: BrowserId, reference: &str, event: &StreamEvent) {
        let id = self.streams.find(browser, reference);
        let role = id.and_then(|id| self.streams.get_mut(id)).map(|stream| &mut stream.role);
        let players = match role {
            Some(Role::Publisher { players, muted: [audio, video], .. }) => {
                match event.kind {
                    StreamEventKind::AudioMuted(is_off) => *audio = is_off,
                    StreamEventKind::VideoMuted(is_off) => *video = is_off,
                    StreamEventKind::Data => {}
                }
                Ok(players.clone())
            }
            Some(Role::Player { .. }) => Err((403, StreamRefusal::NotPublisher)),
            None => Err((404, StreamRefusal::NotFound)),
        };
        match players {
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
