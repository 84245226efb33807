//! Who may challenge us (attacks.md row 11): the provider that we chose, in the one realm, and nobody who was reached
//! behind it. The digest of a challenge that anyone may make is a password that anyone may guess at.

use super::UserAgent;
use super::outgoing::{Outgoing, Purpose};
use crate::sip::auth::{Credentials, DigestClient};
use crate::sip::dialog::Dialog;
use crate::sip::{HeaderName, Host, Method, Request, Response, Uri, limits};
use std::net::IpAddr;
use std::time::Instant;

/// Credentials and whose challenges they answer.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    credentials: Credentials,
    /// Knows the realm from the first challenge on.
    client: Option<DigestClient>,
    /// The provider as it was named.
    host: Option<Host>,
    /// The provider's address that answered.
    address: Option<IpAddr>,
    /// The domain of the account, which may have another name than the proxy that stands before it.
    home: Option<Host>,
}

impl Guard {
    /// Credentials for the provider at the next hop.
    pub(super) fn new(credentials: Credentials, next_hop: &Uri) -> Guard {
        let host = next_hop.as_sip().map(|uri| uri.host.clone());
        Guard { credentials, client: None, host, address: None, home: None }
    }

    /// The same for an account of this domain.
    pub(super) fn of_account(mut self, aor: &Uri) -> Guard {
        self.home = aor.as_sip().map(|uri| uri.host.clone());
        self
    }

    /// Whether a request that was redirected to this URI still is the provider's to challenge.
    pub(super) fn follows(&self, uri: &Uri) -> bool {
        let host = uri.as_sip().map(|uri| &uri.host);
        self.is_provider(uri) || (host.is_some() && host == self.home.as_ref())
    }

    /// Whether a registrar may send us here: it is the provider's, or named within the domain of the account.
    pub(super) fn follows_registrar(&self, uri: &Uri) -> bool {
        let (Some(uri_host), Some(home)) = (uri.as_sip().map(|uri| uri.host.to_string()), &self.home) else {
            return false;
        };
        let (inner, home) = (uri_host.to_ascii_lowercase(), home.to_string().to_ascii_lowercase());
        // A subdomain is named by who has the domain; a number that ends alike is no subdomain.
        let is_inside = inner.strip_suffix(&home).is_some_and(|rest| rest.ends_with('.'));
        self.follows(uri) || (is_inside && !home.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    }

    pub(super) fn note_address(&mut self, address: IpAddr) {
        self.address = Some(address);
    }

    /// Whether requests to this URI go to the provider itself.
    pub(super) fn is_provider(&self, uri: &Uri) -> bool {
        let host = uri.as_sip().map(|uri| &uri.host);
        host.is_some_and(|host| {
            Some(host) == self.host.as_ref() || (host.ip().is_some() && host.ip() == self.address)
        })
    }

    /// For requests inside a dialog: only where both the next hop and the remote target are the provider's, so that the
    /// callee controls neither.
    pub(super) fn inside(&self, dialog: &Dialog) -> Option<Guard> {
        (self.is_provider(dialog.next_hop()) && self.is_provider(&dialog.remote_target)).then(|| self.clone())
    }

    /// Takes in a challenge and answers it in the request. False: it is not to be answered.
    fn answer(&mut self, response: &Response, request: &mut Request, cnonce: &str) -> bool {
        if self.client.is_none() {
            let challenges = match response.status {
                407 => response.headers.proxy_authenticate(),
                _ => response.headers.www_authenticate(),
            };
            let first = challenges.ok().and_then(|list| {
                list.iter().find_map(|challenge| challenge.params.get("realm").map(str::to_owned))
            });
            let mut credentials = self.credentials.clone();
            credentials.realm = credentials.realm.or(first);
            self.client = Some(DigestClient::new(credentials));
        }
        let Some(client) = &mut self.client else { return false };
        if client.challenged(response).is_err() {
            return false;
        }
        client.authorize(request, cnonce);
        true
    }

    /// Answers the last challenge once more, before it is made again (RFC 3261 section 22.2).
    pub(super) fn authorize(&mut self, request: &mut Request, cnonce: &str) {
        if let Some(client) = &mut self.client {
            client.authorize(request, cnonce);
        }
    }

    /// RFC 3261 section 13.2.2.4: the ACK has the credentials of its INVITE.
    pub(super) fn copy_credentials(&self, invite: Option<&Outgoing>, ack: &mut Request) {
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            for value in invite.iter().flat_map(|invite| invite.draft.request.headers.all(name.clone())) {
                ack.headers.push(name.clone(), value);
            }
        }
    }
}

impl UserAgent {
    /// Sends the request again with the answer to a challenge. False: the 401 or 407 is the final word.
    pub(super) fn answer_challenge(&mut self, now: Instant, id: u64, response: &Response) -> bool {
        let cnonce = self.token();
        let Some(outgoing) = self.outgoing.get(&id) else { return false };
        // A server that calls every answer stale could ask for one after the other.
        if outgoing.challenges >= limits::CHALLENGES {
            return false;
        }
        // Who answers after a provisional response is beyond the provider's proxy.
        if outgoing.is_cancelled() || (outgoing.reached && outgoing.draft.request.method == Method::Invite) {
            return false;
        }
        let mut draft = outgoing.draft.clone();
        let Some(mut guard) = draft.guard.take() else { return false };
        let purpose = draft.purpose;
        let Some(number) = self.number_again(purpose, &draft.request) else { return false };
        let method = draft.request.method.clone();
        draft.request.headers.set(HeaderName::CSeq, format_args!("{number} {method}"));
        if !guard.answer(response, &mut draft.request, &cnonce) {
            return false;
        }
        draft.guard = Some(guard.clone());
        let again = self.send_again(now, id, draft);
        match purpose {
            Purpose::Invite(call) => {
                if let Some(each) = self.calls.get_mut(&call) {
                    each.invite = again;
                    each.guard = Some(guard);
                }
            }
            Purpose::Register(handle) => {
                if let Some(each) = self.registrations.get_mut(&handle) {
                    each.sent_again(again, guard);
                }
            }
            _ => {}
        }
        true
    }

    /// The CSeq number for the same request again; `None` where what it was for is over.
    fn number_again(&mut self, purpose: Purpose, request: &Request) -> Option<u32> {
        let next = request.headers.cseq().map_or(1, |(number, _)| number) + 1;
        match purpose {
            Purpose::Invite(call) => self.calls.contains_key(&call).then_some(next),
            Purpose::Farewell | Purpose::Message(_) => Some(next),
            // That there is a response is all that was asked.
            Purpose::KeepAlive(_) => None,
            Purpose::Register(handle) => {
                let each = self.registrations.get_mut(&handle)?;
                Some(each.next_cseq())
            }
            // A subscriber has no business with credentials (attacks.md row 11).
            Purpose::Notify(_) => None,
            Purpose::Offer(call)
            | Purpose::Refresh(call)
            | Purpose::InDialog(call)
            | Purpose::Info(call)
            | Purpose::Referral(call)
            | Purpose::Digit(call, _) => {
                let dialog = self.calls.get_mut(&call)?.dialog_mut()?;
                dialog.local_cseq = dialog.local_cseq.max(next);
                Some(dialog.local_cseq)
            }
        }
    }
}
