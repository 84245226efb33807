//! The rooms of a worker: their table, the requests about them, and their clocks.
//!
//! A room and everyone in it live on one worker. A session that ends leaves its rooms.

use super::Worker;
use super::batch::Departures;
use super::packets::WorkerOutbox;
use super::requests::ID_BITS;
use super::sessions::{SIDES, Sessions, index};
use crate::counters::Counters;
use crate::demux::Leg;
use crate::driver::Driver;
use tandem_control::{Refusal, Reply, Request, RoomId, SessionId, Side};
use tandem_media::Now;
use tandem_media::limits::MAX_ROOM_MEMBERS;
use tandem_media::room::{Members, Room};

/// The most rooms of one worker.
pub const MAX_ROOMS: usize = 256;

/// A table with a limit.
pub(super) struct Rooms {
    rooms: Vec<Option<Box<Entry>>>,
    /// The timer of the first; the others' follow.
    first_timer: usize,
}

struct Entry {
    id: RoomId,
    room: Room<Leg>,
}

impl Rooms {
    pub(super) fn new(first_timer: usize) -> Rooms {
        let mut rooms = Vec::with_capacity(MAX_ROOMS);
        rooms.resize_with(MAX_ROOMS, || None);
        Rooms { rooms, first_timer }
    }

    /// How many there are, and how many members they have.
    pub(super) fn count(&self) -> (usize, usize) {
        let rooms = self.rooms.iter().flatten();
        rooms.fold((0, 0), |(rooms, members), entry| (rooms + 1, members + entry.room.members().count()))
    }

    /// Which room a timer belongs to.
    pub(super) fn with_timer(&self, timer: usize) -> Option<usize> {
        timer.checked_sub(self.first_timer)
    }

    fn find(&self, id: RoomId) -> Result<usize, Refusal> {
        let place = self.rooms.iter().position(|entry| entry.as_ref().is_some_and(|entry| entry.id == id));
        place.ok_or(Refusal::UnknownRoom)
    }

    fn get_mut(&mut self, room: usize) -> Option<&mut Room<Leg>> {
        self.rooms.get_mut(room)?.as_mut().map(|entry| &mut entry.room)
    }
}

/// The seats of members, as a room finds them.
struct Seats<'a, D: Driver> {
    now: Now,
    sessions: &'a mut Sessions,
    driver: &'a mut D,
    departures: &'a mut Departures,
    counters: &'a mut Counters,
    /// A session has something to tell.
    news: bool,
}

impl<D: Driver> Members<Leg> for Seats<'_, D> {
    fn listen(&mut self, member: Leg, tick: &mut [i16]) -> bool {
        let Some(entry) = self.sessions.get_mut(member.session) else { return false };
        let speaks = entry.session.listen(self.now, member.side, tick);
        self.news |= entry.session.take_news();
        speaks
    }

    fn speak(&mut self, member: Leg, tick: &[i16]) {
        let Some(entry) = self.sessions.get_mut(member.session) else { return };
        let mut outbox =
            WorkerOutbox::new(&mut *self.driver, &mut *self.departures, &mut *self.counters, &entry.legs);
        entry.session.speak(self.now, member.side, tick, &mut outbox);
    }
}

impl<D: Driver> Worker<D> {
    /// Carries out one of the requests about rooms.
    pub(super) fn room_request(&mut self, now: Now, request: &Request) -> Result<Reply, Refusal> {
        match *request {
            Request::CreateRoom { rate, loudest, .. } => return self.create_room(now, rate, loudest),
            Request::DeleteRoom { room } => self.delete_room(room)?,
            Request::Join { session, side, room } => self.join(now, session, side, room)?,
            Request::Leave { session, side } => {
                let (leg, _) = self.seated(session, side)?;
                self.leave_room(leg);
            }
            Request::Mute { session, side, muted } => {
                let (leg, room) = self.seated(session, side)?;
                if let Some(room) = self.rooms.get_mut(room) {
                    room.mute(leg, muted);
                }
            }
            _ => return Err(Refusal::Invalid("not about a room".to_owned())),
        }
        Ok(Reply::Done)
    }

