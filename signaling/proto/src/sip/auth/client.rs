//! Answering challenges.

use super::{Algorithm, Challenger, Computation, Hash, Qop, hash_password};
use crate::settings::Ha1;
use crate::sip::headers::HeaderError;
use crate::sip::lexer::write_quoted;
use crate::sip::message::{Request, Response};
use crate::sip::values::Challenge;
use zeroize::Zeroizing;

/// Challenges of one response that are looked at, and realms that one client remembers.
const REALMS: usize = 8;

/// What proves a user.
#[derive(Clone)]
pub enum Secret {
    /// The password.
    Password(Zeroizing<String>),
    /// Its hashes for one realm.
    Ha1(Ha1),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A user's credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name in the digest; not always the user part of the address.
    pub username: String,
    /// What proves it.
    pub secret: Secret,
    /// The only realm that may challenge; `None`: any. Requests that a callee's side can challenge must never be
    /// answered with a user's credentials (attacks.md row 11): hand such requests to no [`DigestClient`].
    pub realm: Option<String>,
}

/// Why a challenge is not answered: the 401 or 407 is then the final response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The response holds no Digest challenge.
    #[error("the response holds no digest challenge")]
    Missing,
    /// A challenge is malformed.
    #[error("malformed challenge: {0}")]
    Malformed(#[from] HeaderError),
    /// Another realm than the credentials are for.
    #[error("another realm challenges")]
    ForeignRealm,
    /// No challenge has an algorithm and a quality of protection that the credentials can satisfy.
    #[error("no algorithm in common")]
    Unsupported,
    /// The answer to a fresh challenge was not accepted: the credentials are wrong.
    #[error("the credentials were rejected")]
    Rejected,
}

/// Answers the challenges of one server with one user's credentials, and goes on using their nonces (RFC 3261 section 22.2).
#[derive(Clone)]
pub struct DigestClient {
    credentials: Credentials,
    answers: Vec<Answer>,
}

impl std::fmt::Debug for DigestClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DigestClient").field("username", &self.credentials.username).finish_non_exhaustive()
    }
}

/// A challenge that is being answered.
#[derive(Clone)]
struct Answer {
    challenger: Challenger,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the challenge named its algorithm.
    algorithm_named: bool,
    qop: Option<Qop>,
    /// How many requests used this nonce.
    count: u32,
}

impl DigestClient {
    /// A client that was not challenged yet.
    pub fn new(credentials: Credentials) -> DigestClient {
        DigestClient { credentials, answers: Vec::new() }
    }

    /// Takes in the challenges of a 401 or 407. After `Ok`, [`DigestClient::authorize`] a copy of the request, with a new
    /// CSeq and branch, and send it. With several algorithms on offer the strongest of ours is taken (RFC 8760 section 2.4).
    pub fn challenged(&mut self, response: &Response) -> Result<(), ChallengeError> {
        let (challenger, challenges) = match response.status {
            407 => (Challenger::Proxy, response.headers.proxy_authenticate()?),
            _ => (Challenger::Server, response.headers.www_authenticate()?),
        };
        let mut failure = ChallengeError::Missing;
        let mut best: Vec<(Answer, bool)> = Vec::new();
        for challenge in
            challenges.iter().filter(|challenge| challenge.scheme.eq_ignore_ascii_case("Digest")).take(REALMS)
        {
            match self.read(challenger, challenge) {
                Ok(answer) => {
                    let stale =
                        challenge.params.get("stale").is_some_and(|value| value.eq_ignore_ascii_case("true"));
                    match best.iter_mut().find(|(other, _)| other.realm == answer.realm) {
                        Some(other) if other.0.algorithm.hash < answer.algorithm.hash => {
                            *other = (answer, stale)
                        }
                        Some(_) => {}
                        None => best.push((answer, stale)),
                    }
                }
                Err(error) => failure = error,
            }
        }
        if best.is_empty() {
            return Err(failure);
        }
        for (answer, stale) in best {
            self.remember(answer, stale)?;
        }
        Ok(())
    }

