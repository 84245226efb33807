//! What signaling asks of a worker.

use super::Worker;
use super::packets::WorkerOutbox;
use super::sessions::{Entry, LegPorts, SIDES, index};
use super::watching::Watching;
use crate::demux::{Leg, Ufrag};
use crate::driver::Driver;
use std::time::Duration;
use tandem_control::{
    LegConfig, ListedSession, MAX_LISTED, MAX_NOTE, PortRequest, Refusal, Remote, Reply, Request, SessionId,
    Side,
};
use tandem_media::Now;
use tandem_media::dtmf::Digit;
use tandem_media::session::Session;

/// The shortest user fragment of ours (see [`tandem_control::Ice`]): too long to guess.
const MIN_UFRAG: usize = 8;
/// The bits of a [`SessionId`], and of a room's, below its worker.
pub(super) const ID_BITS: u32 = 56;

impl<D: Driver> Worker<D> {
    /// Carries out one request about a session.
    ///
    /// # Errors
    /// As the request says; then nothing has changed.
    pub fn request(&mut self, now: Now, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::Create { ports, legs, note, media_timeout_seconds, near: _ } => {
                let created = self.create(now, ports, &legs, note, media_timeout_seconds);
                if created.is_err() {
                    self.unload();
                }
                created
            }
            Request::Configure { session, legs, note } => self.configure(now, session, &legs, note),
            Request::PlayDigit { session, side, event, duration_ms, sound } => {
                let (index, entry) = self.entry(session)?;
                entry.session.play_digit(now, side, Digit { event, duration_ms }, sound)?;
                self.settle_session(index);
                Ok(Reply::Done)
            }
            Request::Query { session } => {
                let stats = self.entry(session)?.1.session.stats(now);
                Ok(Reply::Stats(Box::new(stats)))
            }
            Request::AddVideo { session, side } => self.add_video(session, side),
            Request::Swap { first, second } => self.swap(now, first, second),
            Request::Watch { session, side, source } => self.watch(now, (session, side), source),
            Request::Unwatch { session, side } => self.unwatch(now, session, side),
            Request::Delete { session } => self.delete(now, session),
            Request::Play { .. }
            | Request::StopPlay { .. }
            | Request::Record { .. }
            | Request::PauseRecording { .. }
            | Request::ResumeRecording { .. }
            | Request::StopRecording { .. } => self.file_request(now, request),
            Request::CreateRoom { .. }
            | Request::Join { .. }
            | Request::Leave { .. }
            | Request::Mute { .. }
            | Request::DeleteRoom { .. } => self.room_request(now, &request),
            Request::Hello { .. } | Request::List { .. } | Request::Counters => {
                Err(Refusal::Invalid("not for a worker".to_owned()))
            }
        }
    }

    /// The sessions after the given one, up to [`MAX_LISTED`] and one more, which tells that there are more.
    pub fn list(&self, now: Now, after: Option<SessionId>) -> Vec<ListedSession> {
        let listed = |entry: &Entry| ListedSession {
            session: entry.id,
            note: entry.note.clone(),
            age_seconds: now.instant.saturating_duration_since(entry.created).as_secs() as u32,
            local: [entry.legs[0].local(), entry.legs[1].local()],
        };
        self.sessions.after(after).take(MAX_LISTED + 1).map(listed).collect()
    }

    fn create(
        &mut self,
        now: Now,
        ports: [PortRequest; 2],
        legs: &[LegConfig; 2],
        note: Vec<u8>,
        media_timeout_seconds: u32,
    ) -> Result<Reply, Refusal> {
        check_note(&note)?;
        let index = self.sessions.next_index().ok_or(Refusal::TooManySessions)?;
        let a = self.open_leg(ports[0], Leg { session: index, side: Side::A })?;
        let b = match self.open_leg(ports[1], Leg { session: index, side: Side::B }) {
            Ok(b) => b,
            Err(refusal) => {
                self.close_leg(a, Leg { session: index, side: Side::A });
                return Err(refusal);
            }
        };
        let media_timeout =
            (media_timeout_seconds > 0).then(|| Duration::from_secs(media_timeout_seconds.into()));
        let session = Session::new(now, self.random.u64(..), self.identity.clone(), media_timeout);
        let id = self.new_id();
        let local = [a.local(), b.local()];
        self.sessions.insert(Entry {
            id,
            session,
            note,
            created: now.instant,
            legs: [a, b],
            rooms: [None; 2],
            watching: Watching::default(),
        });
        // An idle leg is as it is; on the shared port it could not even be asked for.
        let first = legs.each_ref().map(|leg| Some(leg).filter(|leg| **leg != LegConfig::idle()));
        if let Err(refusal) = self.configure_legs(now, index, first) {
            self.discard(id);
            return Err(refusal);
        }
        self.counters.sessions_created += 1;
        self.settle_session(index);
        Ok(Reply::Created { session: id, local })
    }

    fn new_id(&mut self) -> SessionId {
        loop {
            let id = SessionId(((self.index as u64) << ID_BITS) | (self.random.u64(..) >> (64 - ID_BITS)));
            if !self.sessions.contains(id) {
                return id;
            }
        }
    }

    fn configure(
        &mut self,
        now: Now,
        id: SessionId,
        legs: &[Option<LegConfig>; 2],
        note: Option<Vec<u8>>,
    ) -> Result<Reply, Refusal> {
        note.as_deref().map_or(Ok(()), check_note)?;
        let index = self.sessions.find(id).ok_or(Refusal::UnknownSession)?;
        self.configure_legs(now, index, legs.each_ref().map(Option::as_ref))?;
        if let (Some(entry), Some(note)) = (self.sessions.get_mut(index), note) {
            entry.note = note;
        }
        self.settle_session(index);
        Ok(Reply::Done)
    }

    /// Configures the given legs, or none.
    fn configure_legs(
        &mut self,
        now: Now,
        session_index: usize,
        configs: [Option<&LegConfig>; 2],
    ) -> Result<(), Refusal> {
        let entry = self.sessions.get_mut(session_index).ok_or(Refusal::UnknownSession)?;
        let mut ufrags = [None, None];
        for (side, ufrag) in SIDES.into_iter().zip(&mut ufrags) {
            let Some(config) = configs[index(side)] else { continue };
            let ports = &entry.legs[index(side)];
            check_family(config.remote, ports)?;
            check_video(config, ports)?;
            *ufrag = check_ice(config, ports.pair.is_none())?;
            let leg = Leg { session: session_index, side };
            if ufrag.is_some_and(|ufrag| self.demux.is_taken(ufrag, leg)) {
                return Err(invalid("the ICE user fragment is in use"));
            }
        }
        if ufrags[0].is_some() && ufrags[0] == ufrags[1] {
            return Err(invalid("the ICE user fragments of both legs are the same"));
        }
        let Entry { session, legs, .. } = entry;
        let mut outbox = WorkerOutbox::new(&mut self.driver, &mut self.departures, &mut self.counters, legs);
        session.configure(now, configs, &mut outbox)?;
        for (side, ufrag) in SIDES.into_iter().zip(ufrags) {
            if let Some(ufrag) = ufrag {
                let leg = Leg { session: session_index, side };
                self.demux.register(ufrag, leg, &mut legs[index(side)].shared);
            }
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, now: Now, id: SessionId) -> Result<Reply, Refusal> {
        let index = self.sessions.find(id).ok_or(Refusal::UnknownSession)?;
        self.end_watching(now, index);
        let Entry { session, legs, .. } = self.sessions.get_mut(index).ok_or(Refusal::UnknownSession)?;
        let mut outbox = WorkerOutbox::new(&mut self.driver, &mut self.departures, &mut self.counters, legs);
        session.end(now, &mut outbox);
        let stats = session.stats(now);
        self.discard(id);
        self.unload();
        Ok(Reply::Stats(Box::new(stats)))
    }

    /// Forgets a session and everything that it has.
    fn discard(&mut self, id: SessionId) {
        let Some((session, entry)) = self.sessions.remove(id) else { return };
        self.timers.cancel(session);
        self.leave_rooms(session, entry.rooms);
        for (side, ports) in SIDES.into_iter().zip(entry.legs) {
            self.close_leg(ports, Leg { session, side });
        }
    }

    pub(super) fn entry(&mut self, id: SessionId) -> Result<(usize, &mut Entry), Refusal> {
        let index = self.sessions.find(id).ok_or(Refusal::UnknownSession)?;
        let entry = self.sessions.get_mut(index).ok_or(Refusal::UnknownSession)?;
        Ok((index, entry))
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::Invalid(why.to_owned())
}

fn check_note(note: &[u8]) -> Result<(), Refusal> {
    if note.len() > MAX_NOTE { Err(invalid("the note is too long")) } else { Ok(()) }
}

/// What is sent must leave from a socket of the same family.
fn check_family(remote: Option<Remote>, ports: &LegPorts) -> Result<(), Refusal> {
    let is_v4 = ports.local.rtp.is_ipv4();
    let fits = remote.is_none_or(|remote| remote.rtp.is_ipv4() == is_v4 && remote.rtcp.is_ipv4() == is_v4);
    if fits { Ok(()) } else { Err(invalid("the remote address is of another family than the local one")) }
}

/// Video on ports of its own needs them, and sends from them.
fn check_video(config: &LegConfig, ports: &LegPorts) -> Result<(), Refusal> {
    let Some(transport) = config.video.as_ref().and_then(|video| video.transport.as_ref()) else {
        return Ok(());
    };
    if ports.video.is_none() {
        return Err(invalid("the leg has no ports for video: they are to be asked for first"));
    }
    check_family(transport.remote, ports)
}

/// The user fragment by which the shared port finds the leg.
fn check_ice(config: &LegConfig, shared: bool) -> Result<Option<Ufrag>, Refusal> {
    if !shared {
        return Ok(None);
    }
    let Some(ice) = &config.ice else {
        // See [`LegConfig::watched`].
        return if config.is_alone() { Ok(None) } else { Err(invalid("a leg on the shared port needs ICE")) };
    };
    if !config.rtcp_mux {
        return Err(invalid("a leg on the shared port needs multiplexed RTCP"));
    }
    let ufrag = Some(&ice.local.ufrag).filter(|ufrag| ufrag.len() >= MIN_UFRAG);
    match ufrag.and_then(|ufrag| Ufrag::new(ufrag)) {
        Some(ufrag) => Ok(Some(ufrag)),
        None => Err(invalid("the local ICE user fragment must have 8 to 32 characters")),
    }
}
