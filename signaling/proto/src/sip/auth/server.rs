//! Challenging, and verifying the answers.

use super::{Algorithm, Challenger, Computation, Hash, Qop};
use crate::settings::Ha1;
use crate::sip::lexer::write_quoted;
use crate::sip::message::{Request, Response, default_reason, reply};
use crate::sip::params::Params;
use crate::sip::uri::Uri;
use aws_lc_rs::{constant_time, hmac};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Nonces whose counts are kept. Only a right password adds one; when it is full, the oldest nonces become stale.
const NONCES: usize = 16_384;

/// A realm, with the algorithms that it offers to everybody: what one user has stored must not show in a challenge, nor
/// whether there is such a user (attacks.md row 9).
#[derive(Clone, Debug)]
pub struct Realm {
    /// The realm.
    pub name: String,
    /// Offered algorithms, the strongest first (RFC 8760 section 2.3).
    hashes: Vec<Hash>,
}

impl Realm {
    /// The offered hash functions, the strongest first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Like [`Realm::new`], but MD5 alone where each user can satisfy it.
    ///
    /// RFC 7616 section 3.7 lets a client pass over a challenge whose algorithm it does not know, but baresip 1.0 and JsSIP
    /// fail on it. Who wants SHA-256 stores only that hash of the users.
    pub fn for_telephones<'a>(name: impl Into<String>, users: impl IntoIterator<Item = &'a Ha1>) -> Realm {
        let mut realm = Realm::new(name, users);
        if realm.hashes.contains(&Hash::Md5) {
            realm.hashes = vec![Hash::Md5];
        }
        realm
    }

    /// A realm that offers what each of these users can satisfy; where they have nothing in common, SHA-256 and MD5.
    pub fn new<'a>(name: impl Into<String>, users: impl IntoIterator<Item = &'a Ha1>) -> Realm {
        let (mut md5, mut sha256) = (true, true);
        for user in users {
            md5 &= user.md5.is_some();
            sha256 &= user.sha256.is_some();
        }
        let none = !md5 && !sha256;
        let offered = [(Hash::Sha256, sha256 || none), (Hash::Md5, md5 || none)];
        Realm {
            name: name.into(),
            hashes: offered.iter().filter(|(_, on)| *on).map(|(hash, _)| *hash).collect(),
        }
    }
}

/// What the credentials of a request are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They prove this user of the realm.
    Authenticated {
        /// The digest's user name.
        username: String,
    },
    /// There are none for this realm: challenge.
    Missing,
    /// The password is right, but the nonce is too old or was used up: challenge with `stale`.
    Stale,
    /// They are wrong, or the user is unknown: challenge, and count it.
    Wrong {
        /// The digest's user name.
        username: String,
    },
    /// They cannot be read: 400 (RFC 7616 section 3.4).
    Malformed(&'static str),
}

/// Makes challenges whose nonces need no memory until they are used, and verifies the answers.
pub struct Authenticator {
    key: hmac::Key,
    /// Nonces count their time from here.
    started: Instant,
    lifetime: Duration,
    /// The number of the next nonce.
    next: u64,
    /// Nonces numbered below this and not in `used` are stale: their counts were given up.
    horizon: u64,
    used: BTreeMap<u64, Counts>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("used", &self.used.len()).finish_non_exhaustive()
    }
}

/// The nonce counts seen: the highest, and which of the 64 up to it.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    highest: u32,
    seen: u64,
}

impl Counts {
    /// Takes a count; false if it was seen or is too old to tell.
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.seen = self.seen.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let mask = 1u64.checked_shl(self.highest - count).unwrap_or(0);
        let fresh = count > 0 && mask != 0 && self.seen & mask == 0;
        self.seen |= mask;
        fresh
    }
}

/// What a nonce of ours says.
struct Nonce {
    number: u64,
    age: Duration,
}

