use crate::sdp::{Description, Direction, RemoteVideo, samples};
use proptest::prelude::*;
use tandem_control::VideoCodec;

fn video(text: &str) -> Option<RemoteVideo> {
    Description::parse(text.as_bytes()).unwrap().video.map(|video| *video)
}

fn h264(packetization_mode: u8, profile_level_id: [u8; 3]) -> VideoCodec {
    VideoCodec::H264 { packetization_mode, profile_level_id }
}

#[test]
fn the_camera_of_a_browser_is_understood() {
    let video = video(&format!("{}{}", samples::CHROMIUM, samples::CHROMIUM_CAMERA)).unwrap();
    let formats: Vec<_> = video.formats.iter().map(|each| (each.number, each.codec, each.rtx)).collect();
    let expected = [
        (96, VideoCodec::Vp8, Some(97)),
        (102, h264(1, [0x42, 0x00, 0x1F]), Some(103)),
        (104, h264(0, [0x42, 0x00, 0x1F]), Some(107)),
        (108, h264(1, [0x42, 0xE0, 0x1F]), Some(109)),
        (114, h264(0, [0x42, 0xE0, 0x1F]), Some(115)),
    ];
    assert_eq!(formats, expected);
    let feedback = video.formats[0].feedback;
    assert!(feedback.nack && feedback.pli && feedback.fir && feedback.remb);
    assert_eq!((video.transport_cc, video.max_bitrate), (Some(3), 0));
    assert!(video.formats[1].level_asymmetry);
}

#[test]
fn the_camera_of_a_telephone_is_understood() {
    let video = video(&format!("{}{}", samples::BARESIP, samples::BARESIP_CAMERA)).unwrap();
    let numbers: Vec<u8> = video.formats.iter().map(|format| format.number).collect();
    assert_eq!(numbers, [96, 97, 100]);
    let feedback = video.formats[0].feedback;
    assert!(feedback.pli && !feedback.nack && !feedback.fir && !feedback.remb);
    assert_eq!((video.transport_cc, video.max_bitrate), (None, 512_000));
    assert_eq!(video.transport.remote.unwrap().rtp, "192.0.2.20:48406".parse().unwrap());
}

#[test]
fn hold_is_read_of_video_too() {
    let held = samples::BARESIP_CAMERA.replace("a=sendrecv", "a=inactive");
    assert_eq!(video(&format!("{}{held}", samples::BARESIP)).unwrap().direction, Direction::Inactive);
}

#[test]
fn what_cannot_be_forwarded_is_no_video_and_no_fault() {
    let none = [
        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
        "m=video 5000 RTP/AVP 34\r\na=rtpmap:34 H263/90000\r\n",
        "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=2\r\n",
        "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=zz\r\n",
        "m=video 5000 RTP/AVP 96\r\nc=IN IP4 camera.example\r\na=rtpmap:96 VP8/90000\r\n",
        "m=video 5000 TCP/MSRP *\r\n",
    ];
    for section in none {
        let text = format!("{}{section}", samples::SIPP);
        let description = Description::parse(text.as_bytes()).unwrap();
        assert!(description.audio.is_some() && description.video.is_none(), "{section}");
    }
}

proptest! {
    #[test]
    fn a_damaged_camera_is_read_without_a_panic(at in 1_500usize..5_000, byte in any::<u8>(), cut in 0usize..2_000) {
        let mut bytes = format!("{}{}", samples::CHROMIUM, samples::CHROMIUM_CAMERA).into_bytes();
        if let Some(damaged) = bytes.get_mut(at) {
            *damaged = byte;
        }
        bytes.truncate(bytes.len() - cut);
        let _ = Description::parse(&bytes);
    }
}
