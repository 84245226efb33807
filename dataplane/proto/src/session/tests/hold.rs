//! A hold of eleven minutes, with SRTP on both sides: longer than half of the sequence numbers, and over a roll-over of
//! them, where a receiver that lost count would take nothing any more (attacks.md row 20).

use super::*;

const HELD_SECONDS: u64 = 11 * 60;
/// Packets of both sides in a second.
const RATE: u64 = 50;

/// A peer with keys of its own. What it cannot read, or has read before, ends the test.
struct Party {
    side: Side,
    coding: (u8, Codec, u32),
    outbound: Outbound,
    inbound: Inbound,
    sequence: u16,
    timestamp: u32,
    heard: u64,
}

impl Party {
    fn new(side: Side, coding: (u8, Codec, u32), suite: SrtpSuite) -> Party {
        let [ours, theirs] = keys(side, suite);
        let outbound = Outbound::new(&theirs).unwrap();
        let inbound = Inbound::new(&ours).unwrap();
        Party { side, coding, outbound, inbound, sequence: 40_000, timestamp: 0, heard: 0 }
    }

    fn leg(&self, suite: SrtpSuite) -> LegConfig {
        let [send, receive] = keys(self.side, suite);
        LegConfig {
            security: Security::Sdes { send, receive: Some(receive) },
            ..leg(self.side, &[self.coding])
        }
    }

    /// Its next packet.
    fn speech(&mut self) -> Vec<u8> {
        let (number, _, clock) = self.coding;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(clock / 50);
        // A whole frame of either coding: to Opus it is one of silence.
        let payload: &[u8] = if clock == 8000 { &[0xff; 160] } else { &[0xf8, 0xff, 0xfe] };
        let mut bytes = speech(self.sequence, self.timestamp, number, 7, payload);
        let length = bytes.len();
        bytes.resize(length + TAILROOM, 0);
        let length = self.outbound.protect(&mut bytes, length).unwrap();
        bytes.truncate(length);
        bytes
    }

    fn hears(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if rtcp::is_rtcp(&bytes) {
            self.inbound.unprotect_rtcp(&mut bytes).expect("a report that it can read");
        } else {
            self.inbound.unprotect(&mut bytes).expect("a packet that it can read, and did not have before");
            self.heard += 1;
        }
    }
}

/// What we send with on a side, and what its peer does.
fn keys(side: Side, suite: SrtpSuite) -> [SrtpKey; 2] {
    let fill = if side == Side::A { 1 } else { 3 };
    [key(suite, fill), key(suite, fill + 1)]
}

/// Some seconds, in which both talk or neither does; each hears what it is sent.
fn pass_seconds(fixture: &mut Fixture, parties: &mut [Party; 2], seconds: u64, talking: bool) {
    for _ in 0..seconds * RATE {
        for from in 0..2 {
            let side = parties[from].side;
            if !talking {
                continue;
            }
            let packet = parties[from].speech();
            if let Ok(Some((_, bytes))) = fixture.receive(side, &packet) {
                parties[1 - from].hears(&bytes);
            }
        }
        fixture.run(1000 / RATE);
        for (side, _, _, bytes) in std::mem::take(&mut fixture.sent.packets) {
            parties[if side == Side::A { 0 } else { 1 }].hears(&bytes);
        }
    }
    fixture.events();
}

/// Both heard nearly all of what was said in these seconds.
fn assert_both_hear(fixture: &mut Fixture, parties: &mut [Party; 2], seconds: u64) {
    let before = [parties[0].heard, parties[1].heard];
    pass_seconds(fixture, parties, seconds, true);
    for (party, before) in parties.iter().zip(before) {
        let heard = party.heard - before;
        assert!(heard * 10 >= seconds * RATE * 9, "{:?} heard {heard} packets", party.side);
    }
}

/// `talking`: the peers go on sending on hold, as many do.
fn hold_for_long(codings: [(u8, Codec, u32); 2], suite: SrtpSuite, talking: bool, music: bool) {
    let mut parties = [Party::new(Side::A, codings[0], suite), Party::new(Side::B, codings[1], suite)];
    let open = [parties[0].leg(suite), parties[1].leg(suite)];
    let mut fixture = Fixture::between(&open[0], &open[1]);
    assert_both_hear(&mut fixture, &mut parties, 2);
    for _ in 0..2 {
        let mut held = open.clone();
        for (side, leg) in [Side::A, Side::B].into_iter().zip(&mut held) {
            leg.audio.may_receive = false;
            leg.audio.may_send = music && side == Side::B;
            fixture.configure(side, leg);
        }
        if music {
            let waltz = media::Ramp::new(usize::MAX);
            fixture.session.play(fixture.now, Side::B, 1, (Box::new(waltz), 8000)).unwrap();
        }
        let before = [parties[0].heard, parties[1].heard];
        pass_seconds(&mut fixture, &mut parties, HELD_SECONDS, talking);
        assert_eq!(parties[0].heard, before[0], "who holds hears nothing");
        let played = parties[1].heard - before[1];
        assert!(if music { played > HELD_SECONDS * RATE * 9 / 10 } else { played == 0 }, "{played} packets");
        fixture.session.stop_play(Side::B);
        fixture.configure(Side::A, &open[0]);
        fixture.configure(Side::B, &open[1]);
        assert_both_hear(&mut fixture, &mut parties, 2);
    }
    let faults = [DropReason::SrtpReplay, DropReason::SrtpAuthentication, DropReason::SrtpProtect];
    assert!(!fixture.sent.dropped.iter().any(|reason| faults.contains(reason)), "{:?}", fixture.sent.dropped);
}

#[test]
fn forwarded_speech_goes_on_after_a_long_hold_in_which_the_peers_went_on_talking() {
    hold_for_long([PCMU, PCMU], SrtpSuite::AesCm128HmacSha1_80, true, false);
}

#[test]
fn forwarded_speech_goes_on_after_a_long_silence() {
    hold_for_long([PCMU, PCMU], SrtpSuite::AeadAes128Gcm, false, false);
}

#[test]
fn transcoded_speech_goes_on_after_a_long_hold_with_music() {
    hold_for_long([OPUS, PCMU], SrtpSuite::AesCm128HmacSha1_80, true, true);
}
