//! Hash tables that give back what they needed once.

use std::collections::HashMap;
use std::hash::Hash;

/// Entries for which a table may always keep its room.
const KEPT: usize = 256;
/// A table that is less full than one part in so many gives its room back.
const SPARSE: usize = 8;

/// Gives back the memory that a table needed in busier times: by themselves tables never shrink.
pub(crate) fn shrink<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.capacity() > KEPT && table.len() < table.capacity() / SPARSE {
        table.shrink_to(KEPT.max(2 * table.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_table_that_is_almost_empty_shrinks() {
        let mut table: HashMap<usize, usize> = (0..10_000).map(|n| (n, n)).collect();
        let full = table.capacity();
        shrink(&mut table);
        assert_eq!(table.capacity(), full);
        table.retain(|n, _| *n < 10);
        shrink(&mut table);
        assert!(table.capacity() < full / 2);
        assert!((0..10).all(|n| table.contains_key(&n)));
    }

    #[test]
    fn a_small_table_keeps_its_room() {
        let mut table: HashMap<usize, usize> = HashMap::with_capacity(KEPT / 2);
        let room = table.capacity();
        shrink(&mut table);
        assert_eq!(table.capacity(), room);
    }
}
