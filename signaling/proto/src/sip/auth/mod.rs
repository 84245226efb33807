//! Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760), as client and as server.

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ChallengeError, Credentials, DigestClient, Secret};
pub use server::{Authenticator, Realm, Verdict};

use super::header_name::HeaderName;
use super::message::Method;
use crate::settings::Ha1;
use aws_lc_rs::digest;
use md5::Digest as _;
use zeroize::Zeroizing;

/// Which of the two pairs of header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenger {
    /// A user agent server or registrar: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Challenger {
    /// The status of the response that challenges.
    pub fn status(self) -> u16 {
        match self {
            Challenger::Server => 401,
            Challenger::Proxy => 407,
        }
    }

    /// The header field that challenges.
    pub fn challenge_header(self) -> HeaderName {
        match self {
            Challenger::Server => HeaderName::WwwAuthenticate,
            Challenger::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    /// The header field that answers.
    pub fn credentials_header(self) -> HeaderName {
        match self {
            Challenger::Server => HeaderName::Authorization,
            Challenger::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}

/// The hash functions, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// MD5 (RFC 1321).
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512_256,
}

impl Hash {
    /// The hash of these parts, joined by colons, in hexadecimal.
    fn of(self, parts: &[&[u8]]) -> Zeroizing<String> {
        let text = Zeroizing::new(parts.join(&b':'));
        let hexadecimal =
            |bytes: &[u8]| Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        match self {
            Hash::Md5 => hexadecimal(&md5::Md5::digest(text.as_slice())),
            Hash::Sha256 => hexadecimal(digest::digest(&digest::SHA256, &text).as_ref()),
            Hash::Sha512_256 => hexadecimal(digest::digest(&digest::SHA512_256, &text).as_ref()),
        }
    }
}

/// The `algorithm` parameter (RFC 7616 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Algorithm {
    hash: Hash,
    /// The `-sess` variant, whose A1 also holds the nonces.
    session: bool,
}

impl Algorithm {
    /// RFC 7616 section 3.3: "If this is not present, it is assumed to be MD5." `None` for an unknown one.
    fn parse(name: Option<&str>) -> Option<Algorithm> {
        let name = name.unwrap_or("MD5").to_ascii_uppercase();
        let (base, session) = match name.strip_suffix("-SESS") {
            Some(base) => (base, true),
            None => (name.as_str(), false),
        };
        let hash = match base {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512_256,
            _ => return None,
        };
        Some(Algorithm { hash, session })
    }

    fn name(self) -> &'static str {
        match (self.hash, self.session) {
            (Hash::Md5, false) => "MD5",
            (Hash::Md5, true) => "MD5-sess",
            (Hash::Sha256, false) => "SHA-256",
            (Hash::Sha256, true) => "SHA-256-sess",
            (Hash::Sha512_256, false) => "SHA-512-256",
            (Hash::Sha512_256, true) => "SHA-512-256-sess",
        }
    }
}

/// The quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Qop {
    Auth,
    AuthInt,
}

impl Qop {
    fn name(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }
}

/// What a response is computed from.
struct Computation<'a> {
    algorithm: Algorithm,
    nonce: &'a str,
    /// `None`: compatible with RFC 2069, without cnonce and nc (RFC 3261 section 22.4, point 8).
    qop: Option<(Qop, &'a str)>,
    cnonce: &'a str,
    method: &'a Method,
    uri: &'a str,
    body: &'a [u8],
}

impl Computation<'_> {
    /// The `response` parameter (RFC 7616 section 3.4.1) for H(user:realm:password).
    fn response(&self, ha1: &str) -> Zeroizing<String> {
        let hash = self.algorithm.hash;
        let ha1 = match self.algorithm.session {
            // RFC 7616 section 3.4.2.
            true => hash.of(&[ha1.as_bytes(), self.nonce.as_bytes(), self.cnonce.as_bytes()]),
            false => Zeroizing::new(ha1.to_owned()),
        };
        let (method, uri) = (self.method.as_str().as_bytes(), self.uri.as_bytes());
        let ha2 = match self.qop {
            // RFC 7616 section 3.4.3.
            Some((Qop::AuthInt, _)) => hash.of(&[method, uri, hash.of(&[self.body]).as_bytes()]),
            _ => hash.of(&[method, uri]),
        };
        let (ha1, nonce, ha2) = (ha1.as_bytes(), self.nonce.as_bytes(), ha2.as_bytes());
        match self.qop {
            Some((qop, count)) => {
                hash.of(&[ha1, nonce, count.as_bytes(), self.cnonce.as_bytes(), qop.name().as_bytes(), ha2])
            }
            None => hash.of(&[ha1, nonce, ha2]),
        }
    }
}

/// H(user:realm:password) of one hash function, in hexadecimal (RFC 7616 section 3.4.2).
fn hash_password(hash: Hash, username: &str, realm: &str, password: &str) -> Zeroizing<String> {
    hash.of(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

/// What the settings keep of a password.
pub fn ha1(username: &str, realm: &str, password: &str) -> Ha1 {
    Ha1 {
        md5: Some(hash_password(Hash::Md5, username, realm, password)),
        sha256: Some(hash_password(Hash::Sha256, username, realm, password)),
    }
}
