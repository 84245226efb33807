//! The arithmetic of a registration that is kept alive (RFC 3261 section 10.2, RFC 5626 section 4.5).

use super::{Contacts, Response};
use std::time::Duration;

/// A binding is renewed so long before it ends, or at half its life if that is later.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// RFC 5626 section 4.5: base-time, where all flows failed.
const RETRY_BASE: Duration = Duration::from_secs(30);
/// RFC 5626 section 4.5: max-time.
const RETRY_MAX: Duration = Duration::from_secs(1800);

/// The lifetime that a 200 grants to the binding with this user part. `None`: the binding is not there.
pub fn granted_lifetime(response: &Response, contact_user: &str, asked: Duration) -> Option<Duration> {
    let all = response.headers.expires().ok().flatten();
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let Ok(Contacts::List(contacts)) = response.headers.contacts() else { return None };
    if contacts.is_empty() {
        // Section 10.3 asks for the list of bindings, but some registrars leave it out.
        return Some(all.map_or(asked, seconds)).filter(|granted| !granted.is_zero());
    }
    let ours = contacts.iter().filter(|contact| {
        let user = contact.uri.as_sip().and_then(|uri| uri.user_name());
        user.unwrap_or_default() == contact_user
    });
    // Of several bindings of ours, left by an earlier life, the newest lives longest.
    let granted = ours.map(|contact| contact.expires().or(all).map_or(asked, seconds)).max()?;
    Some(granted).filter(|granted| !granted.is_zero())
}

/// When to renew a binding that lives so long.
pub fn refresh_delay(granted: Duration) -> Duration {
    (granted / 2).max(granted.saturating_sub(RENEW_BEFORE))
}

/// When to try again after so many failures in a row (RFC 5626 section 4.5): between half and all of an interval that
/// doubles up to a bound. `random` lies in 0 to 1.
pub fn retry_delay(failures: u32, random: f64) -> Duration {
    let doubled = RETRY_BASE.saturating_mul(2u32.saturating_pow(failures.min(16)));
    doubled.min(RETRY_MAX).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Message;

    fn granted(fields: &str) -> Option<Duration> {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n\
             Call-ID: c\r\nCSeq: 1 REGISTER\r\n{fields}\r\n"
        );
        match Message::parse(text.as_bytes()).unwrap() {
            Message::Response(response) => granted_lifetime(&response, "alice", Duration::from_secs(600)),
            Message::Request(_) => None,
        }
    }

    #[test]
    fn the_lifetime_is_our_bindings() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let contacts = "Contact: <sip:bob@192.0.2.1>;expires=9, <sip:alice@192.0.2.2>;expires=120\r\n";
        assert_eq!(granted(contacts), seconds(120));
        assert_eq!(granted("Contact: <sip:alice@192.0.2.2>\r\nExpires: 77\r\n"), seconds(77));
        assert_eq!(granted("Expires: 77\r\n"), seconds(77));
        assert_eq!(granted(""), seconds(600));
        assert_eq!(granted("Contact: <sip:bob@192.0.2.1>\r\n"), None);
        assert_eq!(granted("Contact: <sip:alice@192.0.2.1>;expires=0\r\n"), None);
    }

    #[test]
    fn renewals_leave_time_for_retries_and_retries_back_off() {
        assert_eq!(refresh_delay(Duration::from_secs(60)), Duration::from_secs(30));
        assert_eq!(refresh_delay(Duration::from_secs(3600)), Duration::from_secs(3540));
        assert_eq!(retry_delay(1, 1.0), Duration::from_secs(60));
        assert_eq!(retry_delay(2, 0.0), Duration::from_secs(60));
        assert_eq!(retry_delay(u32::MAX, 1.0), RETRY_MAX);
    }
}
