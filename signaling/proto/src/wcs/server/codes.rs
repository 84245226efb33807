//! The words of the protocols for what happened.

use crate::party::{Cause, Shortage};

/// The words of WCS 3 for a status of SIP (or one of ours of the same meaning).
pub(super) fn fail_code(cause: &Cause) -> &'static str {
    match (cause.shortage, cause.status) {
        (Some(Shortage::Calls), _) => "LICENSE_RESTRICTION",
        (Some(Shortage::MediaPorts), _) => "MEDIA_PORTS_BUSY",
        (Some(Shortage::SipPorts), _) => "SIP_PORTS_BUSY",
        (None, 401 | 403 | 407) => "AUTHENTICATION_FAIL",
        (None, 402) => "PAYMENT_REQUIRED",
        (None, 404 | 410 | 480 | 604) => "USER_NOT_AVAILABLE",
        (None, 408 | 503 | 504) => "REGISTER_EXPIRE",
        (None, 416 | 478 | 484 | 502) => "WRONG_SIPPROVIDER_ADDRESS",
        (None, _) => "INTERNAL_SIP_ERROR",
    }
}

/// The same for a call: its timeout says nothing of the registration, and an incomplete address (484) is its callee's.
pub(super) fn call_fail_code(cause: &Cause) -> &'static str {
    match (cause.shortage, cause.status) {
        (None, 408 | 503 | 504) => "USER_NOT_AVAILABLE",
        (None, 484) => "CALLEE_NAME_IS_NULL",
        _ => fail_code(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_and_an_empty_callee_have_words_of_their_own() {
        let short = |shortage| Cause::short_of(shortage, 503, "");
        assert_eq!(call_fail_code(&short(Shortage::MediaPorts)), "MEDIA_PORTS_BUSY");
        assert_eq!(fail_code(&short(Shortage::SipPorts)), "SIP_PORTS_BUSY");
        assert_eq!(call_fail_code(&short(Shortage::Calls)), "LICENSE_RESTRICTION");
        assert_eq!(call_fail_code(&Cause::new(484, "")), "CALLEE_NAME_IS_NULL");
        assert_eq!(
            (fail_code(&Cause::new(503, "")), call_fail_code(&Cause::new(503, ""))),
            ("REGISTER_EXPIRE", "USER_NOT_AVAILABLE")
        );
    }
}
