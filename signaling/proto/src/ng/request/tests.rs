//! Requests as controllers send them; those of Kamailio were captured from its module, version 5.6.

use super::*;
use crate::ng::{Encoding, MAX_NAME};
use proptest::prelude::*;

/// From a softphone behind the proxy; `ICE=remove rtcp-mux-demux codec-mask=all codec-transcode=opus RTP/AVP`.
const KAMAILIO_OFFER: &str = "d8:supportsl10:load limite3:sdp5:v=0\r\n3:ICE6:remove7:replacel6:origin\
18:session-connectione5:codecd4:maskl3:alle9:transcodel4:opusee18:transport-protocol7:RTP/AVP8:rtcp-muxl5:demuxe\
7:call-id16:25e95cc5b63e5ac513:received-froml3:IP411:10.98.247.7e8:from-tag16:f12b3c3145bbad057:command5:offere";
/// To a browser: `ICE=force SDES-off rtcp-mux-offer generate-mid UDP/TLS/RTP/SAVPF`.
const KAMAILIO_ANSWER: &str = "d8:supportsl10:load limite3:sdp5:v=0\r\n3:ICE5:force5:flagsl12:generate-mide\
7:replacel6:origin18:session-connectione18:transport-protocol17:UDP/TLS/RTP/SAVPF8:rtcp-muxl5:offere4:SDESl3:offe\
7:call-id20:tqqkf9dfoqq46fk67gll13:received-froml3:IP411:10.98.247.9e8:from-tag10:pt1aeklqdu6:to-tag\
16:42f1b551c43d22ea7:command6:answere";
const KAMAILIO_DELETE: &str = "d8:supportsl10:load limite7:call-id16:a272bf5a41e5167a13:received-froml3:IP4\
11:10.98.247.6e8:from-tag16:effa2f34e0fab9c67:command6:deletee";

fn offer(body: &str) -> (Options, Vec<String>) {
    match parse(body.as_bytes()).unwrap() {
        Request { command: Command::Offer(exchange), unknown } => (exchange.options, unknown),
        other => panic!("{other:?}"),
    }
}

