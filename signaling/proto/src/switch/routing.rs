//! Whom a call is for.

use super::Switch;
use super::calls::{Callee, Target};
use crate::call::MAX_BRANCHES;
use crate::party::Cause;
use crate::registrar::AddressOfRecord;
use crate::sip::{NameAddr, SipUri, Uri};
use std::net::IpAddr;
use std::time::Instant;

impl Switch {
    /// The callees of a call by a user of a local domain, their address, and the user whose limit counts; the caller's limit
    /// counts too where it is `counted`.
    ///
    /// # Errors
    /// 404: there is no such user; 480: it is not logged in; 403: the address is not in a local domain; or a limit.
    pub(super) fn callees(
        &self,
        now: Instant,
        uri: &Uri,
        caller: &str,
        counted: Option<&str>,
    ) -> Result<(Vec<Callee>, NameAddr, Option<String>), Cause> {
        if let Some((callee, to)) = self.by_account(uri, caller) {
            self.admit(counted, None)?;
            return Ok((vec![callee], to, None));
        }
        let callee = match uri {
            Uri::Tel(tel) => {
                let (_, domain) = caller.rsplit_once('@').unwrap_or_default();
                AddressOfRecord { user: tel.digits(), domain: domain.to_owned() }
            }
            uri => match self.local_user(uri) {
                Some(callee) => callee,
                None if uri.as_sip().is_some_and(|uri| uri.user.is_none()) => {
                    return Err(Cause::new(484, "The address has no user"));
                }
                None => return Err(Cause::new(403, "Calls to this domain are not allowed here")),
            },
        };
        if !self.users.contains_key(&callee) {
            return Err(Cause::new(404, format!("There is no user {}", callee.user)));
        }
        self.admit(counted, Some(&callee.to_string()))?;
        let callees = self.reachable(now, &callee);
        if callees.is_empty() {
            return Err(Cause::new(480, format!("{} is not logged in", callee.user)));
        }
        let to = callee.uri().map_or_else(|| NameAddr::new(uri.clone()), NameAddr::new);
        Ok((callees, to, Some(callee.to_string())))
    }

    /// The way to somebody who is not here, by an account of the caller's.
    fn by_account(&self, uri: &Uri, caller: &str) -> Option<(Callee, NameAddr)> {
        let owner = AddressOfRecord::of_name(caller)?;
        let called = match uri {
            Uri::Tel(tel) => Some(AddressOfRecord { user: tel.digits(), domain: owner.domain.clone() }),
            uri => self.local_user(uri),
        };
        let is_here = called.is_some_and(|called| self.users.contains_key(&called));
        if is_here { None } else { self.by_line(&owner, uri) }
    }

    /// Whether a user can be reached anywhere.
    pub(super) fn is_reachable(&self, now: Instant, aor: &AddressOfRecord) -> bool {
        let is_there = self.registrar.bindings(now, aor).next().is_some();
        is_there || self.browsers.values().any(|browser| browser.is_local_user(aor))
    }

    /// Everywhere a user can be reached: its telephones and SIP browsers, and its browsers on the WCS protocol.
    pub(super) fn reachable(&self, now: Instant, aor: &AddressOfRecord) -> Vec<Callee> {
        let contacts = self.registrar.bindings(now, aor).map(|binding| Callee {
            target: Target::Contact { uri: request_uri(&binding.contact.uri), flow: binding.flow },
            media: self.sip_media(&binding.flow, Some(aor)),
        });
        let browsers =
            self.browsers.iter().filter(|(_, browser)| browser.is_local_user(aor)).map(|(id, browser)| {
                Callee { target: Target::Browser(*id), media: browser.media(&self.settings) }
            });
        contacts.chain(browsers).take(MAX_BRANCHES).collect()
    }
}

/// A contact as a Request-URI, which has no header fields (RFC 3261 section 19.1.1).
fn request_uri(contact: &Uri) -> Uri {
    match contact {
        Uri::Sip(uri) => Uri::Sip(SipUri { headers: Vec::new(), ..uri.clone() }),
        other => other.clone(),
    }
}

/// Whether an address is one of the internet's, or at least not of this host, its link or a private network.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && second & 0xC0 == 64;
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || shared
                || first == 0)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
}
