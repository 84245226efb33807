//! Who calls, as it is told: asserted by those whose word counts, to those who may know (RFC 3325), and kept from others
//! where the caller wants privacy (RFC 3323).

use super::Switch;
use super::calls::{Callee, Plan, Target};
use crate::registrar::AddressOfRecord;
use crate::sip::{HeaderName, Headers, Host, NameAddr, Request, SipUri, Uri};
use std::net::IpAddr;

/// Bytes of a display name; what is longer is cut between two characters.
const MAX_DISPLAY_NAME: usize = 256;
/// The user that nobody is.
const ANONYMOUS: &str = "anonymous";

impl Switch {
    /// Whether this host, or the provider of this domain, is of our Trust Domain (RFC 3325 section 3).
    fn is_trusted(&self, address: Option<IpAddr>, domain: Option<&str>) -> bool {
        self.settings.trusted.iter().any(|trusted| {
            address.is_some_and(|address| trusted.has_address(address))
                || domain.is_some_and(|domain| trusted.has_domain(domain))
        })
    }

    /// Takes a trusted side's word on who calls. RFC 3325 section 5: from any other, P-Asserted-Identity is not believed,
    /// nor passed on.
    pub(super) fn believe(&self, plan: &mut Plan, request: &Request, source: IpAddr, domain: Option<&str>) {
        if !self.is_trusted(Some(source), domain) {
            return;
        }
        let asserted = request.headers.addresses(HeaderName::PAssertedIdentity).unwrap_or_default();
        // Section 9.1: there may be one sip: and one tel: URI.
        let address = asserted.iter().find(|address| address.uri.as_sip().is_some()).or(asserted.first());
        if let Some(address) = address {
            plan.from =
                NameAddr { display_name: address.display_name.clone(), ..NameAddr::new(address.uri.clone()) };
        }
    }

    /// Who of the users of a provider, at this domain, somebody with this address is. A provider is believed of its own users
    /// alone, and only where it may transfer: nothing else is decided by it. That it is the provider who says so is known from
    /// our Contact, which nobody else has, or from the account by which we call.
    pub(super) fn remote(&self, home: &Host, address: &NameAddr) -> Option<AddressOfRecord> {
        let uri = address
            .uri
            .as_sip()
            .filter(|uri| self.settings.providers.accept_transfers && uri.host == *home)?;
        // RFC 3323 section 4.1.1.3: that is anybody.
        let user = uri.user_name().filter(|user| !user.eq_ignore_ascii_case(ANONYMOUS))?;
        Some(AddressOfRecord { user, domain: home.to_string().to_ascii_lowercase() })
    }

    /// Who of a provider's users is called.
    pub(super) fn called_remote(
        &self,
        callees: &[Callee],
        from: &NameAddr,
        to: &NameAddr,
    ) -> Option<AddressOfRecord> {
        let [Callee { target: Target::Provider { identity, .. }, .. }] = callees else { return None };
        // Who has no other identity calls as the account itself.
        let account = identity.as_ref().map(|identity| &identity.uri).or(from.uri.as_sip())?;
        self.remote(&account.host, to)
    }

    /// The caller as a callee is told, and the header fields that tell it more: `from` is who it really is.
    pub(super) fn told_caller(
        &self,
        from: NameAddr,
        is_private: bool,
        target: &Target,
    ) -> (NameAddr, Vec<(HeaderName, String)>) {
        let from = NameAddr { display_name: from.display_name.as_deref().and_then(clean), ..from };
        let is_trusted = match target {
            Target::Contact { flow, .. } => self.is_trusted(Some(flow.remote.ip()), None),
            Target::Provider { uri, route, .. } => {
                let domain = from.uri.as_sip().map(|uri| uri.host.to_string());
                let next_hop = route.as_ref().unwrap_or(uri).as_sip().and_then(|uri| uri.host.ip());
                self.is_trusted(next_hop, domain.as_deref())
            }
            Target::Browser(_) | Target::Awaited(_) => false,
        };
        let mut headers = Vec::new();
        if is_trusted {
            headers.push((HeaderName::PAssertedIdentity, from.to_string()));
        }
        if !is_private {
            return (from, headers);
        }
        // Section 7: it also asks those behind the next hop not to tell.
        headers.push((HeaderName::Privacy, "id".to_owned()));
        (anonymous().unwrap_or(from), headers)
    }
}

/// Whether a request asks that its sender is not told (RFC 3323 section 4.2, RFC 3325 section 9.3).
pub(super) fn wants_privacy(headers: &Headers) -> bool {
    let values = headers.all(HeaderName::Privacy).flat_map(|value| value.split([';', ',']));
    values
        .map(str::trim)
        .any(|value| ["id", "user", "header"].iter().any(|each| value.eq_ignore_ascii_case(each)))
}

/// RFC 3323 section 4.1.1.3: the address of nobody.
fn anonymous() -> Option<NameAddr> {
    let uri = SipUri::new(Some(ANONYMOUS), "anonymous.invalid".parse().ok()?, None);
    Some(NameAddr { display_name: Some("Anonymous".to_owned()), ..NameAddr::new(Uri::Sip(uri)) })
}

/// A display name as it is passed on, in whatever script: of bounded length, and without what would change how the text
/// around it is shown (control characters, and those that turn its direction).
pub(super) fn clean(name: &str) -> Option<String> {
    let is_harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}')
    };
    let mut clean = String::new();
    for character in name.chars().filter(is_harmless) {
        if clean.len() + character.len_utf8() > MAX_DISPLAY_NAME {
            break;
        }
        clean.push(character);
    }
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_in_any_script_pass_and_what_turns_text_around_does_not() {
        for name in ["Jürgen Groß", "王小明", "محمد", "Ελένη \"Λ\"", "🎉"] {
            assert_eq!(clean(name).as_deref(), Some(name));
        }
        assert_eq!(clean("bank\u{202E}kcab\r\n").as_deref(), Some("bankkcab"));
        assert_eq!(clean(" \u{202E} "), None);
    }

    #[test]
    fn privacy_is_asked_for_in_each_of_its_forms() {
        let headers = |value: &str| {
            let mut headers = Headers::new();
            headers.push(HeaderName::Privacy, value);
            headers
        };
        for value in ["id", "user;critical", "header, ID"] {
            assert!(wants_privacy(&headers(value)), "{value}");
        }
        for value in ["none", "", "critical", "idle"] {
            assert!(!wants_privacy(&headers(value)), "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_bounded_and_stays_as_it_is(name in ".{0,400}") {
            if let Some(once) = clean(&name) {
                prop_assert!(once.len() <= MAX_DISPLAY_NAME);
                prop_assert_eq!(clean(&once), Some(once));
            }
        }
    }
}
