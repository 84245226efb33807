use super::*;
use crate::rtcp::{Compound, Item};
use proptest::prelude::*;
use rtcp_types::RtcpPacketParser;

const AUTHOR: Author = Author { sender: 1, media: 2 };

fn written(write: impl FnOnce(&mut Writer<'_>) -> Option<()>) -> Vec<u8> {
    let mut buffer = [0; 1024];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer).unwrap();
    let len = writer.len();
    buffer[..len].to_vec()
}

fn only(bytes: &[u8]) -> Feedback<'_> {
    let items: Vec<_> = Compound::parse(bytes).unwrap().collect();
    let [Item::Feedback(feedback)] = items[..] else { panic!("{items:?}") };
    feedback
}

#[test]
fn what_is_missing_is_named_and_read() {
    let sequences = [65_530, 65_535, 0, 10, 11, 400, 420];
    let bytes = written(|writer| AUTHOR.missing(writer, &sequences));
    // Two entries would not do: 65530 reaches 10, then come 11, 400 and 420.
    assert_eq!(bytes.len(), 12 + 4 * 4);
    let Feedback::Missing { media: 2, sequences: read } = only(&bytes) else { panic!("{bytes:?}") };
    assert_eq!(read.collect::<Vec<_>>(), sequences);
    let theirs = rtcp_types::TransportFeedback::parse(&bytes).unwrap();
    let nack = theirs.parse_fci::<rtcp_types::Nack<'_>>().unwrap();
    assert_eq!(nack.entries().collect::<Vec<_>>(), sequences);
}

#[test]
fn key_frames_are_asked_for_in_each_way() {
    let bytes = written(|writer| AUTHOR.picture_loss(writer));
    assert_eq!(only(&bytes), Feedback::PictureLoss { media: Some(2) });
    assert!(rtcp_types::PayloadFeedback::parse(&bytes).unwrap().parse_fci::<rtcp_types::Pli<'_>>().is_ok());
    let bytes = written(|writer| AUTHOR.full_intra(writer, 9));
    let Feedback::FullIntra { sender: 1, demands } = only(&bytes) else { panic!("{bytes:?}") };
    assert_eq!(demands.collect::<Vec<_>>(), [(2, 9)]);
    let theirs = rtcp_types::PayloadFeedback::parse(&bytes).unwrap();
    let fir = theirs.parse_fci::<rtcp_types::Fir<'_>>().unwrap();
    assert_eq!(fir.entries().map(|entry| (entry.ssrc(), entry.sequence())).collect::<Vec<_>>(), [(2, 9)]);
    assert_eq!(only(&[0x80, 192, 0, 1, 0, 0, 0, 7]), Feedback::PictureLoss { media: None });
}

#[test]
fn a_bit_rate_loses_only_what_cannot_be_written() {
    for bitrate in [0, 1, 50_000, 0x3_ffff, 0x4_0001, 1_234_567, u32::MAX] {
        let bytes = written(|writer| AUTHOR.bitrate(writer, bitrate));
        let Feedback::Bitrate { bitrate: read } = only(&bytes) else { panic!("{bytes:?}") };
        let lost = u64::from(bitrate) - read;
        assert!(lost <= u64::from(bitrate) >> 17, "{bitrate} became {read}");
    }
    // An exponent beyond 64 bits is as good as no limit.
    let bytes = [&[0x8f, 206, 0, 5], &[0; 8][..], b"REMB", &[1, 0xff, 0xff, 0xff], &[0; 4]].concat();
    assert!(matches!(only(&bytes), Feedback::Bitrate { bitrate } if bitrate > u64::from(u32::MAX)));
}

#[test]
fn limits_are_asked_for_and_obeyed() {
    let bytes = written(|writer| AUTHOR.limit(writer, 0x12_3456));
    // RFC 5104 section 4.2.1: format 3 of 205, no media source, and 4 bits of the rate do not fit 17.
    let expected = [0x83, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
    assert_eq!(bytes[..16], expected);
    assert_eq!(bytes[16..], (4u32 << 26 | 0x1_2345 << 9).to_be_bytes());
    let Feedback::LimitRequest { sender: 1, mut limits } = only(&bytes) else { panic!("{bytes:?}") };
    let limit = limits.next().unwrap();
    assert_eq!((limit.ssrc, limit.bitrate(), limits.next()), (2, 0x12_3450, None));
    let bytes = written(|writer| AUTHOR.obeys(writer, limit));
    assert_eq!(bytes[..4], [0x84, 205, 0, 4]);
    let Feedback::LimitNotification { limits } = only(&bytes) else { panic!("{bytes:?}") };
    assert_eq!(limits.collect::<Vec<_>>(), [limit]);
    for bitrate in [0, 1, 0x1_ffff, 0x2_0001, u32::MAX] {
        let lost = u64::from(bitrate) - Limit::new(0, bitrate).bitrate();
        assert!(lost <= u64::from(bitrate) >> 16, "{bitrate} lost {lost}");
    }
    let unlimited = Limit { ssrc: 0, coded: u32::MAX };
    assert_eq!(unlimited.bitrate(), u64::MAX, "what is too much for a number is no small one");
}

#[test]
fn feedback_that_is_malformed_or_unknown_leaves_the_report_beside_it() {
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer);
    writer.report(1, None, None).unwrap();
    let len = writer.len();
    for broken in [&[0x81, 206, 0, 1, 0, 0, 0, 1][..], &[0x81, 205, 0, 0], &[0x9f, 206, 0, 0]] {
        let bytes = [&buffer[..len], broken].concat();
        let items: Vec<_> = Compound::parse(&bytes).unwrap().collect();
        assert!(matches!(items[..], [Item::ReceiverReport { ssrc: 1, .. }, Item::Other(_)]), "{items:?}");
    }
}

proptest! {
    #[test]
    fn any_sequence_numbers_are_written_and_read(
        start in any::<u16>(), steps in proptest::collection::vec(1u16..40, 0..100)
    ) {
        let mut next = start;
        let sequences: Vec<u16> = steps.iter().map(|step| { next = next.wrapping_add(*step); next }).collect();
        let bytes = written(|writer| AUTHOR.missing(writer, &sequences));
        let Feedback::Missing { sequences: read, .. } = only(&bytes) else { panic!() };
        prop_assert_eq!(read.collect::<Vec<_>>(), sequences);
    }

    #[test]
    fn any_body_is_read_or_refused(
        kind in 190u8..210, format in 0u8..32, body in proptest::collection::vec(any::<u8>(), 0..64)
    ) {
        match Feedback::read(kind, format, &body) {
            Some(Feedback::Missing { sequences, .. }) => prop_assert!(sequences.count() <= body.len() / 4 * 17),
            Some(Feedback::LimitRequest { limits, .. } | Feedback::LimitNotification { limits }) => {
                prop_assert!(limits.count() <= body.len() / 8);
            }
            Some(Feedback::FullIntra { demands, .. }) => prop_assert!(demands.count() <= body.len() / 8),
            _ => {}
        }
    }
}
