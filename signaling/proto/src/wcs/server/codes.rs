//! The words of the protocols for what happened.

use crate::party::Cause;

/// The words of WCS 3 for a status of SIP (or one of ours of the same meaning).
pub(super) fn fail_code(cause: &Cause) -> &'static str {
    match cause.status {
        401 | 403 | 407 => "AUTHENTICATION_FAIL",
        402 => "PAYMENT_REQUIRED",
        404 | 410 | 480 | 604 => "USER_NOT_AVAILABLE",
        408 | 503 | 504 => "REGISTER_EXPIRE",
        416 | 478 | 484 | 502 => "WRONG_SIPPROVIDER_ADDRESS",
        _ => "INTERNAL_SIP_ERROR",
    }
}

/// The same for a call: a call's timeout says nothing of the registration.
pub(super) fn call_fail_code(cause: &Cause) -> &'static str {
    match cause.status {
        408 | 503 | 504 => "USER_NOT_AVAILABLE",
        _ => fail_code(cause),
    }
}
