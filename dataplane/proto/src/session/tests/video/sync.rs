//! Sound and picture stay together: the reports that go out.

use super::*;
use crate::rtcp::{Compound, Item, SenderInfo};

/// What the browser's clock is behind ours.
const BEHIND: Duration = Duration::from_secs(40_000);
/// What a picture needs to be encoded and sent, and sound does not.
const ENCODING_MS: u64 = 120;
/// Between sender and us.
const WAY_MS: u64 = 30;

/// A browser that hears and sees a clapper each 20 ms of its clock.
struct Browser {
    start: Now,
    random: fastrand::Rng,
}

impl Browser {
    fn report(&self, fixture: &Fixture, ssrc: u32, clock: u64) -> Vec<u8> {
        let passed = fixture.now.unix - self.start.unix - Duration::from_millis(WAY_MS);
        let info = SenderInfo {
            ntp: rtcp::ntp(self.start.unix + passed - BEHIND),
            rtp: (passed.as_micros() as u64 * clock / 1_000_000) as u32,
            packets: 1,
            octets: 1,
        };
        let mut buffer = [0; 64];
        let mut writer = rtcp::Writer::new(&mut buffer);
        writer.report(ssrc, Some(info), None).unwrap();
        let len = writer.len();
        buffer[..len].to_vec()
    }

    /// Sends for five seconds; `at_ms` calls the tests when what was captured then has come.
    fn send(&mut self, fixture: &mut Fixture, coding: (u8, u32), clap: &mut Claps) {
        for n in 0..250u32 {
            let jitter = self.random.u64(0..4);
            fixture.run(20 - jitter);
            let heard = n * 20 * (coding.1 / 1000);
            let sound = speech(n as u16, heard, coding.0, 7, &[0xff; 160]);
            let out = fixture.receive(Side::A, &sound).unwrap();
            if let Some((_, bytes)) = out {
                clap.sound = rtp::parse(&bytes).unwrap().header.timestamp;
            } else if let Some((header, _)) = fixture.sent.rtp().last() {
                clap.sound = header.timestamp;
            }
            clap.sound_ms = u64::from(n) * 20;
            if let Some(seen_ms) = (u64::from(n) * 20).checked_sub(ENCODING_MS) {
                let picture = speech(n as u16, (seen_ms * 90) as u32, 102, PICTURES, b"x");
                let (_, header, _) = shown(fixture, Side::A, &picture);
                (clap.picture, clap.picture_ms) = (header.timestamp, seen_ms);
            }
            fixture.run(jitter);
            if n % 50 == 25 {
                // One compound packet, as browsers send them.
                let mut compound = self.report(fixture, PICTURES, 90_000);
                compound.extend(self.report(fixture, 7, coding.1.into()));
                fixture.receive(Side::A, &compound).unwrap();
            }
        }
    }
}

/// The newest of what went out, and when its sender captured it.
#[derive(Default)]
struct Claps {
    sound: u32,
    sound_ms: u64,
    picture: u32,
    picture_ms: u64,
}

/// By the reports to B, when (in milliseconds of the clock that they tell) something with that time stamp was captured.
fn told(fixture: &Fixture, component: Component, ssrc: u32, timestamp: u32, clock: u64) -> f64 {
    let of_b = fixture.sent.packets.iter().filter(|sent| sent.0 == Side::B && sent.1 == component);
    let infos = of_b.filter(|sent| rtcp::is_rtcp(&sent.3)).flat_map(|(.., bytes)| {
        let items = Compound::parse(bytes).unwrap();
        items.filter_map(|item| match item {
            Item::SenderReport { ssrc: whose, info, .. } if whose == ssrc => Some(info),
            _ => None,
        })
    });
    let info = infos.last().unwrap();
    let after = f64::from(timestamp.wrapping_sub(info.rtp).cast_signed()) * 1000.0 / clock as f64;
    let ntp_ms = (info.ntp & 0xff_ffff_ffff) as f64 * 1000.0 / (1u64 << 32) as f64;
    ntp_ms + after
}

/// How far sound and picture of one instant are apart by what is told, in milliseconds.
fn skew(b: &LegConfig, coding: (u8, Codec, u32), clock_out: u64) -> f64 {
    let mut a = bundled(Side::A, &[(102, H264)]);
    a.rtcp_mux = true;
    a.audio = leg(Side::A, &[coding]).audio;
    let mut fixture = Fixture::between(&a, b);
    let mut browser = Browser { start: fixture.now, random: fastrand::Rng::with_seed(3) };
    let mut claps = Claps::default();
    browser.send(&mut fixture, (coding.0, coding.2), &mut claps);
    fixture.sent.packets.retain(|sent| rtcp::is_rtcp(&sent.3));
    fixture.run(8_000);
    let ssrc = fixture.session.stats(fixture.now).legs[1].sent.ssrc.unwrap();
    let sound = told(&fixture, Component::Rtcp, ssrc, claps.sound, clock_out);
    let picture = told(&fixture, Component::Rtcp, our_ssrc(Side::B), claps.picture, 90_000);
    (sound - claps.sound_ms as f64) - (picture - claps.picture_ms as f64)
}

#[test]
fn sound_and_picture_are_told_as_their_sender_captured_them() {
    let skew = skew(&bundled(Side::B, &[(96, H264)]), PCMU, 8000);
    assert!(skew.abs() < 1.0, "{skew}");
}

#[test]
fn sound_that_is_transcoded_stays_in_time_within_a_packet() {
    let mut b = bundled(Side::B, &[(96, H264)]);
    b.audio = leg(Side::B, &[OPUS]).audio;
    let skew = skew(&b, PCMU, 48_000);
    assert!(skew.abs() <= 25.0, "{skew}");
}

#[test]
fn a_round_trip_is_still_measured() {
    let mut fixture = Fixture::between(&bundled(Side::A, &[(102, H264)]), &bundled(Side::B, &[(96, H264)]));
    let mut browser = Browser { start: fixture.now, random: fastrand::Rng::with_seed(3) };
    let mut a = bundled(Side::A, &[(102, H264)]);
    a.rtcp_mux = true;
    fixture.configure(Side::A, &a);
    browser.send(&mut fixture, (0, 8000), &mut Claps::default());
    let reported = fixture.sent.packets.iter().rev().find_map(|(side, _, _, bytes)| {
        let item = Compound::parse(bytes).ok()?.next()?;
        let Item::SenderReport { ssrc, info, .. } = item else { return None };
        (*side == Side::B && ssrc == our_ssrc(Side::B)).then_some(info.ntp)
    });
    let last_report = rtcp::middle(reported.unwrap());
    let arrived = rtcp::middle(rtcp::ntp(fixture.now.unix));
    // The receiver reports at once, and its report takes 100 ms.
    let delay = arrived.wrapping_sub(last_report);
    fixture.pass(100);
    let block = rtcp::ReportBlock {
        ssrc: our_ssrc(Side::B),
        fraction_lost: 0,
        lost: 0,
        highest: 1,
        jitter: 0,
        last_report,
        delay,
    };
    let mut buffer = [0; 64];
    let mut writer = rtcp::Writer::new(&mut buffer);
    writer.report(PICTURES, None, Some(block)).unwrap();
    let len = writer.len();
    let source = SocketAddr::new(peer(Side::B).ip(), 4001);
    fixture.receive_at(Side::B, Component::Rtcp, source, &buffer[..len]).unwrap();
    let video = fixture.session.stats(fixture.now).legs[1].video.clone().unwrap();
    let round_trip = video.round_trip_us.unwrap();
    assert!((99_000..101_000).contains(&round_trip), "{round_trip}");
}
