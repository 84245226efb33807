//! Whether a server's first answer can be shown to the engine.
//!
//! Until a server has answered, the engine does not know which version was chosen, and looks for that in what comes. It
//! believes the length that an extension says of itself (dimpl 0.9.0): one that is cut short would end the thread that reads
//! it, and every call on it. RFC 8446 section 4.2 has such an answer refused anyhow.

use super::HANDSHAKE;

/// The handshake type of ServerHello.
const SERVER_HELLO: u8 = 2;
/// Bytes of a ServerHello before its session identifier: the version and the random (RFC 5246 section 7.4.1.3).
const BEFORE_SESSION: usize = 34;
/// Bytes of the cipher suite and the compression method.
const SUITE_AND_COMPRESSION: usize = 3;

/// Whether each extension ends within the extensions, where these records begin with a ServerHello that has some.
pub(super) fn is_sound(records: &[u8]) -> bool {
    let Some(mut rest) = extensions(records) else { return true };
    while let Some(([_, _, high, low], behind)) = rest.split_first_chunk() {
        let Some(next) = behind.get(usize::from(u16::from_be_bytes([*high, *low]))..) else { return false };
        rest = next;
    }
    true
}

/// The extensions of a ServerHello that lies whole in the first record.
fn extensions(records: &[u8]) -> Option<&[u8]> {
    // RFC 6347 section 4.1: type, version, epoch, sequence number, length.
    let ([HANDSHAKE, _, _, _, _, _, _, _, _, _, _, high, low], rest) = records.split_first_chunk()? else {
        return None;
    };
    let record = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    // RFC 6347 section 4.2.2: type, length, sequence number, and where the fragment begins and how long it is.
    let ([SERVER_HELLO, _, _, _, _, _, _, _, _, high, middle, low], rest) = record.split_first_chunk()?
    else {
        return None;
    };
    let length = u32::from_be_bytes([0, *high, *middle, *low]);
    let hello = rest.get(..usize::try_from(length).ok()?)?;
    let (session_len, rest) = hello.get(BEFORE_SESSION..)?.split_first()?;
    let rest = rest.get(usize::from(*session_len) + SUITE_AND_COMPRESSION..)?;
    let (length, rest) = rest.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ServerHello with these extensions.
    pub(in crate::dtls) fn server_hello(extensions: &[u8]) -> Vec<u8> {
        let mut hello = [vec![0xfe, 0xfd], vec![7; 32], vec![0, 0xc0, 0x2b, 0]].concat();
        hello.extend((extensions.len() as u16).to_be_bytes());
        hello.extend(extensions);
        let length = hello.len() as u16;
        let mut records = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        records.extend((length + 12).to_be_bytes());
        records.extend([SERVER_HELLO, 0]);
        records.extend(length.to_be_bytes());
        records.extend([0, 0, 0, 0, 0, 0]);
        records.extend(length.to_be_bytes());
        records.extend(hello);
        records
    }

    #[test]
    fn extensions_that_are_cut_short_are_refused() {
        assert!(is_sound(&server_hello(&[])));
        assert!(is_sound(&server_hello(&[0, 0x17, 0, 0, 0, 0x2b, 0, 2, 0xfe, 0xfc])));
        // What the fuzzer found: supported_versions says that it has 1,799 bytes, and has none.
        assert!(!is_sound(&server_hello(&[0, 0x17, 0, 0, 0, 0x2b, 7, 7])));
        assert!(!is_sound(&server_hello(&[0, 0x2b, 0, 2, 0xfe])));
        // Another message, and fragments, are none of its business.
        let mut other = server_hello(&[0, 0x2b, 7, 7]);
        other[13] = 14;
        assert!(is_sound(&other) && is_sound(&other[..20]) && is_sound(&[]));
    }

    proptest! {
        /// Whatever the extensions are: they are sound if they are a sequence of whole ones, with less than a header behind.
        #[test]
        fn whole_extensions_are_sound(
            extensions in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..20)), 0..6),
            cut in 0usize..40,
        ) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for (kind, body) in &extensions {
                bytes.extend(kind.to_be_bytes());
                bytes.extend((body.len() as u16).to_be_bytes());
                bytes.extend(body);
                ends.push(bytes.len());
            }
            let kept = bytes.len().saturating_sub(cut);
            let is_expected = ends.iter().any(|end| (*end..end + 4).contains(&kept));
            prop_assert_eq!(is_sound(&server_hello(&bytes[..kept])), is_expected);
        }
    }
}
