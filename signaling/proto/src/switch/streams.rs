//! Streams (WCS 5): a browser publishes its sound and its pictures under a name, and others of its domain play it.
//!
//! Each end is a session of the dataplane with the browser on side A. That of a player watches that of the publisher
//! ([`tandem_control::Request::Watch`]): its side B stands for the publisher, and has no peer of its own.

mod asking;
mod media;
mod refusal;
mod table;

pub(super) use refusal::StreamRefusal;
#[cfg(test)]
pub(super) use table::MAX_EVENTS_PER_SECOND;
pub(super) use table::{StreamId, Streams};

use super::Switch;
use super::browsers::BrowserId;
use super::dataplane::Purpose;
use crate::sdp::{Description, Kind};
use crate::wcs::{ServerMessage, StreamInfo, StreamMessage, StreamRequest, StreamStatus, StreamVerb};
use std::time::Instant;
use table::{EventRate, Role, State, Stream, StreamName};
use tandem_control::{LegConfig, MAX_NOTE, Near, Request};

/// How an end of a stream comes to its end.
#[derive(Clone, Copy)]
enum Ending<'a> {
    /// Its browser says so.
    User,
    /// There is nothing to be played any more.
    Publisher,
    /// Its browser, or that of its publisher, is gone.
    Disconnect,
    /// It never came about, or broke.
    Failed(&'a StreamRefusal),
}

impl Ending<'_> {
    /// How it ends for those who play what ends so.
    fn of_players(self) -> Ending<'static> {
        match self {
            Ending::Disconnect => Ending::Disconnect,
            Ending::User | Ending::Publisher | Ending::Failed(_) => Ending::Publisher,
        }
    }
}

/// What a browser asks for an end of a stream.
struct Asked {
    browser: BrowserId,
    /// Its identifier for it.
    reference: String,
    /// The stream's name, as typed.
    name: String,
    /// Its offer.
    sdp: Option<String>,
}

impl Switch {
    /// A browser asks something of a stream.
    pub(super) fn browser_asks_stream(&mut self, now: Instant, browser: BrowserId, request: StreamRequest) {
        let StreamRequest { id: reference, verb } = request;
        match verb {
            StreamVerb::Publish { name, sdp } => {
                let asked = Asked { browser, reference, name, sdp };
                let result = self.publish(now, &asked);
                self.refuse_end(asked, true, result);
            }
            StreamVerb::Play { name, sdp } => {
                let asked = Asked { browser, reference, name, sdp };
                let result = self.play(now, &asked);
                self.refuse_end(asked, false, result);
            }
            StreamVerb::Unpublish | StreamVerb::Stop => self.stop_stream(now, browser, reference),
            StreamVerb::Available { name } => self.tell_availability(browser, &reference, &name),
            StreamVerb::Event(event) => self.pass_stream_event(now, browser, &reference, &event),
            StreamVerb::Snapshot => self.refuse_snapshot(browser, &reference),
        }
    }

    /// Tells a browser that its end of a stream does not come about.
    fn refuse_end(&mut self, asked: Asked, published: bool, result: Result<(), StreamRefusal>) {
        let Err(refusal) = result else { return };
        let told = StreamInfo {
            id: asked.reference,
            name: asked.name,
            status: StreamStatus::Failed,
            published,
            has_video: false,
            muted: [false; 2],
            info: Some(self.counted(&refusal)),
        };
        self.say(asked.browser, &ServerMessage::Stream(StreamMessage::Status(&told)));
    }

    /// Counts a refusal; its words.
    fn counted(&mut self, refusal: &StreamRefusal) -> String {
        *self.counters.streams_refused.entry(refusal.reason()).or_default() += 1;
        refusal.to_string()
    }

    /// The user of a browser, and what it calls so.
    fn stream_name(&self, browser: BrowserId, name: &str) -> Result<(String, StreamName), StreamRefusal> {
        if !self.settings.streams {
            return Err(StreamRefusal::SwitchedOff);
        }
        let browser = self.browsers.get(&browser).ok_or(StreamRefusal::NotLoggedIn)?;
        let address = browser.proven_address().ok_or(StreamRefusal::NotLoggedIn)?;
        let domain = address.host.to_string().to_ascii_lowercase();
        Ok((browser.user_name(), StreamName::new(domain, name)?))
    }

    fn publish(&mut self, now: Instant, asked: &Asked) -> Result<(), StreamRefusal> {
        let (user, name) = self.stream_name(asked.browser, &asked.name)?;
        if self.streams.publisher(&name).is_some() {
            return Err(StreamRefusal::NameInUse);
        }
        let role = Role::Publisher {
            players: Vec::new(),
            muted: [false; 2],
            size: None,
            events: EventRate::default(),
        };
        self.begin_stream(now, asked, user, name, role)
    }

    fn play(&mut self, now: Instant, asked: &Asked) -> Result<(), StreamRefusal> {
        let (user, name) = self.stream_name(asked.browser, &asked.name)?;
        let publisher = self.streams.publisher(&name).ok_or(StreamRefusal::NotFound)?;
        let is_ready = self.streams.get(publisher).is_some_and(|stream| stream.running().is_some());
        if !is_ready {
            return Err(StreamRefusal::NotReady);
        }
        if self.streams.players(publisher).len() >= self.settings.limits.players_per_stream {
            return Err(StreamRefusal::StreamFull);
        }
        self.begin_stream(now, asked, user, name, Role::Player { publisher })
    }

