//! Rooms of telephones with different codecs, packet times and lines, each saying a tone of its own.

use super::*;
use crate::codecs;
use crate::limits::MAX_ROOM_MEMBERS;
use crate::room::{Members, Room};
use tandem_codec::{Decoder, Encoder};
use tandem_control::{OpusEncoding, Treatment};

const G722: (u8, Codec, u32) = (9, Codec::G722, 8000);
const G729: (u8, Codec, u32) = (18, Codec::G729, 8000);
const SPEEX_WIDE: (u8, Codec, u32) = (97, Codec::Speex, 16_000);

/// A session whose side A is a telephone that says a tone.
struct Caller {
    fixture: Fixture,
    coding: (u8, Codec, u32),
    ptime_ms: u64,
    hertz: f32,
    rate: u32,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    spoken: usize,
    sequence: u16,
    /// Packets on their way, and how long the line delays each at most.
    line: Vec<(u64, Vec<u8>)>,
    jitter_ms: u64,
    loss_percent: u32,
    /// When it speaks next, in microseconds, and how much faster its clock is than ours, in millionths.
    speaks_at: u64,
    drift_ppm: i64,
    heard: Vec<i16>,
}

impl Caller {
    fn new(coding: (u8, Codec, u32), ptime_ms: u64, hertz: f32) -> Caller {
        let rate = codecs::native_rate(coding.1, coding.2).unwrap_or(48_000);
        let mut config = leg(Side::A, &[coding]);
        config.audio.ptime_ms = ptime_ms as u8;
        Caller {
            fixture: Fixture::between(&config, &leg(Side::B, &[PCMU])),
            coding,
            ptime_ms,
            hertz,
            rate,
            encoder: codecs::encoder(coding.1, rate, &OpusEncoding::default()).unwrap(),
            decoder: codecs::decoder(coding.1, rate).unwrap(),
            spoken: 0,
            sequence: 65_500,
            line: Vec::new(),
            jitter_ms: 0,
            loss_percent: 0,
            speaks_at: 0,
            drift_ppm: 0,
            heard: Vec::new(),
        }
    }

    fn speak(&mut self, time_ms: u64, random: &mut fastrand::Rng) {
        let samples = self.rate as usize / 1000 * self.ptime_ms as usize;
        let angle = |n: usize| n as f32 * self.hertz * std::f32::consts::TAU / self.rate as f32;
        let pcm: Vec<i16> =
            (self.spoken..self.spoken + samples).map(|n| (angle(n).sin() * 5000.0) as i16).collect();
        let mut payload = [0; 1400];
        let len = self.encoder.encode(&pcm, &mut payload).unwrap();
        let timestamp = (self.spoken as u64 * u64::from(self.coding.2) / u64::from(self.rate)) as u32;
        self.spoken += samples;
        self.sequence = self.sequence.wrapping_add(1);
        if random.u32(..100) >= self.loss_percent {
            let packet = speech(self.sequence, timestamp, self.coding.0, 7, &payload[..len]);
            self.line.push((time_ms + random.u64(..=self.jitter_ms), packet));
        }
    }

    /// Decodes what was sent to it, checked to be one stream.
    fn hear(&mut self) {
        let packets = std::mem::take(&mut self.fixture.sent.packets);
        // Who is in no room is heard by the other side of its session.
        for (.., bytes) in
            packets.iter().filter(|(side, .., bytes)| *side == Side::A && !rtcp::is_rtcp(bytes))
        {
            let parsed = rtp::parse(bytes).unwrap();
            let mut pcm = [0; 9600];
            let samples = self.decoder.decode(parsed.payload(bytes), &mut pcm).unwrap();
            assert_eq!(samples, self.rate as usize / 1000 * self.ptime_ms as usize);
            self.heard.extend_from_slice(&pcm[..samples]);
        }
    }

    /// How much of what it heard in the last `ms` milliseconds is at a frequency.
    fn amplitude(&self, hertz: f32, ms: usize) -> f32 {
        let len = self.rate as usize / 1000 * ms;
        let pcm = &self.heard[self.heard.len() - len..];
        let (mut cosine, mut sine) = (0.0, 0.0);
        for (n, sample) in pcm.iter().enumerate() {
            let angle = n as f32 * hertz * std::f32::consts::TAU / self.rate as f32;
            cosine += f32::from(*sample) * angle.cos();
            sine += f32::from(*sample) * angle.sin();
        }
        2.0 * cosine.hypot(sine) / len as f32
    }
}