/// An offer in JSON with these entries more.
fn with(entries: &str) -> (Options, Vec<String>) {
    offer(&format!(r#"{{"command":"offer","call-id":"c","from-tag":"f","sdp":"v=0",{entries}}}"#))
}

fn fault(body: &str) -> String {
    parse(body.as_bytes()).unwrap_err().to_string()
}

fn codec(name: &str) -> CodecSpec {
    CodecSpec { name: name.into(), ..CodecSpec::default() }
}

#[test]
fn kamailios_offer() {
    let request = parse(KAMAILIO_OFFER.as_bytes()).unwrap();
    assert_eq!(request.unknown, Vec::<String>::new());
    let Command::Offer(exchange) = request.command else { panic!() };
    assert_eq!(exchange.sdp, b"v=0\r\n");
    let names = Names {
        call_id: "25e95cc5b63e5ac5".into(),
        from_tag: "f12b3c3145bbad05".into(),
        to_tag: None,
        via_branch: None,
    };
    assert_eq!(exchange.names, names);
    let mut options = Options {
        replace: Replace { origin: true, session_connection: true, ..Replace::default() },
        received_from: Some("10.98.247.7".parse().unwrap()),
        transport_protocol: Some(TransportProtocol::Avp),
        ice: Some(IceMode::Remove),
        rtcp_mux: RtcpMux { demux: true, ..RtcpMux::default() },
        supports_load_limit: true,
        ..Options::default()
    };
    options.codecs.mask = vec![codec("all")];
    options.codecs.transcode = vec![codec("opus")];
    assert_eq!(exchange.options, options);
}

#[test]
fn kamailios_answer_and_delete() {
    let Command::Answer(exchange) = parse(KAMAILIO_ANSWER.as_bytes()).unwrap().command else { panic!() };
    assert_eq!(exchange.names.to_tag.as_deref(), Some("42f1b551c43d22ea"));
    let options = exchange.options;
    assert_eq!(options.transport_protocol, Some(TransportProtocol::TlsSavpf));
    assert_eq!(options.ice, Some(IceMode::Force));
    assert!(options.flags.has(Flag::GenerateMid) && options.sdes.off && options.rtcp_mux.offer);

    let Command::Delete(delete) = parse(KAMAILIO_DELETE.as_bytes()).unwrap().command else { panic!() };
    assert_eq!(delete.names.call_id, "a272bf5a41e5167a");
    assert_eq!(
        (delete.is_fatal, delete.is_fast, delete.honours_to_tag, delete.delay),
        (false, false, false, None)
    );
}

#[test]
fn opensips_sends_what_it_does_not_know_among_the_flags() {
    let (options, unknown) = with(
        r#""flags":["trust-address","codec-strip-PCMU","codec-mask-G722/8000","transcode-opus/48000/2","SDES-off",
        "SDES-no-AES_CM_128_HMAC_SHA1_32","rtcp-mux-accept","replace-origin","ICE=force","ptime=30","media-address=::1",
        "codec-set-opus/48000/1/16000","codec-offer-opus","pad-crypto"]"#,
    );
    assert_eq!(unknown, Vec::<String>::new());
    assert!(options.flags.has(Flag::TrustAddress) && options.sdes.off && options.sdes.pad);
    assert_eq!(options.codecs.strip, [codec("PCMU")]);
    assert_eq!(options.codecs.mask, [CodecSpec { clock_rate: Some(8_000), ..codec("G722") }]);
    let opus = CodecSpec { clock_rate: Some(48_000), channels: Some(2), ..codec("opus") };
    assert_eq!(options.codecs.transcode, [opus]);
    assert_eq!(options.codecs.set[0].bitrate, Some(16_000));
    assert_eq!(options.codecs.offer, [codec("opus")]);
    assert_eq!(options.sdes.no, ["AES_CM_128_HMAC_SHA1_32"]);
    assert!(options.rtcp_mux.accept && options.replace.origin);
    assert_eq!((options.ice, options.ptime), (Some(IceMode::Force), Some(30)));
    assert_eq!(options.media_address, Some("::1".parse().unwrap()));
}

#[test]
fn newer_kamailios_send_the_scripts_words_unread() {
    let (options, unknown) = with(
        r#""rtpp-flags":"replace-origin strict-source label=callee transport-protocol=RTP/SAVP address-family=IP6 SDES=[only-AEAD_AES_256_GCM] codec=[transcode=[PCMA PCMU] strip=[EVS]] direction=[priv pub] TOS=184 surprise""#,
    );
    assert_eq!(unknown, ["surprise"]);
    assert!(options.replace.origin && options.flags.has(Flag::StrictSource));
    assert_eq!(options.label.as_deref(), Some("callee"));
    assert_eq!(options.transport_protocol, Some(TransportProtocol::Savp));
    assert_eq!(options.address_family, Some(AddressFamily::Ip6));
    assert_eq!(options.sdes.only, ["AEAD_AES_256_GCM"]);
    assert_eq!(options.codecs.transcode, [codec("PCMA"), codec("PCMU")]);
    assert_eq!(options.codecs.strip, [codec("EVS")]);
    assert_eq!(options.direction, Some(["priv".to_owned(), "pub".to_owned()]));
    assert_eq!(options.tos, Some(184));
}

#[test]
fn blanks_and_hyphens_are_equal() {
    let (options, unknown) = with(
        r#""media address":"192.0.2.1","received from":["IP4","192.0.2.2"],"transport protocol":"rtp/savpf",
        "address family":"IP4","flags":["SIP source address","media handover","no RTCP attribute","loop protect"],
        "from interface":"a","to-interface":"b","DTMF security":"DTMF","digit":"*","record call":"yes","delete delay":5,
        "ICE":["optional","trickle"],"DTLS":"passive","SIP message type":"SIP request","ptime reverse":"40""#,
    );
    assert_eq!(unknown, Vec::<String>::new());
    assert_eq!(options.media_address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(options.received_from, Some("192.0.2.2".parse().unwrap()));
    assert_eq!(options.transport_protocol, Some(TransportProtocol::Savpf));
    assert_eq!(options.address_family, Some(AddressFamily::Ip4));
    for flag in [
        Flag::SipSourceAddress,
        Flag::MediaHandover,
        Flag::NoRtcpAttribute,
        Flag::LoopProtect,
        Flag::TrickleIce,
    ] {
        assert!(options.flags.has(flag), "{flag:?}");
    }
    assert_eq!(options.direction, Some(["a".to_owned(), "b".to_owned()]));
    assert_eq!(options.dtmf_security, Some(DtmfSecurity::Digit(10)));
    assert_eq!(options.record_call, Some(true));
    assert_eq!(options.delete_delay, Some(Duration::from_secs(5)));
    assert_eq!((options.ice, options.dtls), (Some(IceMode::Optional), Some(Dtls::Passive)));
    assert_eq!(options.sip_message_type, Some(SipMessageType::Request));
    assert_eq!(options.ptime_reverse, Some(40));
}

#[test]
fn one_flag_stands_for_all_that_browsers_need() {
    let (options, _) = with(r#""flags":["WebRTC"]"#);
    assert_eq!(options.transport_protocol, Some(TransportProtocol::TlsSavpf));
    assert_eq!(options.ice, Some(IceMode::Force));
    assert!(options.rtcp_mux.offer && options.rtcp_mux.require && options.sdes.off);
    assert!(options.flags.has(Flag::GenerateMid) && options.flags.has(Flag::NoRtcpAttribute));
}

#[test]
fn what_is_unknown_is_ignored_and_told() {
    let (options, unknown) = with(
        r#""flags":["fancy\nflag","codec-melt-PCMU","transcode-opus/x"],"transport-protocol":"RTP/FOO","ICE":"melt",
        "replace":["everything"],"SDES":["hmm"],"rtcp-mux":"hmm","supports":"more","T.38":["decode"]"#,
    );
    assert_eq!(options, Options::default());
    let expected = [
        "fancy?flag",
        "codec-melt-PCMU",
        "codec-transcode-opus/x",
        "transport-protocol=RTP/FOO",
        "ICE=melt",
        "replace=everything",
        "SDES=hmm",
        "rtcp-mux=hmm",
        "supports=more",
        "T.38",
    ];
    assert_eq!(unknown, expected);
    let many = format!(r#""flags":[{}"x"]"#, r#""unknown","#.repeat(1_000));
    assert!(with(&many).1.len() < 100);
}

#[test]
fn commands_that_control_media() {
    let control = |command: &str, more: &str| {
        let body = format!(r#"{{"command":"{command}","call-id":"c","from-tag":"f"{more}}}"#);
        match parse(body.as_bytes()).unwrap().command {
            Command::Control(control) => *control,
            other => panic!("{other:?}"),
        }
    };
    let block = control("block media", "");
    assert_eq!((block.action, block.party, block.for_all), (Action::BlockMedia, Party::All, false));
    let directional = control("unblock-media", r#","flags":["directional","all"]"#);
    assert_eq!(directional.party, Party::Tag("f".into()));
    assert!(directional.for_all);
    let silence = control("silence media", r#","address":"192.0.2.1""#);
    assert_eq!(silence.party, Party::Address("192.0.2.1".parse().unwrap()));
    let dtmf = control("block DTMF", r#","label":"x","DTMF-security":"silence""#);
    assert_eq!(
        (dtmf.action, dtmf.party),
        (Action::BlockDtmf(DtmfSecurity::Silence), Party::Label("x".into()))
    );
    assert_eq!(control("unblock dtmf", "").action.verb().name(), "unblock DTMF");
}

fn command(body: &str) -> Command {
    parse(body.as_bytes()).unwrap().command
}

#[test]
fn files_that_are_played() {
    let play = |entries: &str| {
        let body = format!(r#"{{"command":"play media","call-id":"c","from-tag":"f",{entries}}}"#);
        match command(&body) {
            Command::Play(play) => *play,
            other => panic!("{other:?}"),
        }
    };
    let plain = play(r#""to-tag":"t","file":"/sounds/a.wav""#);
    assert_eq!(plain.party, Party::Tag("f".into()));
    assert_eq!((plain.source, plain.times), (PlaySource::File("/sounds/a.wav".into()), 1));
    let flags = play(r#""flags":["file=b.wav","repeat-times=3","all"]"#);
    assert_eq!((flags.party, flags.times), (Party::All, 3));
    assert_eq!(flags.source, PlaySource::File("b.wav".into()));
    let blob = play(r#""blob64":"UklGRg==","label":"x","repeat times":0"#);
    assert_eq!((blob.party, blob.times), (Party::Label("x".into()), 1));
    assert_eq!(blob.source, PlaySource::Content(b"RIFF".to_vec()));
    let fault = |entries: &str| fault(&format!(r#"{{"command":"play media","call-id":"c"{entries}}}"#));
    assert_eq!(fault(""), "the request has no \"from-tag\"");
    assert_eq!(fault(r#","all":"all""#), "the request has no \"file\"");
    assert_eq!(fault(r#","all":"all","file":"""#), "\"file\" must be a path of at most 1024 bytes");
    assert_eq!(fault(r#","blob64":"?""#), "\"blob64\" must be base64");
    let large = "x".repeat(tandem_control::MAX_INLINE + 1);
    assert_eq!(fault(&format!(r#","blob":"{large}""#)), "\"blob\" must be at most 32768 bytes long");
    let stop = command("d7:command10:stop media7:call-id1:c8:from-tag1:fe");
    let Command::StopPlay(stop) = stop else { panic!("{stop:?}") };
    assert_eq!(stop.party, Party::Tag("f".into()));
}

#[test]
fn digits_that_are_played() {
    let digit = |entries: &str| {
        command(&format!(r#"{{"command":"play DTMF","call-id":"c","from-tag":"f",{entries}}}"#))
    };
    for (code, event) in
        [(r##""#""##, 11), (r#""d""#, 15), ("12", 12), (r#""10""#, 10), ("0", 0), (r#""0""#, 0)]
    {
        let Command::PlayDigit(digit) = digit(&format!(r#""code":{code}"#)) else { panic!() };
        assert_eq!((digit.event, digit.duration_ms), (event, 250), "{code}");
    }
    let Command::PlayDigit(long) = digit(r#""digit":"1","duration":"9000""#) else { panic!() };
    let Command::PlayDigit(short) = digit(r#""digit":"1","duration":20"#) else { panic!() };
    assert_eq!((long.duration_ms, short.duration_ms), (5_000, 100));
    assert_eq!((long.sound.volume, long.sound.pause_ms), (8, 100));
    let Command::PlayDigit(loud) = digit(r#""digit":"1","volume":"-3","pause":1"#) else { panic!() };
    assert_eq!((loud.sound.volume, loud.sound.pause_ms), (3, 100));
    let Command::PlayDigit(soft) = digit(r#""digit":"1","volume":900,"pause":"2000""#) else { panic!() };
    assert_eq!((soft.sound.volume, soft.sound.pause_ms), (63, 2_000));
    let fault =
        |entries: &str| fault(&format!(r#"{{"command":"play DTMF","call-id":"c","from-tag":"f"{entries}}}"#));
    assert_eq!(fault(""), "the request has no \"code\"");
    for bad in ["16", "-1", r#""16""#, r#""x""#, r#""""#, "[]"] {
        assert!(fault(&format!(r#","code":{bad}"#)).starts_with("\"code\" must be"), "{bad}");
    }
}

#[test]
fn recordings() {
    let recording = |body: &str| match command(body) {
        Command::Recording(recording) => *recording,
        other => panic!("{other:?}"),
    };
    let start = recording(
        r#"{"command":"start recording","call-id":"c","recording-file":"/r/a.wav","recording-dir":"/r","metadata":"k:v"}"#,
    );
    let naming = RecordingNames {
        file: Some("/r/a.wav".into()),
        directory: Some("/r".into()),
        metadata: Some("k:v".into()),
    };
    assert_eq!((start.step, start.naming), (RecordingStep::Start, naming));
    for (body, step) in [
        ("d7:command14:stop recording7:call-id1:ce", RecordingStep::Stop),
        ("d7:command15:pause recording7:call-id1:ce", RecordingStep::Pause),
        ("d7:command14:stop recording7:call-id1:c5:flagsl5:pauseee", RecordingStep::Pause),
        ("d7:command14:stop recording7:call-id1:c5:pause3:yese", RecordingStep::Pause),
    ] {
        assert_eq!(recording(body).step, step, "{body}");
    }
    for (entry, expected) in [
        (r#""record-call":"on""#, Some(true)),
        (r#""record call":"no""#, Some(false)),
        (r#""flags":["record-call"]"#, Some(true)),
        (r#""flags":["record-call=off"]"#, Some(false)),
        (r#""ptime":20"#, None),
    ] {
        assert_eq!(with(entry).0.record_call, expected, "{entry}");
    }
}

#[test]
fn what_takes_the_place_of_a_blocked_digit() {
    let security = |entries: &str| {
        let body = format!(r#"{{"command":"block DTMF","call-id":"c",{entries}}}"#);
        let Command::Control(control) = command(&body) else { panic!() };
        match control.action {
            Action::BlockDtmf(security) => security,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(security(r#""DTMF-security":"zero""#), DtmfSecurity::Digit(0));
    assert_eq!(security(r#""digit":"5","DTMF-security":"DTMF""#), DtmfSecurity::Digit(5));
    assert_eq!(security(r#""DTMF-security":"tone""#), DtmfSecurity::Tone(400));
    assert_eq!(security(r#""DTMF-security":"tone","frequency":700"#), DtmfSecurity::Tone(700));
    assert_eq!(security(r#""flags":["all"]"#), DtmfSecurity::Drop);
}

#[test]
fn short_commands() {
    assert_eq!(command("d7:command4:pinge"), Command::Ping);
    assert_eq!(command("d7:command10:statisticse"), Command::Statistics);
    assert_eq!(command("d7:command4:liste"), Command::List(DEFAULT_LIST));
    assert_eq!(command("d7:command4:list5:limiti99999ee"), Command::List(1_000));
    let Command::Query(names) = command("d7:command5:query7:call-id1:ce") else { panic!() };
    assert_eq!((names.call_id.as_str(), names.from_tag.as_str()), ("c", ""));
    let delete = r#"{"command":"delete","call-id":"c","from-tag":"f","to-tag":"t","delete-delay":"0",
        "flags":["fatal","fast","to-tag"]}"#;
    let Command::Delete(delete) = command(delete) else { panic!() };
    assert!(delete.is_fatal && delete.is_fast && delete.honours_to_tag);
    assert_eq!(delete.delay, Some(Duration::ZERO));
}

#[test]
fn faults_name_what_is_wrong() {
    assert_eq!(fault("d7:call-id1:xe"), "the request has no \"command\"");
    assert_eq!(fault("d7:commandi1ee"), "\"command\" must be a string");
    assert_eq!(fault("d7:command6:launche"), "unrecognized command \"launch\"");
    for verb in verb::UNSUPPORTED {
        let body = format!("d7:command{}:{verb}e", verb.len());
        assert_eq!(fault(&body), format!("the command \"{verb}\" is not supported yet"));
    }
    let offer = |entries: &str| fault(&format!("{{\"command\":\"offer\"{entries}}}"));
    assert_eq!(offer(""), "the request has no \"call-id\"");
    assert_eq!(offer(r#","call-id":"c""#), "the request has no \"from-tag\"");
    assert_eq!(offer(r#","call-id":"c","from-tag":"f""#), "the request has no \"sdp\"");
    assert_eq!(offer(r#","call-id":"c","from-tag":"f","sdp":"""#), "the request has no \"sdp\"");
    assert_eq!(offer(r#","call-id":7"#), "\"call-id\" must be a string of UTF-8");
    assert_eq!(offer(r#","sdp":["v=0"]"#), "\"sdp\" must be a string");
    assert_eq!(offer(r#","flags":3"#), "\"flags\" must be a list of strings");
    assert_eq!(offer(r#","flags":[["a"]]"#), "\"flags\" must be a list of strings");
    assert_eq!(offer(r#","codec":"PCMU""#), "\"codec\" must be a dictionary of lists");
    assert_eq!(offer(r#","media-address":"example.org""#), "\"media-address\" must be an IP address");
    assert_eq!(
        offer(r#","received-from":["IP4"]"#),
        "\"received-from\" must be a list of a family and an address"
    );
    assert_eq!(offer(r#","direction":"priv""#), "\"direction\" must be a list of two interfaces");
    assert_eq!(offer(r#","ptime":70000"#), "\"ptime\" must be milliseconds");
    assert_eq!(offer(r#","ptime":-1"#), "\"ptime\" must be milliseconds");
    let long = "x".repeat(MAX_NAME + 1);
    assert_eq!(offer(&format!(r#","call-id":"{long}""#)), "\"call-id\" must be at most 512 bytes long");
    let answer = KAMAILIO_ANSWER.replace("6:to-tag", "6:no-tag");
    assert_eq!(fault(&answer), "the request has no \"to-tag\"");
    assert!(matches!(parse(b"hello"), Err(Fault::NoDictionary)));
    assert!(matches!(parse(&[b'd'; crate::ng::MAX_MESSAGE + 1]), Err(Fault::TooLong)));
}

proptest! {
    #[test]
    fn any_entries_are_read_or_refused(dictionary in crate::ng::value::samples::dictionaries(false)) {
        let mut request = Dictionary::new();
        request.set("command", crate::ng::Value::text("offer"));
        for (key, value) in dictionary.iter() {
            request.push(key.to_vec(), value.clone());
        }
        let _ = parse(&request.encode(Encoding::Bencode));
    }

    #[test]
    fn any_token_is_read(token in "(codec|transcode|SDES|ICE|rtcp-mux|replace)?[-=]?.{0,30}") {
        let mut request = Dictionary::new();
        request.set("command", crate::ng::Value::text("ping"));
        request.set("flags", crate::ng::Value::text(&token));
        let _ = parse(&request.encode(Encoding::Bencode));
    }
}
