//! Who asks (attacks.md rows 9, 10 and 12).

use super::Switch;
use crate::registrar::AddressOfRecord;
use crate::settings::Ha1;
use crate::sip::auth::{Challenger, Realm, Verdict, ha1};
use crate::sip::user_agent::RequestHandle;
use crate::sip::{HeaderName, Host, Request, Uri, default_reason, reply};
use crate::transport::Flow;
use std::net::IpAddr;
use std::time::Instant;

/// Why a browser's login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginError {
    /// The password is wrong, or there is no such user: which, is not told.
    Wrong,
    /// Too many wrong passwords.
    Locked,
}

impl Switch {
    /// The local domain that a host names: by its name, or by an address of ours, which stands for the first domain.
    pub(super) fn local_domain(&self, host: &Host) -> Option<String> {
        let domains = &self.settings.domains;
        let name = host.to_string();
        let named = domains.iter().find(|domain| domain.name.eq_ignore_ascii_case(&name));
        let is_ours = |ip: IpAddr| {
            ip.is_loopback()
                || self.settings.advertised.contains(&ip)
                || self.settings.sip.iter().any(|(_, address)| address.ip() == ip)
        };
        let by_address = || domains.first().filter(|_| host.ip().is_some_and(is_ours));
        named.or_else(by_address).map(|domain| domain.name.to_ascii_lowercase())
    }

    /// The user of a local domain that a URI names, whether or not there is one.
    pub(super) fn local_user(&self, uri: &Uri) -> Option<AddressOfRecord> {
        let uri = uri.as_sip()?;
        let domain = self.local_domain(&uri.host)?;
        Some(AddressOfRecord { user: uri.user_name()?, domain })
    }

    /// Proves who sent a request, for a local domain. `None`: the request was challenged or refused.
    pub(super) fn authenticate(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        flow: &Flow,
        request: &Request,
        challenger: Challenger,
        domain: &str,
    ) -> Option<AddressOfRecord> {
        let realm = self.realms.get(domain).cloned().unwrap_or_else(|| Realm::for_telephones(domain, []));
        let users = &self.users;
        let find = |user: &str| {
            let aor = AddressOfRecord { user: user.to_owned(), domain: domain.to_owned() };
            users.get(&aor).map(|user| &user.ha1)
        };
        let verdict = self.authenticator.verify(challenger, request, &realm, now, find);
        let source = flow.remote.ip();
        let name = |username: &str| format!("{username}@{domain}");
        if let Verdict::Authenticated { username } | Verdict::Wrong { username } = &verdict
            && self.lockout.is_locked(now, &name(username), source)
        {
            self.counters.locked_out += 1;
            self.refuse(now, handle, request, 403, "Too many wrong passwords; wait");
            return None;
        }
        let stale = match verdict {
            Verdict::Authenticated { username } => {
                self.lockout.succeeded(&name(&username), source);
                self.note_client(flow);
                return Some(AddressOfRecord { user: username, domain: domain.to_owned() });
            }
            Verdict::Malformed(problem) => {
                self.refuse(now, handle, request, 400, problem);
                return None;
            }
            Verdict::Wrong { username } => {
                self.counters.wrong_passwords += 1;
                self.lockout.failed(now, &name(&username), source);
                false
            }
            Verdict::Stale => true,
            Verdict::Missing => false,
        };
        let response = self.authenticator.challenge(challenger, request, &realm, stale, now);
        self.user_agent.respond(now, handle, response);
        None
    }

    /// Checks a browser's password.
    pub(super) fn check_password(
        &mut self,
        now: Instant,
        aor: &AddressOfRecord,
        password: &str,
        source: IpAddr,
    ) -> Result<(), LoginError> {
        let name = aor.to_string();
        if self.lockout.is_locked(now, &name, source) {
            self.counters.locked_out += 1;
            return Err(LoginError::Locked);
        }
        let realm = self.realms.get(&aor.domain).map_or(aor.domain.as_str(), |realm| &realm.name);
        let given = ha1(&aor.user, realm, password);
        // An unknown user costs the same work (attacks.md row 9).
        let none = Ha1 { md5: None, sha256: None };
        let stored = self.users.get(aor).map_or(&none, |user| &user.ha1);
        let same = |one: &Option<zeroize::Zeroizing<String>>, other: &Option<zeroize::Zeroizing<String>>| {
            let (one, other) =
                (one.as_deref().map_or("", String::as_str), other.as_deref().map_or("", String::as_str));
            let one = one.to_ascii_lowercase();
            !other.is_empty()
                && aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
        };
        // One hash is enough where only one is stored; where both are, both must agree.
        let sha256 = stored.sha256.is_none() || same(&stored.sha256, &given.sha256);
        let md5 = stored.md5.is_none() || same(&stored.md5, &given.md5);
        let has_any = stored.sha256.is_some() || stored.md5.is_some();
        if has_any && sha256 && md5 {
            self.lockout.succeeded(&name, source);
            return Ok(());
        }
        self.counters.wrong_passwords += 1;
        self.lockout.failed(now, &name, source);
        Err(LoginError::Wrong)
    }

    /// Answers a request with words of ours.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        request: &Request,
        status: u16,
        words: &str,
    ) {
        let words = if words.is_empty() { default_reason(status) } else { words };
        let mut response = reply(request, status, words);
        if status == 405 {
            response.headers.push(HeaderName::Allow, super::requests::ALLOW);
        }
        self.user_agent.respond(now, handle, response);
    }
}
