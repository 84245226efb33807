use super::*;
use crate::sdp::samples;
use proptest::prelude::*;
use tandem_control::Codec;

fn audio(text: &str) -> RemoteMedia {
    Description::parse(text.as_bytes()).unwrap().audio.unwrap()
}

fn refusal(text: &str) -> SdpError {
    Description::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn chromium_is_understood() {
    let audio = audio(samples::CHROMIUM);
    let numbers: Vec<u8> = audio.payloads.iter().map(|payload| payload.number).collect();
    assert_eq!(numbers, [111, 9, 0, 8, 13, 110, 126]);
    assert_eq!(audio.payloads[0].codec, Codec::opus(true));
    assert!(audio.transport.rtcp_mux);
    assert_eq!(audio.transport.setup, Some(Setup::ActPass));
    assert_eq!(audio.transport.fingerprints.len(), 1);
    assert_eq!(audio.transport.ice.unwrap().credentials.ufrag, "abcd");
}

#[test]
fn firefox_with_session_level_attributes_and_a_zero_address_is_not_on_hold() {
    let audio = audio(samples::FIREFOX);
    assert_eq!(audio.direction, Direction::SendRecv);
    assert_eq!(audio.transport.remote, None);
    assert_eq!(audio.transport.fingerprints.len(), 1);
}

#[test]
fn baresip_and_its_rtcp_port_are_understood() {
    let audio = audio(samples::BARESIP);
    let remote = audio.transport.remote.unwrap();
    assert_eq!(remote.rtp, "192.0.2.20:10018".parse().unwrap());
    assert_eq!(remote.rtcp, "192.0.2.20:10019".parse().unwrap());
    assert_eq!(audio.ptime, Some(20));
    assert_eq!(audio.payloads[0].codec, Codec::opus(false));
}

#[test]
fn a_zero_address_without_ice_is_hold() {
    let held = samples::SIPP.replace("c=IN IP4 192.0.2.30", "c=IN IP4 0.0.0.0");
    assert_eq!(audio(&held).direction, Direction::SendOnly);
    assert_eq!(audio(&format!("{held}a=recvonly\r\n")).direction, Direction::Inactive);
}

#[test]
fn a_refused_audio_section_is_no_audio() {
    let refused = samples::SIPP.replace("m=audio 6000", "m=audio 0");
    assert_eq!(Description::parse(refused.as_bytes()).unwrap().audio, None);
}

#[test]
fn unknown_codecs_only_are_no_audio() {
    let text = samples::SIPP.replace("RTP/AVP 0", "RTP/AVP 3").replace("a=rtpmap:0 PCMU/8000\r\n", "");
    assert_eq!(Description::parse(text.as_bytes()).unwrap().audio, None);
}

#[test]
fn each_limit_has_its_own_error() {
    let flood = |line: &str, count: usize| format!("{}{}", samples::SIPP, line.repeat(count));
    assert!(refusal(&flood("a=x\r\n", MAX_LINES)).to_string().contains("lines"));
    assert!(refusal(&flood("m=audio 1 RTP/AVP 0\r\n", MAX_SECTIONS)).to_string().contains("sections"));
    assert!(
        refusal(&flood("a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n", 200))
            .to_string()
            .contains("candidates")
    );
    assert!(refusal(&flood(&format!("a={}\r\n", "x".repeat(1_000)), 66)).to_string().contains("bytes"));
    let formats = samples::SIPP.replace("RTP/AVP 0", &format!("RTP/AVP {}", "0 ".repeat(65).trim_end()));
    assert!(refusal(&formats).to_string().contains("formats"));
}

#[test]
fn errors_tell_malformed_from_not_acceptable() {
    assert_eq!(refusal("hello").status(), 400);
    assert_eq!(refusal(&samples::SIPP.replace("c=IN IP4 192.0.2.30\r\n", "")).status(), 400);
    assert_eq!(
        refusal(&samples::SIPP.replace("IN IP4 192.0.2.30\r\nt", "IN IP4 224.2.1.1\r\nt")).status(),
        488
    );
    assert_eq!(
        refusal(&samples::SIPP.replace("IN IP4 192.0.2.30\r\nt", "IN IP4 host.example\r\nt")).status(),
        488
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Description::parse(&bytes);
    }

    #[test]
    fn a_damaged_description_is_read_without_a_panic(
        at in 0usize..1_500, byte in any::<u8>(), cut in 0usize..1_500, crypto in any::<bool>(),
    ) {
        let mut bytes = samples::CHROMIUM.as_bytes().to_vec();
        if crypto {
            bytes = format!("{}{}", samples::BARESIP, samples::BARESIP_CRYPTO).into_bytes();
        }
        if let Some(damaged) = bytes.get_mut(at) {
            *damaged = byte;
        }
        bytes.truncate(bytes.len().max(cut) - cut.min(bytes.len()));
        let _ = Description::parse(&bytes);
    }
}
