//! Session descriptions of telephones: one audio section in the clear.

use crate::media::Codec;
use std::net::{IpAddr, SocketAddr};

/// Which way media flows, as the writer sees it (RFC 3264 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendReceive,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Direction::SendReceive => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::ReceiveOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// What an answer says to this offer (RFC 3264 section 6.1).
    pub(crate) fn answer(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::ReceiveOnly,
            Direction::ReceiveOnly => Direction::SendOnly,
            other => other,
        }
    }
}

/// What a peer's description says about its audio.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) address: SocketAddr,
    pub(crate) payload_type: u8,
    pub(crate) direction: Direction,
}

/// Writes an offer or an answer.
pub(crate) fn write(
    local: SocketAddr,
    codec: Codec,
    payload_type: u8,
    version: u32,
    direction: Direction,
) -> String {
    let (ip, port) = (local.ip(), local.port());
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- {port} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {}\r\na=ptime:20\r\na={}\r\n",
        codec.rtpmap(),
        direction.name()
    )
}

/// Reads a peer's description. `None`: it has no audio in this codec.
pub(crate) fn read(text: &str, codec: Codec) -> Option<Remote> {
    let mut session: Option<IpAddr> = None;
    let mut own: Option<IpAddr> = None;
    let mut audio: Option<(u16, Vec<u8>)> = None;
    let mut mapped = None;
    let mut direction = Direction::SendReceive;
    let mut is_audio = true;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("m=") {
            is_audio = audio.is_none() && rest.starts_with("audio ");
            if is_audio {
                let mut words = rest.split(' ').skip(1);
                let port = words.next()?.parse().ok()?;
                audio = Some((port, words.skip(1).filter_map(|word| word.parse().ok()).collect()));
            }
        } else if let Some(rest) = line.strip_prefix("c=IN IP").filter(|_| is_audio) {
            let ip = rest.split(' ').nth(1)?.trim().parse().ok()?;
            if audio.is_some() { own = Some(ip) } else { session = Some(ip) }
        } else if let Some(rest) = line.strip_prefix("a=").filter(|_| is_audio) {
            match rest.trim() {
                "sendrecv" => direction = Direction::SendReceive,
                "sendonly" => direction = Direction::SendOnly,
                "recvonly" => direction = Direction::ReceiveOnly,
                "inactive" => direction = Direction::Inactive,
                map => {
                    let map = map.strip_prefix("rtpmap:").and_then(|map| map.split_once(' '));
                    let found = map.filter(|(_, name)| name.eq_ignore_ascii_case(codec.rtpmap()));
                    mapped = mapped.or(found.and_then(|(number, _)| number.parse().ok()));
                }
            }
        }
    }
    let (port, types) = audio?;
    let payload_type =
        mapped.or(codec.static_payload_type()).filter(|number| types.contains(number) && port != 0)?;
    Some(Remote { address: SocketAddr::new(own.or(session)?, port), payload_type, direction })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let local = "127.0.0.1:4000".parse().unwrap();
        let text = write(local, Codec::Opus, 96, 1, Direction::SendOnly);
        let read = read(&text, Codec::Opus).unwrap();
        assert_eq!(read, Remote { address: local, payload_type: 96, direction: Direction::SendOnly });
    }

    #[test]
    fn a_static_type_needs_no_map_and_a_refused_section_is_none() {
        let text = "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 9 RTP/AVP 8 0\r\n";
        assert_eq!(read(text, Codec::Pcmu).unwrap().payload_type, 0);
        assert_eq!(read(&text.replace("audio 9", "audio 0"), Codec::Pcmu), None);
        assert_eq!(read(text, Codec::Opus), None);
    }
}
