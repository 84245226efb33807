//! Our own descriptions.

mod video;

use super::crypto::Crypto;
use super::leg::{Kind, LegAddresses};
use super::{DescribedSets, Direction, Random, Section, VideoFormat, candidate, codecs, fingerprint};
use sdp_types::{Attribute, Connection, Media, Origin, Session};
use std::net::SocketAddr;
use tandem_control::{IceCredentials, PayloadType, VideoFeedback};

/// The media stream's name that browsers show to scripts (RFC 8830).
const STREAM: &str = "tandem";

/// What stays the same between the descriptions that we write to one peer.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) addresses: LegAddresses,
    pub(super) fingerprint: [u8; 32],
    pub(super) ice: IceCredentials,
    /// Under which the peer is sent audio (RFC 5576).
    pub(super) ssrc: u32,
    session_id: u64,
    version: u64,
    /// The last description; another version number is given only to another text (RFC 3264 section 8).
    written: Vec<u8>,
}

/// What varies.
pub(super) struct Content<'a> {
    /// The sections of the peer's last description, or the one that we begin with.
    pub(super) sections: &'a [Section],
    pub(super) kind: Kind,
    pub(super) audio: AudioContent<'a>,
    /// `None`: a video section is refused.
    pub(super) video: Option<VideoContent<'a>>,
}

/// What varies of the audio.
pub(super) struct AudioContent<'a> {
    /// Which section it is.
    pub(super) index: usize,
    /// Its mid, if it is in our BUNDLE group.
    pub(super) mid: Option<&'a str>,
    pub(super) payloads: &'a [PayloadType],
    pub(super) direction: Direction,
    pub(super) ptime: u8,
    pub(super) maxptime: Option<u8>,
    pub(super) rtcp_mux: bool,
    pub(super) crypto: &'a [Crypto],
    pub(super) setup: &'static str,
}

/// What varies of the video.
pub(super) struct VideoContent<'a> {
    /// Which section it is.
    pub(super) index: usize,
    /// Its mid, if it is in our BUNDLE group.
    pub(super) mid: Option<&'a str>,
    pub(super) addresses: LegAddresses,
    pub(super) formats: &'a [VideoFormat],
    /// Of what we send.
    pub(super) parameter_sets: &'a [DescribedSets],
    pub(super) direction: Direction,
    pub(super) rtcp_mux: bool,
    pub(super) crypto: &'a [Crypto],
    pub(super) setup: &'static str,
    pub(super) feedback: VideoFeedback,
    /// Bits per second; 0: no limit is described.
    pub(super) max_bitrate: u32,
    pub(super) ssrc: u32,
    pub(super) rtx_ssrc: u32,
}

/// How a section is transported.
struct Transported<'a> {
    addresses: LegAddresses,
    rtcp_mux: bool,
    crypto: &'a [Crypto],
    setup: &'static str,
    /// The track's name.
    track: &'static str,
}

impl Local {
    pub(super) fn new(addresses: LegAddresses, fingerprint: [u8; 32], random: Random<'_>) -> Local {
        let mut id = [0; 8];
        random(&mut id);
        let mut ssrc = [0; 4];
        random(&mut ssrc);
        Local {
            addresses,
            fingerprint,
            ice: new_credentials(random),
            ssrc: u32::from_be_bytes(ssrc).max(1),
            // 62 bits, as RFC 8829 section 5.2.1 has it: some parsers take no more.
            session_id: u64::from_be_bytes(id) >> 2,
            version: 0,
            written: Vec::new(),
        }
    }

    /// New credentials: our half of an ICE restart (RFC 8839 section 4.4.1.1.1).
    pub(super) fn restart_ice(&mut self, random: Random<'_>) {
        self.ice = new_credentials(random);
    }

    /// Writes one description: the last one again if nothing in it changed. [`Local::keep`] follows.
    pub(super) fn text(&self, content: &Content<'_>) -> Vec<u8> {
        let again = self.render(content, self.version);
        if again == self.written { again } else { self.render(content, self.version + 1) }
    }

    /// A description was written to the peer.
    pub(super) fn keep(&mut self, text: &[u8]) {
        if text != self.written {
            self.version += 1;
            self.written = text.to_vec();
        }
    }

    fn render(&self, content: &Content<'_>, version: u64) -> Vec<u8> {
        let address = self.addresses.rtp;
        let origin = Origin::with_ip_addr(self.session_id, version, address.ip());
        let mut session = Session::new(origin, "-");
        session.set_connection(Connection::from_ip_addr(address.ip()));
        if content.kind == Kind::WebRtc {
            let video = content.video.as_ref().and_then(|video| video.mid);
            let mids: Vec<&str> = content.audio.mid.into_iter().chain(video).collect();
            if !mids.is_empty() {
                session.attributes.push(Attribute::with_value("group", format!("BUNDLE {}", mids.join(" "))));
            }
            session.attributes.push(Attribute::with_value("msid-semantic", " WMS *"));
            session.attributes.push(Attribute::new("ice-lite"));
        }
        for (index, section) in content.sections.iter().enumerate() {
            let video = content.video.as_ref().filter(|video| video.index == index);
            session.medias.push(match video {
                _ if index == content.audio.index => self.audio(section, content.kind, &content.audio),
                Some(video) => self.video(section, content.kind, video),
                None => refused(section),
            });
        }
        let mut bytes = Vec::with_capacity(1_024);
        session.write(&mut bytes).expect("writing to a Vec does not fail");
        bytes
    }

