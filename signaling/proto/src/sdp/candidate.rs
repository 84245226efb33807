//! ICE candidates (RFC 8839 section 5.1).
//!
//! We are ICE-lite: checks come to us, and a peer's candidates are never sent to. They are read all the same, so
//! that a malformed description is refused rather than half understood.

use super::{MAX_CANDIDATES, SdpError, malformed};
use std::net::SocketAddr;

/// The priority of a host candidate's RTP component (RFC 8445 section 5.1.2.1), the only one that we have.
pub(crate) const HOST_PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// Our candidate, as the value of an `a=candidate` line.
pub(crate) fn host(foundation: usize, address: SocketAddr) -> String {
    format!("{foundation} 1 udp {HOST_PRIORITY} {} {} typ host", address.ip(), address.port())
}

/// Checks the candidates of a description.
pub(crate) fn check<'a>(lines: impl Iterator<Item = &'a str>) -> Result<(), SdpError> {
    for (index, line) in lines.enumerate() {
        if index >= MAX_CANDIDATES {
            return malformed(format!("more than {MAX_CANDIDATES} ICE candidates"));
        }
        if !is_candidate(line) {
            return malformed(format!(
                "ICE candidate {:?} is malformed",
                line.chars().take(80).collect::<String>()
            ));
        }
    }
    Ok(())
}

/// `foundation component transport priority address port typ type ...`; the address may be an mDNS name.
fn is_candidate(line: &str) -> bool {
    let fields: Vec<&str> = line.split_ascii_whitespace().take(8).collect();
    let &[foundation, component, _transport, priority, _address, port, typ, _kind] = fields.as_slice() else {
        return false;
    };
    let component = component.parse::<u16>().is_ok_and(|component| (1..=256).contains(&component));
    (1..=32).contains(&foundation.len())
        && component
        && priority.parse::<u32>().is_ok()
        && port.parse::<u16>().is_ok()
        && typ == "typ"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_candidates_pass() {
        let lines = [
            "842163049 1 udp 1677729535 203.0.113.5 46154 typ srflx raddr 10.0.1.1 rport 46154 generation 0",
            "1 1 UDP 2122252543 fe3b.local 9 typ host",
            "2 1 TCP 2105458943 2001:db8::1 9 typ host tcptype active",
        ];
        assert_eq!(check(lines.into_iter()), Ok(()));
    }

    #[test]
    fn our_own_candidate_passes() {
        assert!(is_candidate(&host(1, "[2001:db8::1]:3478".parse().unwrap())));
    }

    #[test]
    fn nonsense_and_floods_are_refused() {
        assert_eq!(check(["1 0 udp 1 1.2.3.4 5 typ host"].into_iter()).unwrap_err().status(), 400);
        assert_eq!(check(["1 1 udp"].into_iter()).unwrap_err().status(), 400);
        let flood = std::iter::repeat_n("1 1 udp 1 1.2.3.4 5 typ host", MAX_CANDIDATES + 1);
        assert!(check(flood).unwrap_err().to_string().contains("128"));
    }
}
