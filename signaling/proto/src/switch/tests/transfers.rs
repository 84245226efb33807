//! Transfers, and what lets them be carried out.

use super::*;
use tandem_control::{Near, SessionId};

#[test]
fn calls_of_one_user_share_a_worker() {
    let mut bench = Bench::new();
    let (mut alice, bob) = phones(&mut bench);
    let mut carol = Phone::new("carol", Transport::Udp, 40, samples::SIPP);
    carol.register(&mut bench);
    talking(&mut bench, &mut alice, &bob);
    assert_eq!(bench.near, None, "the first call may be anywhere");
    alice.call(&mut bench, "carol");
    assert_eq!(bench.near, Some(Near::Session(SessionId(1))), "the caller's other call");
    carol.call(&mut bench, "bob");
    assert!(matches!(bench.near, Some(Near::Session(_))), "the callee's other call");
}
