//! What looks into video, and what keeps some of it.

use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tandem_control::PictureSize;
use tandem_media::limits::{MAX_DATAGRAM, TAILROOM};
use tandem_media::packet::Packet;
use tandem_media::rtcp::{Compound, Item};
use tandem_media::rtp;
use tandem_media::video::arrivals::Arrivals;
use tandem_media::video::extension::transport_sequence;
use tandem_media::video::feedback::Feedback;
use tandem_media::video::hold::{Hold, Turn};
use tandem_media::video::limits::{MAX_FEEDBACK, MAX_MACROBLOCKS};
use tandem_media::video::missing::Missing;
use tandem_media::video::parameter_sets::ParameterSets;
use tandem_media::video::store::Store;
use tandem_media::video::{h264, rtx, sequence_set, vp8};

/// Packets of one stream, each behind a byte that counts the milliseconds before it and one for its length.
pub(crate) fn video(data: &[u8]) {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let mut now = *START;
    let (mut missing, mut hold, mut store) = (Missing::default(), Hold::default(), Store::default());
    let (mut sets, mut arrivals) = (ParameterSets::default(), Arrivals::new(now));
    let (mut buffer, mut report) = ([0; MAX_DATAGRAM + TAILROOM], [0; MAX_FEEDBACK]);
    let mut rest = data;
    while let Some((&[wait, len], behind)) = rest.split_first_chunk::<2>() {
        now += Duration::from_millis(wait.into());
        let (bytes, behind) = behind.split_at(usize::from(len).min(behind.len()));
        rest = behind;
        let Ok(parsed) = rtp::parse(bytes) else { continue };
        if let Some(number) = transport_sequence(bytes, 1) {
            arrivals.note(now, number);
        }
        let len = arrivals.report(now, &mut report).unwrap_or(0);
        assert_eq!(len % 4, 0);
        let payload = parsed.payload(bytes);
        if vp8::picture_size(payload).is_some() {
            assert!(vp8::begins_key_frame(payload));
        }
        for unit in h264::units(payload) {
            let edges = 1..=MAX_MACROBLOCKS * 16;
            let fits = |size: PictureSize| edges.contains(&size.width) && edges.contains(&size.height);
            assert!(sequence_set::picture_size(unit).is_none_or(fits));
        }
        if sets.note(parsed.header.timestamp, payload) {
            for aggregated in [false, true] {
                assert!(sets.payloads(aggregated) > 0);
                assert!(
                    (0..sets.payloads(aggregated)).all(|n| sets.write(aggregated, n, &mut report).is_some())
                );
            }
        }
        buffer[..bytes.len()].copy_from_slice(bytes);
        let mut packet = Packet::new(&mut buffer, 0, bytes.len()).expect("room");
        if let Some(parsed) = rtx::unwrap(&mut packet, &parsed, 96, 1) {
            assert_eq!(rtp::parse(packet.bytes()), Ok(parsed));
        }
        let index = u64::from(parsed.header.sequence);
        if !missing.arrived(now, index) {
            missing.ask(now, None, |sequence| assert_ne!(sequence, parsed.header.sequence));
        }
        hold.make_room(index);
        while hold.release(now).is_some() {}
        if hold.arrive(now, index, bytes) == Turn::Now {
            store.keep(parsed.header.sequence, bytes);
            assert_eq!(store.resend(now + Duration::from_secs(1), None, parsed.header.sequence), Some(bytes));
        }
        while hold.release(now).is_some() {}
    }
    feedback(data);
}

/// A NACK names no more packets than it has bits for, a limit no more streams than it has entries.
fn feedback(data: &[u8]) {
    let Ok(compound) = Compound::parse(data) else { return };
    for item in compound {
        match item {
            Item::Feedback(Feedback::Missing { sequences, .. }) => {
                assert!(sequences.count() <= data.len() / 4 * 17);
            }
            Item::Feedback(
                Feedback::LimitRequest { limits, .. } | Feedback::LimitNotification { limits },
            ) => assert!(limits.count() <= data.len() / 8),
            _ => {}
        }
    }
}