/// The parameters of Authorization (RFC 7616 section 3.4).
struct Answer<'a> {
    username: &'a str,
    uri: &'a str,
    response: &'a str,
    algorithm: Algorithm,
    nonce: &'a str,
    cnonce: &'a str,
    qop: Option<(Qop, &'a str)>,
    /// The number in nc; 1 without one, so that a nonce works once.
    count: u32,
}

impl Authenticator {
    /// `secret` is random, new for each process; `lifetime` is how long a nonce may be used.
    pub fn new(secret: &Zeroizing<[u8; 32]>, lifetime: Duration, now: Instant) -> Authenticator {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_slice());
        Authenticator { key, started: now, lifetime, next: 0, horizon: 0, used: BTreeMap::new() }
    }

    /// The 401 or 407: one challenge for each algorithm of the realm. The To tag is left to the caller.
    pub fn challenge(
        &mut self,
        challenger: Challenger,
        request: &Request,
        realm: &Realm,
        stale: bool,
        now: Instant,
    ) -> Response {
        let nonce = self.make_nonce(&realm.name, now);
        let mut response = reply(request, challenger.status(), default_reason(challenger.status()));
        for hash in &realm.hashes {
            // auth-int is understood, but not offered: many telephones know a list of one only.
            let mut value = String::from("Digest realm=");
            // Writing to a String does not fail.
            let _ = write_quoted(&mut value, &realm.name);
            let algorithm = Algorithm { hash: *hash, session: false };
            value.push_str(&format!(", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"", algorithm.name()));
            if stale {
                value.push_str(", stale=true");
            }
            response.headers.push(challenger.challenge_header(), value);
        }
        response
    }

    /// Verifies the request's credentials for this realm. `find` gives what is stored of a user's password.
    ///
    /// An unknown user costs the same work as a wrong password (attacks.md row 9).
    pub fn verify<'a>(
        &mut self,
        challenger: Challenger,
        request: &Request,
        realm: &Realm,
        now: Instant,
        find: impl FnOnce(&str) -> Option<&'a Ha1>,
    ) -> Verdict {
        let Ok(all) = request.headers.credentials(challenger.credentials_header()) else {
            return Verdict::Malformed("the credentials are malformed");
        };
        let ours = |params: &Params| params.get("realm") == Some(&realm.name);
        let digest = |scheme: &str| scheme.eq_ignore_ascii_case("Digest");
        let Some(credentials) = all.iter().find(|one| digest(&one.scheme) && ours(&one.params)) else {
            return Verdict::Missing;
        };
        let answer = match Answer::read(&credentials.params) {
            Ok(answer) => answer,
            Err(problem) => return Verdict::Malformed(problem),
        };
        if !agrees(answer.uri, &request.uri) {
            return Verdict::Malformed("the uri of the credentials is not the Request-URI");
        }
        let wrong = Verdict::Wrong { username: answer.username.to_owned() };
        let stored = find(answer.username).and_then(|ha1| match answer.algorithm.hash {
            Hash::Md5 => ha1.md5.clone(),
            Hash::Sha256 => ha1.sha256.clone(),
            Hash::Sha512_256 => None,
        });
        let known = stored.is_some() && realm.hashes.contains(&answer.algorithm.hash);
        let ha1 = stored.unwrap_or_else(|| answer.algorithm.hash.of(&[answer.username.as_bytes()]));
        let expected = answer.computation(request).response(&ha1);
        let given = answer.response.to_ascii_lowercase();
        let equal = constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok();
        if !known || !equal {
            return wrong;
        }
        match self.read_nonce(answer.nonce, &realm.name, now) {
            // A nonce of another process's life, or one that the client made up: no proof, but no wrong password either.
            None => Verdict::Stale,
            Some(nonce) if nonce.age > self.lifetime || !self.take_count(&nonce, answer.count) => {
                Verdict::Stale
            }
            Some(_) => Verdict::Authenticated { username: answer.username.to_owned() },
        }
    }

    fn make_nonce(&mut self, realm: &str, now: Instant) -> String {
        let milliseconds =
            u64::try_from(now.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
        let number = self.next;
        self.next += 1;
        let text = format!("{milliseconds:x}.{number:x}");
        let mac = self.nonce_mac(&text, realm);
        format!("{text}.{mac}")
    }

    fn read_nonce(&self, nonce: &str, realm: &str, now: Instant) -> Option<Nonce> {
        let (text, mac) = nonce.rsplit_once('.')?;
        constant_time::verify_slices_are_equal(self.nonce_mac(text, realm).as_bytes(), mac.as_bytes())
            .ok()?;
        let (milliseconds, number) = text.split_once('.')?;
        let made = Duration::from_millis(u64::from_str_radix(milliseconds, 16).ok()?);
        let age = now.saturating_duration_since(self.started).saturating_sub(made);
        Some(Nonce { number: u64::from_str_radix(number, 16).ok()?, age })
    }

    /// 128 bits of HMAC over the nonce's time, number and realm.
    fn nonce_mac(&self, text: &str, realm: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{text}.{realm}").as_bytes());
        tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    fn take_count(&mut self, nonce: &Nonce, count: u32) -> bool {
        if !self.used.contains_key(&nonce.number) && nonce.number < self.horizon {
            return false;
        }
        if !self.used.contains_key(&nonce.number) && self.used.len() >= NONCES {
            if let Some((oldest, _)) = self.used.pop_first() {
                self.horizon = self.horizon.max(oldest + 1);
            }
            if nonce.number < self.horizon {
                return false;
            }
        }
        self.used.entry(nonce.number).or_default().take(count)
    }
}

impl<'a> Answer<'a> {
    fn read(params: &'a Params) -> Result<Answer<'a>, &'static str> {
        let get = |name, problem| params.get(name).ok_or(problem);
        let algorithm = Algorithm::parse(params.get("algorithm")).ok_or("the algorithm is unknown")?;
        let cnonce = params.get("cnonce");
        let (qop, count) = match params.get("qop") {
            None => (None, 1),
            Some(qop) => {
                let qop = [Qop::Auth, Qop::AuthInt]
                    .into_iter()
                    .find(|known| known.name().eq_ignore_ascii_case(qop));
                let digits = get("nc", "nc is missing")?;
                if digits.len() != 8 || cnonce.is_none() {
                    return Err("nc or cnonce is malformed");
                }
                let count = u32::from_str_radix(digits, 16).map_err(|_| "nc is malformed")?;
                (Some((qop.ok_or("the qop is unknown")?, digits)), count)
            }
        };
        Ok(Answer {
            username: get("username", "the username is missing")?,
            uri: get("uri", "the uri is missing")?,
            response: get("response", "the response is missing")?,
            nonce: get("nonce", "the nonce is missing")?,
            algorithm,
            cnonce: cnonce.unwrap_or(""),
            qop,
            count,
        })
    }

    fn computation(&self, request: &'a Request) -> Computation<'a>
    where
        Self: 'a,
    {
        Computation {
            algorithm: self.algorithm,
            nonce: self.nonce,
            qop: self.qop,
            cnonce: self.cnonce,
            method: &request.method,
            uri: self.uri,
            body: &request.body,
        }
    }
}

/// Whether a digest's uri may stand for the Request-URI.
///
/// RFC 3261 section 22.4, point 7: "it is not necessarily a failure if the two fields are not equivalent". Clients
/// write their registrar's or proxy's address, or other parameters. A different user is refused all the same:
/// overheard credentials of one call must not place another.
fn agrees(digest_uri: &str, request_uri: &Uri) -> bool {
    match (digest_uri.parse(), request_uri) {
        (Ok(Uri::Sip(one)), Uri::Sip(other)) => one.user.is_none() || one.user == other.user,
        (Ok(one), other) => one == *other,
        (Err(_), _) => false,
    }
}
