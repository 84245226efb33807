//! The XCAP servers of domains (RFC 4825), and which of their documents a user may have.
//!
//! Such a server believes us whom it talks to, so that nobody may name another user than itself.

use thiserror::Error;

/// The XCAP server of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XcapRoot {
    /// The domain, in lower case.
    pub domain: String,
    /// The XCAP root (RFC 4825 section 6.1): a URL without a slash at its end.
    pub root: String,
}

/// Why a document may not be had. It quotes nothing of the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct XcapError(&'static str);

impl XcapRoot {
    /// What of a client's URL follows the root, with its slash; `user` is the client's address without a scheme.
    ///
    /// # Errors
    /// The URL names another server, no document, or one of somebody else's.
    pub fn selector<'a>(&self, url: &'a str, user: &str) -> Result<&'a str, XcapError> {
        let elsewhere = XcapError("Only documents of the domain's own XCAP server can be had");
        let selector = url.strip_prefix(self.root.as_str()).ok_or(elsewhere)?;
        let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\';
        let path = selector.split('?').next().unwrap_or_default();
        let segments: Option<Vec<String>> =
            path.strip_prefix('/').ok_or(elsewhere)?.split('/').map(decoded).collect();
        let segments = segments.filter(|_| selector.bytes().all(is_visible));
        let segments = segments.ok_or(XcapError("The address of the document is malformed"))?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        // RFC 4825 section 6.2: the application, then whose documents, then which.
        match segments.as_slice() {
            [_, "global", _, ..] => Ok(selector),
            [_, "users", whose, _, ..] if is_user(whose, user) => Ok(selector),
            [_, "users", _, _, ..] => Err(XcapError("Other users' documents cannot be had")),
            _ => Err(XcapError("The address names no document")),
        }
    }
}

/// The identifier of a user is its address, which servers want with or without its scheme (RFC 4825 section 6.2).
fn is_user(whose: &str, user: &str) -> bool {
    let address = whose.strip_prefix("sip:").unwrap_or(whose);
    match (address.rsplit_once('@'), user.rsplit_once('@')) {
        (Some((name, host)), Some((user, domain))) => name == user && host.eq_ignore_ascii_case(domain),
        _ => false,
    }
}

/// A segment of a path without its escapes; `None` if it is empty, or would be more than one segment or another one to
/// a server that takes the escapes out too early.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    let is_one = !text.contains(|c: char| c == '/' || c == '\\' || c.is_control());
    (is_one && !matches!(text.as_str(), "" | "." | "..")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn root() -> XcapRoot {
        let root = "https://xcap.example.org:8443/xcap-root".to_owned();
        XcapRoot { domain: "example.org".to_owned(), root }
    }

    fn selector(path: &str) -> Result<String, String> {
        let url = format!("{}{path}", root().root);
        let selector = root().selector(&url, "alice@example.org").map(str::to_owned);
        selector.map_err(|error| error.to_string())
    }

    #[test]
    fn a_users_own_documents_and_those_of_all_can_be_had() {
        for path in [
            "/resource-lists/users/sip:alice@example.org/index",
            "/resource-lists/users/sip%3Aalice%40Example.org/index/~~/resource-lists/list%5b1%5d?xmlns(a=b)",
            "/pidf-manipulation/users/alice@example.org/presence.xml",
            "/xcap-caps/global/index",
        ] {
            assert_eq!(selector(path).as_deref(), Ok(path));
        }
    }

    #[test]
    fn nothing_else_can_be_had() {
        for path in [
            "",
            "/",
            "/resource-lists",
            "/resource-lists/users/sip:bob@example.org/index",
            "/resource-lists/users/sip:alice@evil.example/index",
            "/resource-lists/users/sip:alice@example.org",
            "/resource-lists/users/sip:alice@example.org/../sip:bob@example.org/index",
            "/resource-lists/users/sip:alice@example.org/%2e%2E/index",
            "/resource-lists/users/sip:alice@example.org/x%2F..%2f..%2Fx",
            "/resource-lists/users/sip:alice@example.org/x\\y",
            "/resource-lists/global//index",
            "/resource-lists/global/index#x",
            "/resource-lists/global/index HTTP/1.1",
            "/resource-lists/global/index%0d%0aX",
            "/resource-lists/global/%zz",
            "-other/resource-lists/global/index",
            ".evil.example/resource-lists/global/index",
        ] {
            assert!(selector(path).is_err(), "{path}");
        }
        let other = root().selector("https://evil.example/a/global/index", "alice@example.org");
        assert!(other.is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_let_through_stays_beneath_the_root(
            segments in proptest::collection::vec("[a-z@:.%2eE5cC/~]{0,12}|users|global|alice@example\\.org", 0..7),
        ) {
            let path = segments.iter().fold(String::new(), |path, segment| path + "/" + segment);
            if selector(&path).is_ok() {
                let lower = path.to_ascii_lowercase();
                let is_up = |segment: &str| matches!(segment.replace("%2e", ".").as_str(), "." | ".." | "");
                prop_assert!(!lower.split('/').skip(1).any(is_up) && !lower.contains("%2f"), "{path}");
                let of_all = lower.split('/').nth(2) == Some("global");
                prop_assert!(of_all || lower.contains("alice"), "{path}");
            }
        }
    }
}
