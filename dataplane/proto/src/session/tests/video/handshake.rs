//! Video on ports of its own with DTLS: its RTP and its RTCP have an association each, beside those of the audio.

use super::*;
use tandem_control::{DtlsRole, Fingerprint, FingerprintHash};

/// Side A of a session, with a peer that is side A of another one.
fn end(role: DtlsRole, identity: Identity, peer: &Fingerprint) -> Fixture {
    let security = Security::Dtls { role, fingerprints: vec![peer.clone()] };
    let mut fixture = Fixture::with_identity(1, identity);
    fixture.configure(Side::A, &apart(Side::A, &[(102, H264)], security));
    fixture.configure(Side::B, &bundled(Side::B, &[(96, H264)]));
    fixture.events();
    fixture
}

fn fingerprint(identity: &Identity) -> Fingerprint {
    Fingerprint { hash: FingerprintHash::Sha256, digest: identity.fingerprint_sha256().to_vec() }
}

/// What one end sent to the other arrives there.
fn carry(from: &mut Fixture, to: &mut Fixture) {
    for (side, component, destination, bytes) in std::mem::take(&mut from.sent.packets) {
        if side == Side::A && matches!(component, Component::VideoRtp | Component::VideoRtcp) {
            let _ = to.receive_at(Side::A, component, destination, &bytes);
        }
    }
}

fn connected(right: bool) -> (Fixture, Fixture) {
    let [here, there] = [0, 1].map(|_| Identity::generate().unwrap());
    let (expected, of_peer) = (fingerprint(&here), fingerprint(if right { &there } else { &here }));
    let mut ours = end(DtlsRole::Server, here, &of_peer);
    let mut theirs = end(DtlsRole::Client, there, &expected);
    for _ in 0..40 {
        carry(&mut ours, &mut theirs);
        carry(&mut theirs, &mut ours);
        ours.run(100);
        theirs.run(100);
    }
    (ours, theirs)
}

#[test]
fn pictures_and_reports_flow_by_keys_of_their_own() {
    let (mut ours, mut theirs) = connected(true);
    let to_peer = |bytes: &[u8], to: &mut Fixture| {
        to.receive_at(Side::A, Component::VideoRtp, video_peer(Side::A), bytes)
    };
    let (destination, bytes) = ours.receive(Side::B, &packet(96, 1, 1, b"picture")).unwrap().unwrap();
    assert_eq!(destination, video_peer(Side::A));
    let (_, bytes) = to_peer(&bytes, &mut theirs).unwrap().unwrap();
    assert_eq!(&bytes[HEADER_LEN..], b"picture");
    let plain = packet(102, 2, 1, b"plain text that is long enough");
    assert_eq!(to_peer(&plain, &mut theirs), Err(DropReason::SrtpAuthentication));
    for _ in 0..20 {
        carry(&mut ours, &mut theirs);
        carry(&mut theirs, &mut ours);
        ours.run(200);
        theirs.run(200);
    }
    let figures = theirs.session.stats(theirs.now).legs[0].video.clone().unwrap();
    assert!(figures.received.rtcp_packets > 0, "{figures:?}");
    assert!(!theirs.events().iter().any(|event| matches!(event, EventKind::DtlsFailed { .. })));
    // The same again disturbs nothing.
    let same = ours.session.sides[0].leg.config().clone();
    ours.configure(Side::A, &same);
    let (_, bytes) = ours.receive(Side::B, &packet(96, 2, 2, b"picture")).unwrap().unwrap();
    assert!(to_peer(&bytes, &mut theirs).unwrap().is_some());
}

#[test]
fn a_wrong_certificate_costs_the_pictures_and_not_the_call() {
    let (mut ours, _) = connected(false);
    let refused = ours.receive(Side::B, &packet(96, 1, 1, b"picture"));
    assert_eq!(refused, Err(DropReason::NoDestination));
    let (destination, _) = ours.receive(Side::B, &speech(1, 160, 0, 7, b"sound")).unwrap().unwrap();
    assert_eq!(destination, peer(Side::A));
    assert!(!ours.events().contains(&EventKind::DtlsFailed { side: Side::A }));
}
