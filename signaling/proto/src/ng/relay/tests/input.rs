//! Bad input, and anything in any order.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn bad_descriptions_are_refused_and_leave_nothing() {
    let mut bench = Bench::new();
    for sdp in ["nonsense", "v=0\r\n", "v=0\r\nm=audio 1 RTP/AVP 0\r\n", "v=0\r\nm=audio 1 RTP/AVP x\r\n"] {
        let reply = bench.ask(&request("offer", sdp, json!({})));
        // A description without sections has nothing to relay, but nothing wrong either.
        assert_eq!(reply["result"], if sdp == "v=0\r\n" { "ok" } else { "error" }, "{sdp:?}: {reply}");
    }
    bench.ask(&request("delete", "", json!({})));
    bench.assert_clean();
}

/// Samples, cut and glued.
fn descriptions() -> impl Strategy<Value = String> {
    let all = [
        samples::CHROMIUM,
        samples::FIREFOX,
        samples::BARESIP,
        samples::BARESIP_DTLS,
        samples::SIPP,
        samples::IPV6,
        samples::CHROMIUM_VIDEO,
        samples::BARESIP_CRYPTO,
    ];
    let lines: Vec<&str> = all.iter().flat_map(|sdp| sdp.lines()).collect();
    let whole = prop::sample::select(all.to_vec()).prop_map(str::to_owned);
    let mixed = prop::collection::vec(prop::sample::select(lines), 0..40)
        .prop_map(|lines| format!("v=0\r\n{}\r\n", lines.join("\r\n")));
    let broken = (whole.clone(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(sdp, at, with)| {
        let at = at.index(sdp.len());
        sdp.char_indices().map(|(index, char)| if index == at { with } else { char }).collect()
    });
    prop_oneof![whole, mixed, broken]
}

fn requests() -> impl Strategy<Value = Value> {
    let option = |key: &'static str, values: &[Value]| {
        prop::option::of(prop::sample::select(values.to_vec())).prop_map(move |value| (key, value))
    };
    let options = (
        option("transport-protocol", &[json!("RTP/AVP"), json!("RTP/SAVPF"), json!("UDP/TLS/RTP/SAVPF")]),
        option("ICE", &[json!("force"), json!("remove"), json!("optional")]),
        option("rtcp-mux", &[json!(["require"]), json!(["demux"]), json!(["offer", "reject"])]),
        option(
            "codec",
            &[json!({ "strip": ["all"] }), json!({ "transcode": ["opus", "PCMA"], "mask": ["all"] })],
        ),
        option("via-branch", &[json!("v1"), json!("v2")]),
        option("to-tag", &[json!("a"), json!("b"), json!("c")]),
        option("flags", &[json!(["reset", "generate-mid", "always-transcode"]), json!(["loop-protect"])]),
        option("replace", &[json!(["origin", "SDP-version"])]),
    );
    let command =
        prop::sample::select(vec!["offer", "offer", "answer", "answer", "query", "delete", "block media"]);
    let tag = prop::sample::select(vec!["a", "b"]);
    (command, tag, descriptions(), options).prop_map(|(command, tag, sdp, options)| {
        let (o1, o2, o3, o4, o5, o6, o7, o8) = options;
        let mut request = json!({ "command": command, "call-id": "call", "from-tag": tag, "sdp": sdp });
        for (key, value) in [o1, o2, o3, o4, o5, o6, o7, o8] {
            if let Some(value) = value {
                request[key] = value;
            }
        }
        request
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_comes_is_answered_and_nothing_is_left(requests in prop::collection::vec(requests(), 1..12)) {
        let mut bench = Bench::new();
        for request in &requests {
            let reply = bench.ask(request);
            prop_assert!(reply["result"].is_string(), "{}", reply);
        }
        bench.ask(&json!({ "command": "delete", "call-id": "call", "from-tag": "" }));
        bench.assert_clean();
    }
}