/// A room with all of them in it, in virtual time.
struct World {
    callers: Vec<Caller>,
    room: Room<usize>,
    time_ms: u64,
    random: fastrand::Rng,
}

struct Seats<'a>(&'a mut [Caller]);

impl Members<usize> for Seats<'_> {
    fn listen(&mut self, member: usize, tick: &mut [i16]) -> bool {
        let fixture = &mut self.0[member].fixture;
        fixture.session.listen(fixture.now, Side::A, tick)
    }

    fn speak(&mut self, member: usize, tick: &[i16]) {
        let fixture = &mut self.0[member].fixture;
        fixture.session.speak(fixture.now, Side::A, tick, &mut fixture.sent);
    }
}

impl World {
    fn new(callers: Vec<Caller>, rate: u32, loudest: u8) -> World {
        let now = callers[0].fixture.now.instant;
        let room = Room::new(now, rate, loudest).unwrap();
        let mut world = World { callers, room, time_ms: 0, random: fastrand::Rng::with_seed(5) };
        for caller in &mut world.callers {
            caller.fixture.now.instant = now;
        }
        (0..world.callers.len()).for_each(|member| world.join(member));
        world
    }

    fn join(&mut self, member: usize) {
        let fixture = &mut self.callers[member].fixture;
        assert!(self.room.join(fixture.now.instant, member));
        fixture.session.take_seat(Side::A, self.room.rate()).unwrap();
    }

    fn leave(&mut self, member: usize) {
        self.room.leave(member);
        self.callers[member].fixture.session.leave_seat(Side::A);
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            for caller in &mut self.callers {
                if caller.speaks_at <= self.time_ms * 1000 {
                    caller.speak(self.time_ms, &mut self.random);
                    caller.speaks_at +=
                        caller.ptime_ms * 1_000_000_000 / 1_000_000u64.strict_add_signed(caller.drift_ppm);
                }
                for (_, packet) in
                    caller.line.extract_if(.., |(at, _)| *at <= self.time_ms).collect::<Vec<_>>()
                {
                    let _ = caller.fixture.receive(Side::A, &packet);
                }
            }
            let now = self.callers[0].fixture.now.instant;
            if self.room.next_timeout().is_some_and(|due| due <= now) {
                self.room.handle_timeout(now, &mut Seats(&mut self.callers));
            }
            self.time_ms += 1;
            for caller in &mut self.callers {
                caller.hear();
                caller.fixture.pass(1);
            }
        }
    }

    /// Each hears every other one, and not itself.
    fn check(&self, what: &str) {
        for (listener, caller) in self.callers.iter().enumerate() {
            for (speaker, other) in self.callers.iter().enumerate() {
                let amplitude = caller.amplitude(other.hertz, 1000);
                let is_heard = amplitude > 1500.0;
                let is_silent = amplitude < 250.0;
                let expected = if listener == speaker { is_silent } else { is_heard };
                assert!(expected, "{what}: {listener} hears {speaker} at {amplitude}");
            }
        }
    }
}

fn callers() -> Vec<Caller> {
    vec![
        Caller::new(PCMU, 20, 400.0),
        Caller::new(OPUS, 20, 700.0),
        Caller::new(G722, 30, 1100.0),
        Caller::new(SPEEX_WIDE, 40, 1700.0),
        Caller::new(PCMA, 10, 2300.0),
        Caller::new(OPUS, 60, 2900.0),
    ]
}

#[test]
fn each_hears_the_others_and_not_itself_whatever_the_codecs_and_packet_times() {
    for rate in [8000, 16_000, 48_000] {
        let mut world = World::new(callers(), rate, 0);
        world.run(2500);
        world.check(&format!("{rate} Hz"));
        for caller in &world.callers {
            let stats = &caller.fixture.session.stats(caller.fixture.now).legs[0];
            assert_eq!((stats.late, stats.lost), (0, 0));
        }
    }
}

#[test]
fn a_voice_codec_is_heard_too() {
    let mut world = World::new(vec![Caller::new(G729, 20, 500.0), Caller::new(PCMU, 20, 900.0)], 8000, 0);
    world.run(2000);
    let amplitudes = [world.callers[0].amplitude(900.0, 1000), world.callers[1].amplitude(500.0, 1000)];
    assert!(amplitudes.iter().all(|&amplitude| amplitude > 1000.0), "{amplitudes:?}");
    assert!(world.callers[1].amplitude(900.0, 1000) < 250.0);
}

