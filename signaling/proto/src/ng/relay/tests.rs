mod bench;
mod calls;
mod codecs;
mod flags;
mod input;
mod media;
mod reserve;
mod security;

use super::*;
use crate::sdp::samples;
use bench::*;
use serde_json::json;

#[test]
fn a_plain_call_from_offer_to_delete() {
    let mut bench = Bench::new();
    let offer = bench.offer(samples::BARESIP, json!({ "replace": ["origin"] }));
    assert_eq!(
        offer,
        samples::BARESIP
            .replace("192.0.2.20\r\ns=", "198.51.100.1\r\ns=")
            .replace("c=IN IP4 192.0.2.20", "c=IN IP4 198.51.100.1")
            .replace("m=audio 10018", "m=audio 30006")
            .replace("a=rtcp:10019\r\n", "")
            // The source that is heard is the relay's, not baresip's.
            .replace("a=ssrc:1027468353 cname:sip:alice@192.0.2.20\r\n", "")
            + "a=rtcp:30007\r\n"
    );
    let answer = bench.answer_with(samples::SIPP, json!({}));
    assert_eq!(
        answer,
        samples::SIPP
            .replace("c=IN IP4 192.0.2.30", "c=IN IP4 198.51.100.1")
            .replace("m=audio 6000", "m=audio 30004")
            + "a=rtcp:30005\r\n"
    );
    let session = bench.session();
    let [a, b] = &session.legs;
    assert_eq!(a.remote.unwrap().rtp, "192.0.2.20:10018".parse().unwrap());
    assert_eq!(b.remote.unwrap().rtcp, "192.0.2.30:6001".parse().unwrap());
    for leg in [a, b] {
        let numbers = |payloads: &[tandem_control::PayloadType]| -> Vec<u8> {
            payloads.iter().map(|payload| payload.number).collect()
        };
        assert_eq!((numbers(&leg.audio.receive), numbers(&leg.audio.send)), (vec![0], vec![0]));
        assert!(leg.audio.may_receive && leg.audio.may_send);
    }
    assert!(session.note.starts_with(b"ng\0call\0a"));
    let reply = bench.ask(&request("delete", "", json!({})));
    assert_eq!(reply["totals"]["RTP"], json!({ "packets": 90, "bytes": 90 * 172, "errors": 2 }));
    assert_eq!(reply["totals"]["RTCP"], json!({ "packets": 4, "bytes": 320, "errors": 0 }));
    let heard = &reply["SSRC"]["10"];
    assert_eq!((&heard["cumulative loss"], &heard["packets"]), (&json!(10), &json!(50)));
    let mut quality = json!({
        "MOS": 39, "jitter": 3, "packet loss": 16, "round-trip time": 41_000, "round-trip time leg": 41_000, "samples": 1,
    });
    assert_eq!(heard["average MOS"], quality);
    quality.as_object_mut().unwrap().remove("samples");
    quality["reported at"] = 1_000_000.into();
    assert_eq!((&heard["lowest MOS"], &heard["highest MOS"]), (&quality, &quality));
    let told = &reply["SSRC"]["12"];
    assert_eq!((&told["packets"], &told["cumulative loss"]), (&json!(40), &json!(1)));
    assert_eq!((&told["average MOS"]["MOS"], &told["average MOS"]["packet loss"]), (&json!(43), &json!(2)));
    assert_eq!(reply["tags"]["a"]["in dialogue with"], "b");
    assert_eq!(reply["tags"]["b"]["medias"][0]["streams"][0]["SSRC"], 0xB);
    bench.assert_clean();
}