    fn audio(&self, section: &Section, kind: Kind, audio: &AudioContent<'_>) -> Media {
        let mut media = plain(section, self.addresses.rtp.port());
        media.fmt =
            audio.payloads.iter().map(|payload| payload.number.to_string()).collect::<Vec<_>>().join(" ");
        for payload in audio.payloads {
            let number = payload.number;
            media.add_attribute_with_value("rtpmap", format!("{number} {}", codecs::rtpmap(payload)));
            if let Some(parameters) = codecs::fmtp(payload) {
                media.add_attribute_with_value("fmtp", format!("{number} {parameters}"));
            }
        }
        media.add_attribute_with_value("ptime", audio.ptime);
        if let Some(maxptime) = audio.maxptime {
            media.add_attribute_with_value("maxptime", maxptime);
        }
        if let Some(mid) = &section.mid {
            media.add_attribute_with_value("mid", mid);
        }
        media.add_attribute(Attribute::new(audio.direction.name()));
        let transported = Transported {
            addresses: self.addresses,
            rtcp_mux: audio.rtcp_mux,
            crypto: audio.crypto,
            setup: audio.setup,
            track: "audio",
        };
        self.transport(&mut media, kind, &transported);
        if kind == Kind::WebRtc {
            // Chromium plays no audio under an unnamed SSRC while pictures go one way only.
            media.add_attribute_with_value("ssrc", format!("{} cname:{STREAM}", self.ssrc));
        }
        media
    }

    fn video(&self, section: &Section, kind: Kind, video: &VideoContent<'_>) -> Media {
        let mut media = plain(section, video.addresses.rtp.port());
        video::write(&mut media, video);
        if let Some(mid) = &section.mid {
            media.add_attribute_with_value("mid", mid);
        }
        media.add_attribute(Attribute::new(video.direction.name()));
        let transported = Transported {
            addresses: video.addresses,
            rtcp_mux: video.rtcp_mux,
            crypto: video.crypto,
            setup: video.setup,
            track: "video",
        };
        self.transport(&mut media, kind, &transported);
        if kind == Kind::WebRtc {
            video::write_sources(&mut media, video, STREAM);
        }
        media
    }

    fn transport(&self, media: &mut Media, kind: Kind, transported: &Transported<'_>) {
        if transported.rtcp_mux {
            media.add_attribute(Attribute::new("rtcp-mux"));
        } else {
            media.add_attribute_with_value("rtcp", transported.addresses.rtcp.port());
        }
        for crypto in transported.crypto {
            media.add_attribute_with_value("crypto", crypto.write());
        }
        if matches!(kind, Kind::Dtls | Kind::WebRtc) {
            media.add_attribute_with_value("fingerprint", fingerprint::write(&self.fingerprint));
            media.add_attribute_with_value("setup", transported.setup);
        }
        if kind == Kind::WebRtc {
            media.add_attribute_with_value("ice-ufrag", &self.ice.ufrag);
            media.add_attribute_with_value("ice-pwd", &self.ice.password);
            let address: SocketAddr = transported.addresses.rtp;
            media.add_attribute_with_value("candidate", candidate::host(1, address));
            media.add_attribute(Attribute::new("end-of-candidates"));
            media.add_attribute_with_value("msid", format!("{STREAM} {STREAM}-{}", transported.track));
        }
    }
}

/// A section that is not wanted, with port zero (RFC 3264 section 6).
fn refused(section: &Section) -> Media {
    let mut media = plain(section, 0);
    if media.fmt.is_empty() {
        // RFC 4566 section 9 wants a format even here; browsers read no description without, and write this one themselves.
        "0".clone_into(&mut media.fmt);
    }
    if let Some(mid) = &section.mid {
        media.add_attribute_with_value("mid", mid);
    }
    media.add_attribute(Attribute::new("inactive"));
    media
}

fn plain(section: &Section, port: u16) -> Media {
    Media {
        media: section.media.clone(),
        port,
        num_ports: None,
        proto: section.protocol.clone(),
        fmt: section.formats.clone(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// 8 and 24 characters of six random bits each (RFC 8445 section 5.3 asks for 24 and 128 bits at least).
pub(crate) fn new_credentials(random: Random<'_>) -> IceCredentials {
    let mut letters = |length: usize| {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bytes = vec![0; length];
        random(&mut bytes);
        bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect::<String>()
    };
    IceCredentials { ufrag: letters(8), password: letters(24) }
}