#[test]
fn jitter_and_loss_of_one_line_do_not_silence_anyone() {
    let mut world = World::new(callers(), 16_000, 0);
    for caller in &mut world.callers[..3] {
        (caller.jitter_ms, caller.loss_percent) = (50, 3);
    }
    world.run(12_000);
    world.check("jitter");
    let stats = |caller: &Caller| caller.fixture.session.stats(caller.fixture.now).legs[0].clone();
    for caller in &world.callers[..3] {
        let stats = stats(caller);
        assert!(stats.concealed > 0 && stats.late < stats.received.packets / 20, "{stats:?}");
    }
    assert_eq!(stats(&world.callers[4]).concealed, 0);
}

#[test]
fn the_loudest_are_heard_and_the_muted_and_the_gone_are_not() {
    let mut world = World::new(callers(), 16_000, 0);
    world.run(1500);
    world.room.mute(1, true);
    world.leave(4);
    world.run(1500);
    let heard = |world: &World, listener: usize, speaker: usize| {
        world.callers[listener].amplitude(world.callers[speaker].hertz, 1000)
    };
    assert!(heard(&world, 0, 1) < 250.0 && heard(&world, 0, 4) < 250.0);
    assert!(heard(&world, 0, 2) > 1500.0 && heard(&world, 1, 0) > 1500.0, "the muted still hear");
    world.room.mute(1, false);
    world.join(4);
    world.run(1500);
    world.check("back again");

    let mut few = World::new(callers(), 16_000, 2);
    few.run(1500);
    let speakers = (1..6).filter(|&speaker| heard(&few, 0, speaker) > 1500.0).count();
    assert!((1..=2).contains(&speakers), "{speakers}");
}

#[test]
fn nobody_hears_a_click_when_someone_comes_or_goes() {
    let mut world = World::new(vec![Caller::new(PCMU, 20, 400.0), Caller::new(PCMU, 20, 300.0)], 8000, 0);
    world.run(1000);
    for _ in 0..5 {
        world.leave(0);
        world.run(97);
        world.join(0);
        world.run(211);
        world.room.mute(0, true);
        world.run(53);
        world.room.mute(0, false);
        world.run(105);
    }
    let heard = &world.callers[1].heard;
    let step = heard.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap();
    // The tone itself makes steps of 5000 * 2 pi * 400 / 8000 = 1571; mu-law and the ramps add to that.
    assert!(step < 2000, "{step}");
}

/// A clock that is off by 1000 ppm: in 100 seconds what one in ten minutes is that is off by 160.
#[test]
fn clocks_that_drift_are_followed_without_clicks_even_where_nobody_pauses() {
    for drift_ppm in [1000, -1000] {
        let mut world = World::new(vec![Caller::new(PCMU, 20, 400.0), Caller::new(PCMU, 20, 300.0)], 8000, 0);
        world.callers[0].drift_ppm = drift_ppm;
        world.run(100_000);
        let Caller { heard, .. } = &world.callers[1];
        let step = heard[8000..].windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
        // As where someone comes or goes; a repair joins what does not quite fit.
        assert!(step < Some(2300), "{drift_ppm} ppm: {step:?}");
        let speaker = &world.callers[0].fixture;
        let stats = &speaker.session.stats(speaker.now).legs[0];
        assert_eq!((stats.late, stats.lost), (0, 0), "{drift_ppm} ppm");
        assert!(world.callers[1].amplitude(400.0, 1000) > 3500.0);
        // How long another tone takes to be heard: two packets, two ticks, and what is not yet worth a repair.
        world.callers[0].hertz = 800.0;
        let latency = (0..).step_by(5).find(|_| {
            world.run(5);
            world.callers[1].amplitude(800.0, 20) > 2000.0
        });
        assert!(latency < Some(130), "{drift_ppm} ppm: {latency:?} ms");
    }
}

#[test]
fn whoever_leaves_hears_the_other_side_again() {
    let mut world = World::new(vec![Caller::new(PCMU, 20, 400.0), Caller::new(PCMU, 20, 900.0)], 8000, 0);
    world.run(500);
    let fixture = &mut world.callers[0].fixture;
    let from_b = |n: u16| speech(n, u32::from(n) * 160, 0, 9, &[0x55; 160]);
    assert_eq!(fixture.receive(Side::B, &from_b(1)), Err(DropReason::HearsRoom));
    world.leave(0);
    let fixture = &mut world.callers[0].fixture;
    assert!(fixture.receive(Side::B, &from_b(2)).unwrap().is_some());
    assert!(fixture.receive(Side::A, &speech(1, 1_000_000, 0, 8, &[0x55; 160])).unwrap().is_some());
}

