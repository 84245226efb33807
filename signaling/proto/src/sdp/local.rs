//! Our own descriptions.

use super::crypto::Crypto;
use super::leg::{Kind, LegAddresses};
use super::{Direction, Random, Section, candidate, codecs, fingerprint};
use sdp_types::{Attribute, Connection, Media, Origin, Session};
use std::net::SocketAddr;
use tandem_control::{IceCredentials, PayloadType};

/// The media stream's name that browsers show to scripts (RFC 8830).
const STREAM: &str = "tandem";

/// What stays the same between the descriptions that we write to one peer.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) addresses: LegAddresses,
    pub(super) fingerprint: [u8; 32],
    pub(super) ice: IceCredentials,
    session_id: u64,
    version: u64,
    /// The last description; another version number is given only to another text (RFC 3264 section 8).
    written: Vec<u8>,
}

/// What varies.
pub(super) struct Content<'a> {
    /// The sections of the peer's last description, or the one that we begin with.
    pub(super) sections: &'a [Section],
    /// Which of them is the audio section.
    pub(super) index: usize,
    /// The mids that go into our BUNDLE group, if there is one.
    pub(super) bundled: Option<&'a str>,
    pub(super) kind: Kind,
    pub(super) payloads: &'a [PayloadType],
    pub(super) direction: Direction,
    pub(super) ptime: u8,
    pub(super) maxptime: Option<u8>,
    pub(super) rtcp_mux: bool,
    pub(super) crypto: &'a [Crypto],
    pub(super) setup: &'static str,
}

impl Local {
    pub(super) fn new(addresses: LegAddresses, fingerprint: [u8; 32], random: Random<'_>) -> Local {
        let mut id = [0; 8];
        random(&mut id);
        Local {
            addresses,
            fingerprint,
            ice: new_credentials(random),
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

    /// Writes one description.
    pub(super) fn write(&mut self, content: &Content<'_>) -> Vec<u8> {
        let text = self.text(content);
        if text == self.written {
            return text;
        }
        self.version += 1;
        self.written = self.text(content);
        self.written.clone()
    }

    fn text(&self, content: &Content<'_>) -> Vec<u8> {
        let address = self.addresses.rtp;
        let origin = Origin::with_ip_addr(self.session_id, self.version, address.ip());
        let mut session = Session::new(origin, "-");
        session.set_connection(Connection::from_ip_addr(address.ip()));
        if content.kind == Kind::WebRtc {
            if let Some(mid) = content.bundled {
                session.attributes.push(Attribute::with_value("group", format!("BUNDLE {mid}")));
            }
            session.attributes.push(Attribute::with_value("msid-semantic", " WMS *"));
            session.attributes.push(Attribute::new("ice-lite"));
        }
        for (index, section) in content.sections.iter().enumerate() {
            let media = if index == content.index { self.audio(section, content) } else { refused(section) };
            session.medias.push(media);
        }
        let mut bytes = Vec::with_capacity(1_024);
        session.write(&mut bytes).expect("writing to a Vec does not fail");
        bytes
    }

    fn audio(&self, section: &Section, content: &Content<'_>) -> Media {
        let mut media = plain(section, self.addresses.rtp.port());
        media.fmt =
            content.payloads.iter().map(|payload| payload.number.to_string()).collect::<Vec<_>>().join(" ");
        for payload in content.payloads {
            let number = payload.number;
            media.add_attribute_with_value("rtpmap", format!("{number} {}", codecs::rtpmap(payload)));
            if let Some(parameters) = codecs::fmtp(payload) {
                media.add_attribute_with_value("fmtp", format!("{number} {parameters}"));
            }
        }
        media.add_attribute_with_value("ptime", content.ptime);
        if let Some(maxptime) = content.maxptime {
            media.add_attribute_with_value("maxptime", maxptime);
        }
        if let Some(mid) = &section.mid {
            media.add_attribute_with_value("mid", mid);
        }
        media.add_attribute(Attribute::new(content.direction.name()));
        self.transport(&mut media, content);
        media
    }

    fn transport(&self, media: &mut Media, content: &Content<'_>) {
        if content.rtcp_mux {
            media.add_attribute(Attribute::new("rtcp-mux"));
        } else {
            media.add_attribute_with_value("rtcp", self.addresses.rtcp.port());
        }
        for crypto in content.crypto {
            media.add_attribute_with_value("crypto", crypto.write());
        }
        if matches!(content.kind, Kind::Dtls | Kind::WebRtc) {
            media.add_attribute_with_value("fingerprint", fingerprint::write(&self.fingerprint));
            media.add_attribute_with_value("setup", content.setup);
        }
        if content.kind == Kind::WebRtc {
            media.add_attribute_with_value("ice-ufrag", &self.ice.ufrag);
            media.add_attribute_with_value("ice-pwd", &self.ice.password);
            let address: SocketAddr = self.addresses.rtp;
            media.add_attribute_with_value("candidate", candidate::host(1, address));
            media.add_attribute(Attribute::new("end-of-candidates"));
            media.add_attribute_with_value("msid", format!("{STREAM} {STREAM}-audio"));
        }
    }
}

/// A section that is not wanted, with port zero (RFC 3264 section 6).
fn refused(section: &Section) -> Media {
    let mut media = plain(section, 0);
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
