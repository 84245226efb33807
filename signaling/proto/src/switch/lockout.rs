//! Who guessed passwords must wait (attacks.md row 10).

use crate::table::shrink;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Users and sources that are remembered. When it is full, the oldest failures are forgotten.
const MAX_ENTRIES: usize = 65_536;

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Failures of each user (known or not) from each source.
#[derive(Debug)]
pub(super) struct Lockout {
    limit: u32,
    wait: Duration,
    failures: HashMap<(String, IpAddr), Failures>,
}

impl Lockout {
    pub(super) fn new(limit: u32, wait: Duration) -> Lockout {
        Lockout { limit, wait, failures: HashMap::new() }
    }

    /// Whether this user must wait at this source, even with the right password.
    pub(super) fn is_locked(&self, now: Instant, user: &str, source: IpAddr) -> bool {
        self.failures.get(&(user.to_ascii_lowercase(), source)).is_some_and(|failures| {
            failures.count >= self.limit && now.saturating_duration_since(failures.last) < self.wait
        })
    }

    /// A wrong password.
    pub(super) fn failed(&mut self, now: Instant, user: &str, source: IpAddr) {
        let key = (user.to_ascii_lowercase(), source);
        if self.failures.len() >= MAX_ENTRIES && !self.failures.contains_key(&key) {
            let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.failures.remove(&oldest);
            }
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) >= self.wait {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// The right password.
    pub(super) fn succeeded(&mut self, user: &str, source: IpAddr) {
        self.failures.remove(&(user.to_ascii_lowercase(), source));
    }

    /// Forgets what is over.
    pub(super) fn expire(&mut self, now: Instant) {
        let wait = self.wait;
        self.failures.retain(|_, failures| now.saturating_duration_since(failures.last) < wait);
        shrink(&mut self.failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_locked_at_one_source_and_for_a_time() {
        let (now, wait) = (Instant::now(), Duration::from_secs(60));
        let mut lockout = Lockout::new(3, wait);
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..3 {
            assert!(!lockout.is_locked(now, "alice", one));
            lockout.failed(now, "Alice", one);
        }
        assert!(lockout.is_locked(now, "alice", one));
        assert!(!lockout.is_locked(now, "alice", other));
        assert!(!lockout.is_locked(now, "bob", one));
        assert!(!lockout.is_locked(now + wait, "alice", one));
    }

    #[test]
    fn the_right_password_forgives() {
        let now = Instant::now();
        let mut lockout = Lockout::new(2, Duration::from_secs(60));
        let source = "192.0.2.1".parse().unwrap();
        lockout.failed(now, "alice", source);
        lockout.succeeded("alice", source);
        lockout.failed(now, "alice", source);
        assert!(!lockout.is_locked(now, "alice", source));
    }
}
