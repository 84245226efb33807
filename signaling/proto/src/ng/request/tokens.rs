//! Keys and flags as words: `-`, `_` and a space are equal in them, and so are capitals and small letters.

/// Bytes of an unknown word that are kept for the log.
const MAX_UNKNOWN: usize = 64;

/// The word as the tables have it.
pub(super) fn normal(word: &str) -> String {
    word.chars()
        .map(|c| match c {
            ' ' | '_' => '-',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}

/// Whether both are the same word.
pub(super) fn same(a: &str, b: &str) -> bool {
    let fold = |byte: u8| match byte {
        b' ' | b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// What follows this prefix.
pub(super) fn after<'a>(word: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = word.split_at_checked(prefix.len())?;
    same(start, prefix).then_some(rest)
}

/// The word, short enough for a log, without what would break its line.
pub(super) fn shortened(word: &str) -> String {
    let clean = word.chars().map(|c| if c.is_control() { '?' } else { c });
    let mut short: String = clean.take(MAX_UNKNOWN).collect();
    if short.len() < word.len() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_equal_whatever_divides_them() {
        assert!(same("SIP source address", "sip-source-address"));
        assert!(same("rtpp_flags", "rtpp-flags"));
        assert!(!same("sipsource", "sip-source"));
        assert_eq!(normal("ICE lite_X"), "ice-lite-x");
        assert_eq!(after("codec-strip-PCMU", "codec-strip-"), Some("PCMU"));
        assert_eq!(after("codec", "codec-strip-"), None);
        assert_eq!(after("\u{e9}\u{e9}\u{e9}", "abc"), None);
    }

    #[test]
    fn what_is_logged_is_short_and_of_one_line() {
        assert_eq!(shortened("a\r\nb"), "a??b");
        assert_eq!(shortened(&"x".repeat(1_000)).len(), MAX_UNKNOWN + 3);
    }
}