    fn create_room(&mut self, now: Now, rate: u32, loudest: u8) -> Result<Reply, Refusal> {
        let rate_error = || Refusal::Invalid("rooms mix at 8000, 16000 or 48000 Hz".to_owned());
        let room = Room::new(now.instant, rate, loudest).ok_or_else(rate_error)?;
        let free = self.rooms.rooms.iter().position(Option::is_none).ok_or(Refusal::Busy)?;
        let id = loop {
            let id = RoomId(((self.index as u64) << ID_BITS) | (self.random.u64(..) >> (64 - ID_BITS)));
            if self.rooms.find(id).is_err() {
                break id;
            }
        };
        self.rooms.rooms[free] = Some(Box::new(Entry { id, room }));
        Ok(Reply::RoomCreated { room: id })
    }

    fn delete_room(&mut self, id: RoomId) -> Result<(), Refusal> {
        let place = self.rooms.find(id)?;
        let members: Vec<Leg> =
            self.rooms.get_mut(place).map_or_else(Vec::new, |room| room.members().collect());
        members.into_iter().for_each(|member| self.leave_room(member));
        self.rooms.rooms[place] = None;
        Ok(())
    }

    fn join(&mut self, now: Now, session: SessionId, side: Side, id: RoomId) -> Result<(), Refusal> {
        let (session_index, entry) = self.entry(session)?;
        let before = entry.rooms[index(side)];
        if id.worker() != self.index {
            return Err(Refusal::Invalid("session and room have different workers".to_owned()));
        }
        let place = self.rooms.find(id)?;
        if before == Some(place) {
            return Ok(());
        }
        let member = Leg { session: session_index, side };
        let room = self.rooms.get_mut(place).ok_or(Refusal::UnknownRoom)?;
        let rate = room.rate();
        // Who is refused stays in the room that it is in.
        if !room.join(now.instant, member) {
            return Err(Refusal::Invalid("the room is full".to_owned()));
        }
        self.leave_room(member);
        let Some(entry) = self.sessions.get_mut(session_index) else { return Err(Refusal::UnknownSession) };
        entry.rooms[index(side)] = Some(place);
        let seated = entry.session.take_seat(side, rate);
        if seated.is_err() {
            self.leave_room(member);
        }
        self.arm_room(place);
        self.settle_session(session_index);
        seated
    }

    /// The room that a side is in.
    fn seated(&mut self, session: SessionId, side: Side) -> Result<(Leg, usize), Refusal> {
        let (session, entry) = self.entry(session)?;
        let room = entry.rooms[index(side)].ok_or_else(|| Refusal::Invalid("it is in no room".to_owned()))?;
        Ok((Leg { session, side }, room))
    }

    /// Takes a side out of its room, if it is in one.
    fn leave_room(&mut self, member: Leg) {
        let Some(entry) = self.sessions.get_mut(member.session) else { return };
        let Some(room) = entry.rooms[index(member.side)].take() else { return };
        entry.session.leave_seat(member.side);
        self.forget_member(room, member);
        self.settle_session(member.session);
    }

    /// A session is gone.
    pub(super) fn leave_rooms(&mut self, session: usize, rooms: [Option<usize>; 2]) {
        for (side, room) in SIDES.into_iter().zip(rooms) {
            if let Some(room) = room {
                self.forget_member(room, Leg { session, side });
            }
        }
    }

    fn forget_member(&mut self, room: usize, member: Leg) {
        if let Some(entry) = self.rooms.get_mut(room) {
            entry.leave(member);
            self.arm_room(room);
        }
    }

    /// The clock of a room ticks.
    pub(super) fn handle_room(&mut self, now: Now, room: usize) {
        let Some(entry) = self.rooms.get_mut(room) else { return };
        let mut seats = Seats {
            now,
            sessions: &mut self.sessions,
            driver: &mut self.driver,
            departures: &mut self.departures,
            counters: &mut self.counters,
            news: false,
        };
        entry.handle_timeout(now.instant, &mut seats);
        if seats.news {
            for place in 0..MAX_ROOM_MEMBERS {
                if let Some(member) = self.rooms.get_mut(room).and_then(|room| room.member(place)) {
                    self.settle_session(member.session);
                }
            }
        }
        self.arm_room(room);
    }

    fn arm_room(&mut self, room: usize) {
        let timer = self.rooms.first_timer + room;
        match self.rooms.get_mut(room).and_then(|room| room.next_timeout()) {
            Some(at) => self.timers.arm(timer, at),
            None => self.timers.cancel(timer),
        }
    }
}
