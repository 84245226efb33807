//! What a message costs in signaling: parsing and writing SIP, and an offer and answer from browser to telephone.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tandem_control::{LocalPorts, SessionId, Side};
use tandem_sip::call::{Media, MediaRules, PartyMedia, TakesInfo};
use tandem_sip::sdp::Kind;
use tandem_sip::sip::Message;
use tandem_sip::tones::Country;

const OFFER: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 52233 UDP/TLS/RTP/SAVPF 111 9 0 8 110 126\r\nc=IN IP4 192.0.2.7\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=candidate:1 1 udp 2113937151 192.0.2.7 52233 typ host generation 0\r\na=ice-ufrag:EsAw\r\n\
    a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=ice-options:trickle\r\na=fingerprint:sha-256 \
    D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

const ANSWER: &str = "v=0\r\no=phone 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn invite() -> Vec<u8> {
    format!(
        "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\n\
         Via: SIP/2.0/TCP proxy.example.com;branch=z9hG4bK77ef4c2312983.1;received=192.0.2.4\r\n\
         Max-Forwards: 70\r\nRecord-Route: <sip:proxy.example.com;lr>\r\nTo: Bob <sip:bob@example.com>\r\n\
         From: \"Alice\" <sip:alice@example.com>;tag=1928301774\r\nCall-ID: a84b4c76e66710@192.0.2.1\r\n\
         CSeq: 314159 INVITE\r\nContact: <sip:alice@192.0.2.1:5060>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n\
         Supported: replaces, timer, 100rel\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    )
    .into_bytes()
}

fn sip(criterion: &mut Criterion) {
    let bytes = invite();
    criterion.bench_function("SIP: parse an INVITE with SDP", |bencher| {
        bencher.iter(|| Message::parse(black_box(&bytes)));
    });
    let message = Message::parse(&bytes).expect("the INVITE is valid");
    criterion.bench_function("SIP: write it", |bencher| bencher.iter(|| black_box(&message).to_bytes()));
}

fn party(kind: Kind) -> PartyMedia {
    PartyMedia { kind, profile: Arc::default(), source: None, takes_offers: true, info: TakesInfo::Unsaid }
}

fn sdp(criterion: &mut Criterion) {
    let local = |port| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        LocalPorts { rtp: address, rtcp: address, video: None }
    };
    let rules = MediaRules {
        advertised: vec![IpAddr::from([192, 0, 2, 1])],
        local: vec![IpAddr::from([10, 0, 0, 1])],
        allow_local: false,
        fingerprint: [0xAB; 32],
        tones: Country::default(),
    };
    let parties = [party(Kind::WebRtc), party(Kind::Rtp)];
    criterion.bench_function("SDP: a browser's offer to a telephone, and its answer back", |bencher| {
        bencher.iter(|| {
            let random = &mut |bytes: &mut [u8]| bytes.fill(0x5A);
            let ports = [local(31_001), local(31_002)];
            let mut media = Media::new(SessionId(1), ports, rules.clone(), parties.clone(), &mut *random);
            media.receive_offer(Side::A, OFFER.as_bytes(), &mut *random).expect("the offer is acceptable");
            black_box(media.write_offer(Side::B, random));
            media.receive_answer(Side::B, ANSWER.as_bytes()).expect("the answer is acceptable");
            black_box(media.write_answer(Side::A).expect("both have PCMU"));
            (media.config(Side::A), media.config(Side::B))
        });
    });
}

criterion_group!(signaling, sip, sdp);
criterion_main!(signaling);