#[test]
fn a_new_codec_or_silence_in_mid_room_is_followed() {
    let mut world = World::new(vec![Caller::new(PCMU, 20, 400.0), Caller::new(PCMU, 20, 900.0)], 8000, 0);
    world.run(1500);
    let mut silenced = leg(Side::A, &[PCMU]);
    silenced.audio.speech = Treatment::Silenced;
    world.callers[0].fixture.configure(Side::A, &silenced);
    world.run(1500);
    assert!(world.callers[1].amplitude(400.0, 1000) < 100.0);
    assert!(world.callers[0].amplitude(900.0, 1000) > 1500.0);
    let Caller { heard, .. } = std::mem::replace(&mut world.callers[0], Caller::new(G722, 20, 400.0));
    assert!(!heard.is_empty());
    world.callers[0].fixture.now = world.callers[1].fixture.now;
    world.callers[0].fixture.session.take_seat(Side::A, 8000).unwrap();
    world.callers[0].fixture.configure(Side::A, &leg(Side::A, &[G722]));
    world.run(1500);
    world.check("in another codec");
}

#[test]
fn keys_pressed_in_a_room_are_told_and_no_packet_counts_as_lost() {
    let mut world = World::new(vec![Caller::new(PCMU, 20, 400.0), Caller::new(PCMU, 20, 900.0)], 8000, 0);
    world.callers[0].fixture.configure(Side::A, &leg(Side::A, &[PCMU, EVENT]));
    world.run(1000);
    let caller = &mut world.callers[0];
    caller.fixture.events();
    for n in 1..=5u16 {
        caller.sequence = caller.sequence.wrapping_add(1);
        let event = dtmf_payload(7, n == 5, n * 160);
        let packet = speech(caller.sequence, caller.spoken as u32, 101, 7, &event);
        assert_eq!(caller.fixture.receive(Side::A, &packet), Ok(None));
    }
    caller.spoken += 800;
    caller.speaks_at += 100_000;
    world.run(1500);
    let caller = &mut world.callers[0];
    assert_eq!(caller.fixture.events(), [EventKind::Digit { side: Side::A, event: 7, duration_ms: 100 }]);
    let stats = &caller.fixture.session.stats(caller.fixture.now).legs[0];
    assert_eq!((stats.concealed, stats.late, stats.dropped), (0, 0, 0));
    world.check("after a key");
}

#[test]
fn keys_that_are_tones_are_told_and_not_heard_by_others() {
    let mut world = World::new(vec![Caller::new(PCMU, 20, 400.0), Caller::new(PCMU, 20, 900.0)], 16_000, 0);
    let mut detecting = leg(Side::A, &[PCMU]);
    detecting.audio.detect_tones = true;
    world.callers[0].fixture.configure(Side::A, &detecting);
    world.run(1000);
    world.callers[0].fixture.events();
    // Key 5, and silence behind it.
    let step = tandem_codec::tones::Step::digit(5, -9.0, 200).unwrap();
    let mut pcm = [0; 1920];
    tandem_codec::tones::Tone::new(8000, &step).fill(&mut pcm);
    for packet in pcm.chunks(160) {
        let caller = &mut world.callers[0];
        let mut payload = [0; 160];
        caller.encoder.encode(packet, &mut payload).unwrap();
        caller.sequence = caller.sequence.wrapping_add(1);
        let packet = speech(caller.sequence, caller.spoken as u32, 0, 7, &payload);
        caller.spoken += 160;
        caller.speaks_at += 20_000;
        caller.fixture.receive(Side::A, &packet).unwrap();
        world.run(20);
    }
    world.run(300);
    let [EventKind::Digit { side: Side::A, event: 5, duration_ms }] = world.callers[0].fixture.events()[..]
    else {
        panic!("not one digit");
    };
    assert!(duration_ms.abs_diff(200) <= 5, "{duration_ms}");
    for hertz in [770.0, 1336.0] {
        assert!(world.callers[1].amplitude(hertz, 500) < 500.0);
    }
}

#[test]
fn rooms_are_bounded_and_their_rates_few() {
    let now = Instant::now();
    assert!(Room::<usize>::new(now, 44_100, 0).is_none());
    let mut room = Room::new(now, 8000, 3).unwrap();
    assert_eq!(room.next_timeout(), None);
    assert_eq!((0..100).filter(|&member| room.join(now, member)).count(), MAX_ROOM_MEMBERS);
    assert_eq!(room.next_timeout(), Some(now));
    (0..100).for_each(|member| room.leave(member));
    assert_eq!((room.members().count(), room.next_timeout()), (0, None));
}