    fn read(&self, challenger: Challenger, challenge: &Challenge) -> Result<Answer, ChallengeError> {
        let malformed =
            |problem| ChallengeError::Malformed(HeaderError::new(challenger.challenge_header(), problem));
        let params = &challenge.params;
        let realm = params.get("realm").ok_or_else(|| malformed("the realm is missing"))?;
        let nonce = params.get("nonce").ok_or_else(|| malformed("the nonce is missing"))?;
        if self.credentials.realm.as_deref().is_some_and(|ours| ours != realm) {
            return Err(ChallengeError::ForeignRealm);
        }
        let algorithm = Algorithm::parse(params.get("algorithm")).ok_or(ChallengeError::Unsupported)?;
        if let Secret::Ha1(ha1) = &self.credentials.secret
            && stored(ha1, algorithm.hash).is_none()
        {
            return Err(ChallengeError::Unsupported);
        }
        let qop = match params.get("qop") {
            None => None,
            Some(list) => {
                let offers =
                    |qop: Qop| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(qop.name()));
                let known = [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| offers(*qop));
                Some(known.ok_or(ChallengeError::Unsupported)?)
            }
        };
        Ok(Answer {
            challenger,
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm,
            algorithm_named: params.has("algorithm"),
            qop,
            count: 0,
        })
    }

    fn remember(&mut self, answer: Answer, stale: bool) -> Result<(), ChallengeError> {
        let known = |old: &Answer| old.challenger == answer.challenger && old.realm == answer.realm;
        if let Some(old) = self.answers.iter_mut().find(|old| known(old)) {
            // A nonce that was used before may have run out without the server saying so; a fresh one has not.
            if old.count == 1 && !stale {
                return Err(ChallengeError::Rejected);
            }
            *old = answer;
        } else {
            if self.answers.len() >= REALMS {
                self.answers.remove(0);
            }
            self.answers.push(answer);
        }
        Ok(())
    }

    /// Replaces the request's credentials by ours, for every realm that has challenged; none where none has.
    ///
    /// `cnonce` is random, in letters and digits, new for each request.
    pub fn authorize(&mut self, request: &mut Request, cnonce: &str) {
        for challenger in [Challenger::Server, Challenger::Proxy] {
            request.headers.remove(challenger.credentials_header());
        }
        for answer in &mut self.answers {
            // RFC 7616 section 3.4: nc counts the requests sent with this nonce.
            answer.count = answer.count.saturating_add(1);
            let value = answer.authorization(&self.credentials, request, cnonce);
            request.headers.push(answer.challenger.credentials_header(), value);
        }
    }
}

impl Answer {
    fn authorization(&self, credentials: &Credentials, request: &Request, cnonce: &str) -> String {
        let hash = self.algorithm.hash;
        let ha1 = match &credentials.secret {
            Secret::Password(password) => hash_password(hash, &credentials.username, &self.realm, password),
            // `read` took no challenge whose hash is not stored.
            Secret::Ha1(ha1) => stored(ha1, hash).cloned().unwrap_or_default(),
        };
        let uri = request.uri.to_string();
        let count = format!("{:08x}", self.count);
        let computation = Computation {
            algorithm: self.algorithm,
            nonce: &self.nonce,
            qop: self.qop.map(|qop| (qop, count.as_str())),
            cnonce,
            method: &request.method,
            uri: &uri,
            body: &request.body,
        };
        let mut text = String::from("Digest username=");
        let mut quoted = |name: &str, value: &str| {
            text.push_str(name);
            // Writing to a String does not fail.
            let _ = write_quoted(&mut text, value);
        };
        quoted("", &credentials.username);
        quoted(", realm=", &self.realm);
        quoted(", nonce=", &self.nonce);
        quoted(", uri=", &uri);
        quoted(", response=", &computation.response(&ha1));
        if let Some(opaque) = &self.opaque {
            quoted(", opaque=", opaque);
        }
        if self.qop.is_some() || self.algorithm.session {
            quoted(", cnonce=", cnonce);
        }
        if self.algorithm_named {
            text.push_str(&format!(", algorithm={}", self.algorithm.name()));
        }
        if let Some(qop) = self.qop {
            text.push_str(&format!(", qop={}, nc={count}", qop.name()));
        }
        text
    }
}

fn stored(ha1: &Ha1, hash: Hash) -> Option<&Zeroizing<String>> {
    match hash {
        Hash::Md5 => ha1.md5.as_ref(),
        Hash::Sha256 => ha1.sha256.as_ref(),
        Hash::Sha512_256 => None,
    }
}
