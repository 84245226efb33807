//! The media of streams: their sessions in the dataplane.

use super::table::{Role, State, Stream};
use super::{Ending, StreamId, StreamRefusal};
use crate::sdp::Leg;
use crate::switch::Switch;
use crate::switch::dataplane::Purpose;
use crate::wcs::{ServerMessage, StreamMessage, StreamStatus};
use std::time::Instant;
use tandem_control::{
    EventKind, Latch, LegConfig, LocalPorts, PictureSize, Refusal, Request, SessionId, Side,
};

/// A browser's leg, as the dataplane shall have it. With ICE nothing is latched that was not checked.
pub(super) fn leg_config(leg: &Leg) -> LegConfig {
    leg.config(Latch::SameAddress)
}

impl Switch {
    /// A stream has its session, or gets none.
    pub(in crate::switch) fn stream_created(
        &mut self,
        now: Instant,
        id: StreamId,
        created: Result<(SessionId, [LocalPorts; 2]), Refusal>,
    ) {
        let (session, local) = match created {
            Ok(created) => created,
            Err(refusal) => return self.fail_stream(now, id, &refusal.into()),
        };
        let [local, _] = local;
        let (leg, answer) = match self.describe_stream(id, local) {
            Ok(described) => described,
            // Nothing is to be told where the stream ended meanwhile.
            Err(refusal) => {
                self.delete_session(now, session);
                return self.fail_stream(now, id, &refusal);
            }
        };
        let config = leg_config(&leg);
        self.streams.set_session(id, session);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.state = State::Made { session, leg: Box::new(leg), answer: Some(answer) };
        }
        self.ask(now, Request::configure(session, Side::A, config), Purpose::StreamConfigured(id));
    }

    /// The leg of a stream's browser, and our answer to it.
    fn describe_stream(&mut self, id: StreamId, local: LocalPorts) -> Result<(Leg, Vec<u8>), StreamRefusal> {
        let rules = self.media_rules().ok_or_else(StreamRefusal::no_dataplane)?;
        let stream = self.streams.get(id).ok_or(StreamRefusal::NotFound)?;
        let State::Creating(offer) = &stream.state else { return Err(StreamRefusal::IdentifierInUse) };
        let browser = self.browsers.get(&stream.browser).ok_or(StreamRefusal::NotLoggedIn)?;
        let party = browser.media(&self.settings);
        let addresses = rules.advertise(local.rtp, local.rtcp);
        let random = &mut *self.random;
        let mut leg = Leg::new(party.kind, party.profile, addresses, rules.fingerprint, &mut *random);
        leg.receive_offer(offer, random)?;
        let answer = match stream.role {
            Role::Publisher { .. } => leg.write_publisher_answer()?,
            Role::Player { publisher } => {
                let source = self.streams.get(publisher).and_then(Stream::running);
                let (_, source) = source.ok_or(StreamRefusal::NotFound)?;
                leg.write_player_answer(source)?
            }
        };
        Ok((leg, answer))
    }

    /// The leg of a stream's browser is configured, or refused. A player watches its publisher then.
    pub(in crate::switch) fn stream_configured(
        &mut self,
        now: Instant,
        id: StreamId,
        result: Result<(), Refusal>,
    ) {
        let Some(stream) = self.streams.get(id) else { return };
        let publisher = match stream.role {
            Role::Publisher { .. } => None,
            Role::Player { publisher } => self.streams.get(publisher).and_then(Stream::session),
        };
        match (result, stream.session(), publisher) {
            (Ok(()), Some(session), Some(publisher)) => {
                let watch = Request::Watch { session, side: Side::A, source: (publisher, Side::A) };
                self.ask(now, watch, Purpose::StreamWatches(id));
            }
            (result, ..) => self.stream_set_up(now, id, result),
        }
    }

    /// Everything is set up, and the browser is answered; or something was refused.
    pub(in crate::switch) fn stream_set_up(
        &mut self,
        now: Instant,
        id: StreamId,
        result: Result<(), Refusal>,
    ) {
        if let Err(refusal) = result {
            return self.fail_stream(now, id, &refusal.into());
        }
        let answer = self.streams.get_mut(id).and_then(Stream::take_answer);
        let Some(answer) = answer.and_then(|answer| String::from_utf8(answer).ok()) else { return };
        let Some(stream) = self.streams.get(id) else { return };
        let status = if stream.is_publisher() { StreamStatus::Publishing } else { StreamStatus::Playing };
        let (browser, told) = (stream.browser, self.stream_info(stream, status, None));
        self.say(browser, &ServerMessage::Stream(StreamMessage::Sdp { id: &told.id, sdp: &answer }));
        self.say(browser, &ServerMessage::Stream(StreamMessage::Status(&told)));
        if let Some(size) = self.picture_size(id) {
            self.say(browser, &ServerMessage::Stream(StreamMessage::PictureSize { id: &told.id, size }));
        }
    }

    /// The size of what a player is shown, where it is known.
    fn picture_size(&self, player: StreamId) -> Option<PictureSize> {
        let Role::Player { publisher } = self.streams.get(player)?.role else { return None };
        match self.streams.get(publisher)?.role {
            Role::Publisher { size, .. } => size,
            Role::Player { .. } => None,
        }
    }

    /// A publisher's pictures have another size than before: its players are told.
    fn stream_has_size(&mut self, id: StreamId, size: PictureSize) {
        let stream = self.streams.get_mut(id).map(|stream| &mut stream.role);
        let Some(Role::Publisher { size: known, players, .. }) = stream else { return };
        *known = Some(size);
        for player in players.clone() {
            let Some((browser, id)) = self.playing(player) else { continue };
            self.say(browser, &ServerMessage::Stream(StreamMessage::PictureSize { id: &id, size }));
        }
    }

    fn fail_stream(&mut self, now: Instant, id: StreamId, refusal: &StreamRefusal) {
        self.end_stream(now, id, Ending::Failed(refusal));
    }

    /// The dataplane tells something of a stream's session.
    pub(in crate::switch) fn stream_event(&mut self, now: Instant, id: StreamId, kind: &EventKind) {
        let failure = match kind {
            EventKind::PictureSize { side: Side::A, size } => return self.stream_has_size(id, *size),
            EventKind::MediaTimeout => "Failed by RTP activity",
            EventKind::DtlsFailed { .. } => "Failed by DTLS error",
            EventKind::ConsentLost { .. } => "Failed by ICE keep alive",
            EventKind::WatchEnded { .. } => return self.end_stream(now, id, Ending::Publisher),
            _ => return,
        };
        self.fail_stream(now, id, &StreamRefusal::Dataplane(failure.to_owned()));
    }

    /// The dataplane no longer has a stream's session.
    pub(in crate::switch) fn stream_lost(&mut self, now: Instant, id: StreamId) {
        let refusal = StreamRefusal::Dataplane("The media session is lost".to_owned());
        self.fail_stream(now, id, &refusal);
    }
}
