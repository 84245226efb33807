//! Redirections (RFC 3261 section 8.1.3.4): bounded, without loops, and without the credentials of an account where they
//! lead to another host than its provider's (attacks.md rows 11 and 21).
//!
//! Not followed: 305, whose proxy would stand between us and the provider, and 380.

use super::outgoing::Hop;
use super::{CallHandle, UserAgent};
use crate::sip::{Contacts, HeaderName, NameAddr, Response, Uri, limits};
use std::time::Instant;

impl UserAgent {
    /// A client's telephone that is called along its own path may not send us elsewhere: that would be a call on our
    /// account (attacks.md row 21).
    pub(super) fn redirected(
        &mut self,
        now: Instant,
        id: u64,
        call: CallHandle,
        response: &Response,
    ) -> bool {
        let secure = self.outgoing.get(&id).is_some_and(|outgoing| is_secure(&outgoing.draft.request.uri));
        let Some(each) = self.calls.get_mut(&call) else { return false };
        if each.flow.is_some() {
            return false;
        }
        for uri in contacts(response, secure) {
            if !each.redirects.seen.contains(&uri) {
                each.redirects.seen.push(uri.clone());
                each.redirects.waiting.push_back(uri);
            }
        }
        self.next_redirect(now, id, call)
    }

    pub(super) fn next_redirect(&mut self, now: Instant, id: u64, call: CallHandle) -> bool {
        let Some(each) = self.calls.get_mut(&call) else { return false };
        if each.redirects.followed >= limits::REDIRECTS {
            return false;
        }
        let Some(target) = each.redirects.waiting.pop_front() else { return false };
        let port = each.port;
        each.redirects.followed += 1;
        self.invite_again(now, id, call, |draft| {
            let has_route = draft.request.headers.get(HeaderName::Route).is_some();
            draft.request.uri = target.clone();
            draft.guard = draft.guard.take().filter(|guard| guard.follows(&target));
            if !has_route {
                draft.hop = Hop::to(target, port);
            }
            draft.request.headers.remove(HeaderName::Authorization);
            draft.request.headers.remove(HeaderName::ProxyAuthorization);
        });
        let guard = self.outgoing.get(&self.calls.get(&call).map_or(0, |each| each.invite));
        let guard = guard.and_then(|outgoing| outgoing.draft.guard.clone());
        if let Some(each) = self.calls.get_mut(&call) {
            each.guard = guard;
        }
        true
    }
}

fn is_secure(uri: &Uri) -> bool {
    uri.as_sip().is_some_and(|uri| uri.secure)
}

/// The SIP URIs of a redirection, the most wanted first. From a `sips:` target no other is taken: the user asked for it.
pub(super) fn contacts(response: &Response, secure: bool) -> Vec<Uri> {
    let Ok(Contacts::List(mut contacts)) = response.headers.contacts() else { return Vec::new() };
    contacts.retain(|contact| contact.uri.as_sip().is_some_and(|uri| uri.secure || !secure));
    // Section 8.1.3.4: in the order of their q values.
    contacts.sort_by_key(|contact| std::cmp::Reverse(thousandths(contact)));
    contacts.truncate(limits::REDIRECT_CONTACTS);
    contacts.into_iter().map(|contact| without_headers(contact.uri)).collect()
}

/// The q value, from 0 to 1000; 1 where it is not said (RFC 3261 section 20.10).
fn thousandths(contact: &NameAddr) -> u32 {
    let q = contact.params.get("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
    // A value that is no number counts as 0; the cast saturates.
    (q.clamp(0.0, 1.0) * 1000.0) as u32
}

/// Headers in a Contact would become header fields of our request (section 19.1.5); none are taken.
fn without_headers(uri: Uri) -> Uri {
    match uri {
        Uri::Sip(mut uri) => {
            uri.headers.clear();
            uri.params.remove("method");
            Uri::Sip(uri)
        }
        other => other,
    }
}
