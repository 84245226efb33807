//! Which unknown words were logged already.

use std::collections::HashSet;

/// Words that are remembered; beyond them nothing new is logged.
const MAX_REPORTED: usize = 256;

/// Lets each unknown flag, key or value be logged once.
#[derive(Clone, Debug, Default)]
pub struct Reported(HashSet<String>);

impl Reported {
    /// Nothing was logged yet.
    pub fn new() -> Reported {
        Reported::default()
    }

    /// Whether this one is to be logged now.
    pub fn is_new(&mut self, word: &str) -> bool {
        !self.0.contains(word) && self.0.len() < MAX_REPORTED && self.0.insert(word.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_once_and_not_without_end() {
        let mut reported = Reported::new();
        assert!(reported.is_new("a"));
        assert!(!reported.is_new("a"));
        let logged = (0..10_000).filter(|n| reported.is_new(&n.to_string())).count();
        assert_eq!(logged, MAX_REPORTED - 1);
        assert!(!reported.is_new("one more"));
    }
}
