//! Fuzz targets for every parser of what others send, or put into a file, in one binary: `FUZZ_TARGET` names the parser.
//!
//! A target fails by panicking, by hanging, or where an invariant stated here does not hold.
#![no_main]

mod codecs;
mod files;
mod media;
mod relay;
mod signaling;
mod video;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A parser under test.
type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 23] = [
    ("codecs", codecs::codecs),
    ("control", media::control),
    ("dtls-client", media::dtls_client),
    ("dtls-server", media::dtls_server),
    ("ice", media::ice),
    ("info", signaling::info),
    ("messages", signaling::messages),
    ("ng", signaling::ng),
    ("ng-relay", relay::relay),
    ("ng-stream", signaling::ng_stream),
    ("ogg", files::ogg),
    ("refer", signaling::refer),
    ("rtcp", media::rtcp),
    ("rtp", media::rtp),
    ("sdp", signaling::sdp),
    ("sip", signaling::sip),
    ("sip-stream", signaling::sip_stream),
    ("srtp", media::srtp),
    ("stun", media::stun),
    ("video", video::video),
    ("wav", files::play),
    ("wcs", signaling::wcs),
    ("xcap", signaling::xcap),
];

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    let names = TARGETS.map(|(name, _)| name).join(", ");
    found.unwrap_or_else(|| panic!("FUZZ_TARGET must be one of {names}")).1
});

fuzz_target!(|data: &[u8]| TARGET(data));
