//! The seats that the sides of a session have in rooms.

use tandem_control::{Audio, LegConfig, Refusal, Side};

use super::{Half, LegSink, Outbox, Session, digit_event};
use crate::Now;
use crate::bridge::Bridge;
use crate::decoding::Repairs;
use crate::drops::DropReason;
use crate::encoding::Target;
use crate::packet::Packet;
use crate::reception::Place;
use crate::routes::Entry;
use crate::rtp::Parsed;
use crate::seat::Seat;

/// What became of packets in rooms.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// They came too late to be heard.
    late: u64,
    repairs: Repairs,
}

impl Half {
    /// Packets of its peer that came too late, wherever it was heard.
    pub(super) fn late(&self) -> u64 {
        self.bridge.late + self.figures_in_rooms().late
    }

    /// What became of its peer's lost packets, wherever it was heard.
    pub(super) fn repairs(&self) -> Repairs {
        self.bridge.repairs() + self.figures_in_rooms().repairs
    }

    /// Of all rooms that it was in, and is.
    fn figures_in_rooms(&self) -> Figures {
        let before = self.in_rooms;
        let Some(seat) = &self.seat else { return before };
        Figures { late: before.late + seat.late(), repairs: before.repairs + seat.repairs() }
    }
}

impl Session {
    /// Gives a side a seat in a room that mixes at `rate`, in Hz: its peer hears the room in the place of the other
    /// side, and the other side no longer hears it.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the session watches another one, or a codec says so.
    pub fn take_seat(&mut self, side: Side, rate: u32) -> Result<(), Refusal> {
        if self.is_watching() {
            return Err(Refusal::Invalid("a session that watches cannot be in a room".into()));
        }
        let (here, there) = self.split(side);
        let seat = Seat::new(&here.leg.config().audio, rate).map_err(codec)?;
        here.seat = Some(Box::new(seat));
        here.bridge.interrupt();
        there.bridge.interrupt();
        self.news = true;
        Ok(())
    }

    /// The side has left its room: both sides hear each other again.
    pub fn leave_seat(&mut self, side: Side) {
        if let Some(seat) = &mut self.split(side).0.seat {
            seat.finish();
        }
        self.tell_digits(side);
        let (here, there) = self.split(side);
        here.in_rooms = here.figures_in_rooms();
        if here.seat.take().is_none() {
            return;
        }
        here.bridge.interrupt();
        there.bridge.interrupt();
        self.news = true;
    }

    /// Writes a tick of what the peer on that side says in its room; `false` if it says nothing.
    pub fn listen(&mut self, now: Now, side: Side, tick: &mut [i16]) -> bool {
        let Some(seat) = &mut self.split(side).0.seat else { return false };
        let speaks = seat.listen(now.instant, tick);
        self.tell_digits(side);
        speaks
    }

    fn tell_digits(&mut self, side: Side) {
        while let Some(digit) = self.split(side).0.seat.as_mut().and_then(|seat| seat.take_found()) {
            self.events.push(digit_event(side, digit));
            self.news = true;
        }
    }

    /// Lets the peer on that side hear a tick of its room, unless it hears a digit or something that is played.
    pub fn speak(&mut self, now: Now, side: Side, tick: &[i16], out: &mut impl Outbox) {
        let (here, there) = self.split(side);
        let is_reachable = here.hears_at().is_ok() && there.bridge.replaced().is_none();
        let Half { seat: Some(seat), leg, .. } = here else { return };
        if !is_reachable {
            return seat.pause();
        }
        let sink = &mut LegSink { side, leg, out };
        let Bridge { output, stopwatch, .. } = &mut there.bridge;
        seat.speak(tick, &mut Target::timed(now.instant, output, sink, stopwatch));
    }

    /// Goes on as prepared.
    pub(super) fn configure_seats(&mut self, seats: [Option<Seat>; 2]) {
        for (half, seat) in self.sides.iter_mut().zip(seats) {
            if let Some(seat) = seat {
                half.in_rooms = half.figures_in_rooms();
                half.seat = Some(Box::new(seat));
            }
        }
    }
}

/// The seats for what the sides send and take from now on; `None` keeps what is there.
///
/// # Errors
/// [`Refusal::Invalid`] if a codec says so.
pub(super) fn prepare_seats(
    halves: [&Half; 2],
    legs: [Option<&LegConfig>; 2],
) -> Result<[Option<Seat>; 2], Refusal> {
    let prepare = |half: &Half, leg: Option<&LegConfig>| {
        let Some((seat, leg)) = half.seat.as_ref().zip(leg) else { return Ok(None) };
        let is_same = same_voice(&half.leg.config().audio, &leg.audio);
        if is_same { Ok(None) } else { seat.anew(&leg.audio).map(Some).map_err(codec) }
    };
    Ok([prepare(halves[0], legs[0])?, prepare(halves[1], legs[1])?])
}

/// Gives a packet of `here` to the room that it is in, or withholds it from a side that hears a room. `None` if it goes
/// its usual way.
pub(super) fn divert(
    now: Now,
    here: &mut Half,
    there: &Half,
    place: Place,
    entry: Option<&Entry>,
    parsed: &Parsed,
    packet: &Packet<'_>,
) -> Option<Result<(), DropReason>> {
    if let Some(seat) = &mut here.seat {
        here.bridge.note_speech(entry);
        return Some(seat.packet(now.instant, place, parsed, packet.bytes()));
    }
    there.seat.as_ref().map(|_| Err(DropReason::HearsRoom))
}

/// Whether nothing has changed that a seat depends on.
fn same_voice(one: &Audio, other: &Audio) -> bool {
    one.receive == other.receive
        && one.send == other.send
        && one.ptime_ms == other.ptime_ms
        && one.opus == other.opus
        && one.speech == other.speech
        && one.detect_tones == other.detect_tones
}

fn codec(error: tandem_codec::CodecError) -> Refusal {
    Refusal::Invalid(format!("codec: {error}"))
}