    /// Asks the dataplane for the session of an end of a stream.
    fn begin_stream(
        &mut self,
        now: Instant,
        asked: &Asked,
        user: String,
        name: StreamName,
        role: Role,
    ) -> Result<(), StreamRefusal> {
        if self.streams.find(asked.browser, &asked.reference).is_some() {
            return Err(StreamRefusal::IdentifierInUse);
        }
        self.streams.admit(&user, &self.settings.limits)?;
        let offer = browser_offer(asked.sdp.as_deref())?;
        let (rules, watched) = (self.media_rules(), self.watched_by(&role));
        let rules = rules.ok_or_else(StreamRefusal::no_dataplane)?;
        let browser = self.browsers.get(&asked.browser).ok_or(StreamRefusal::NotLoggedIn)?;
        let source = browser.media(&self.settings).source;
        let ports = [rules.ports(Kind::WebRtc, source, false), rules.place()];
        let note = stream_note(&user, &name);
        // A player without media is one whose publisher has none; that one's session tells.
        let media_timeout_seconds = match role {
            Role::Publisher { .. } => u32::try_from(self.settings.timers.media.as_secs()).unwrap_or(u32::MAX),
            Role::Player { .. } => 0,
        };
        let (near, leg) = watched.map_or((None, LegConfig::idle()), |(near, leg)| (Some(near), leg));
        let (browser, reference) = (asked.browser, asked.reference.clone());
        let state = State::Creating(Box::new(offer));
        let id = self.streams.insert(Stream { browser, reference, user, name, role, state });
        let legs = Box::new([LegConfig::idle(), leg]);
        let request = Request::Create { ports, legs, note, media_timeout_seconds, near };
        self.ask(now, request, Purpose::Stream(id));
        Ok(())
    }

    /// What a player watches: where its session must be, and the leg that stands for the publisher there.
    fn watched_by(&self, role: &Role) -> Option<(Near, LegConfig)> {
        let Role::Player { publisher } = role else { return None };
        let (session, leg) = self.streams.get(*publisher)?.running()?;
        Some((Near::Session(session), media::leg_config(leg).watched()))
    }

    /// The browser stops what it publishes or plays.
    fn stop_stream(&mut self, now: Instant, browser: BrowserId, reference: String) {
        match self.streams.find(browser, &reference) {
            Some(id) => self.end_stream(now, id, Ending::User),
            // It may have ended here at the same time. The npm client waits for an answer, and takes only the first.
            None => {
                let asked = Asked { browser, reference, name: String::new(), sdp: None };
                self.refuse_end(asked, false, Err(StreamRefusal::NotFound));
            }
        }
    }

    /// Whatever a browser that logs off publishes and plays ends.
    pub(super) fn end_streams_of(&mut self, now: Instant, browser: BrowserId) {
        for id in self.streams.of_browser(browser) {
            self.end_stream(now, id, Ending::Disconnect);
        }
    }

    /// Ends a browser's end of a stream, and, of a publisher, those of all who play it.
    fn end_stream(&mut self, now: Instant, id: StreamId, ending: Ending<'_>) {
        let players = self.streams.players(id).to_vec();
        let Some(stream) = self.streams.remove(id) else { return };
        if let Some(session) = stream.session() {
            self.delete_session(now, session);
        }
        let status = match ending {
            Ending::Failed(_) => StreamStatus::Failed,
            _ if stream.is_publisher() => StreamStatus::Unpublished,
            _ => StreamStatus::Stopped,
        };
        // The npm client's words (`STREAM_STATUS_INFO`).
        let info = match ending {
            Ending::User => "Stopped by user".to_owned(),
            Ending::Publisher => "Stopped by publisher stop".to_owned(),
            Ending::Disconnect => "Stopped by session disconnect".to_owned(),
            Ending::Failed(refusal) => self.counted(refusal),
        };
        let told = self.stream_info(&stream, status, Some(info));
        self.say(stream.browser, &ServerMessage::Stream(StreamMessage::Status(&told)));
        for player in players {
            self.end_stream(now, player, ending.of_players());
        }
    }

    /// An end of a stream, as its browser is told of it.
    fn stream_info(&self, stream: &Stream, status: StreamStatus, info: Option<String>) -> StreamInfo {
        let publisher = match &stream.role {
            Role::Publisher { .. } => Some(stream),
            Role::Player { publisher } => self.streams.get(*publisher),
        };
        let muted = match publisher.map(|publisher| &publisher.role) {
            Some(Role::Publisher { muted, .. }) => *muted,
            _ => [false; 2],
        };
        StreamInfo {
            id: stream.reference.clone(),
            name: stream.name.as_str().to_owned(),
            status,
            published: stream.is_publisher(),
            has_video: stream.running().is_some_and(|(_, leg)| leg.has_video()),
            muted,
            info,
        }
    }
}

/// The offer of an end of a stream, which must be a browser's.
fn browser_offer(sdp: Option<&str>) -> Result<Description, StreamRefusal> {
    let other = || StreamRefusal::Media("Only WebRTC streams are carried".to_owned());
    let offer = Description::parse(sdp.ok_or_else(other)?.as_bytes())?;
    if Kind::of_offer(&offer)? == Kind::WebRtc { Ok(offer) } else { Err(other()) }
}

/// What a later signaling process finds in the session.
fn stream_note(user: &str, name: &StreamName) -> Vec<u8> {
    let note = serde_json::json!({ "version": 1, "user": user, "stream": name.as_str() });
    Some(note.to_string().into_bytes()).filter(|note| note.len() <= MAX_NOTE).unwrap_or_default()
}
