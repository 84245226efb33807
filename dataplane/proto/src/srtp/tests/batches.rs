//! A batch changes what tags cost and nothing else.

use super::*;

/// Takes packets off as the worker does: all due tags together, then one by one.
fn unprotect_batch(
    contexts: &mut [Inbound],
    packets: &[(usize, Vec<u8>)],
) -> Vec<Result<Vec<u8>, SrtpError>> {
    let due: Vec<_> = packets.iter().map(|(context, packet)| contexts[*context].due_tag(packet)).collect();
    let mut batch = TagBatch::new();
    for (due, (_, packet)) in due.iter().zip(packets) {
        if let Some(due) = due {
            assert!(batch.push(due, packet));
        }
    }
    let mut tags = batch.compute();
    let results = due.iter().zip(packets).map(|(due, (context, packet))| {
        let computed = due.as_ref().and_then(|_| tags.next());
        let mut packet = packet.clone();
        let length = contexts[*context].unprotect_with(&mut packet, computed)?;
        packet.truncate(length);
        Ok(packet)
    });
    results.collect()
}

fn unprotect_singly(
    contexts: &mut [Inbound],
    packets: &[(usize, Vec<u8>)],
) -> Vec<Result<Vec<u8>, SrtpError>> {
    packets.iter().map(|(context, packet)| unprotect(&mut contexts[*context], packet)).collect()
}

/// Three contexts of different suites, twice.
fn contexts() -> ([Outbound; 3], [Inbound; 3], [Inbound; 3]) {
    let suites = [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32, SrtpSuite::AeadAes128Gcm];
    let inbound = || suites.map(|suite| Inbound::new(&key(suite, 5)).unwrap());
    (suites.map(|suite| Outbound::new(&key(suite, 5)).unwrap()), inbound(), inbound())
}

#[test]
fn a_stream_that_begins_and_wraps_inside_a_batch() {
    for suite in SUITES {
        let (mut outbound, inbound) = pair(suite);
        let packets: Vec<_> =
            [0xFFFE, 0xFFFF, 0, 1].map(|sequence| (0, protect(&mut outbound, &rtp(sequence, 5)))).to_vec();
        let results = unprotect_batch(&mut [inbound], &packets);
        assert!(results.iter().all(Result::is_ok), "{suite:?} {results:?}");
    }
}

#[test]
fn duplicates_inside_a_batch_are_replays() {
    for suite in SUITES {
        let (mut outbound, inbound) = pair(suite);
        let first = (0, protect(&mut outbound, &rtp(7, 5)));
        let second = (0, protect(&mut outbound, &rtp(8, 5)));
        let packets = [first.clone(), first.clone(), second.clone(), first, second];
        let results = unprotect_batch(&mut [inbound], &packets);
        let outcomes: Vec<_> = results.into_iter().map(|result| result.err()).collect();
        let replayed = Some(SrtpError::Replayed);
        assert_eq!(outcomes, [None, replayed, None, replayed, replayed], "{suite:?}");
    }
}

#[test]
fn forged_packets_of_a_batch_make_no_state() {
    for suite in SUITES {
        let (_, inbound) = pair(suite);
        let mut inbound = [inbound];
        let forged: Vec<_> = (0..MAX_BATCH as u32)
            .map(|ssrc| {
                let mut packet = rtp(60_000, ssrc);
                packet.extend([0; MAX_TRAILER]);
                (0, packet)
            })
            .collect();
        let results = unprotect_batch(&mut inbound, &forged);
        assert!(results.iter().all(|result| *result == Err(SrtpError::Authentication)));
        assert_eq!(inbound[0].sources.len(), 0);
    }
}

/// The tag of another packet, or of another batch, proves nothing.
#[test]
fn a_tag_counts_only_for_the_length_and_the_rollover_it_was_computed_for() {
    let (mut outbound, mut inbound) = pair(SrtpSuite::AesCm128HmacSha1_80);
    let packet = protect(&mut outbound, &rtp(7, 5));
    let due = inbound.due_tag(&packet).unwrap();
    let computed = due.compute(&packet).unwrap();
    let longer = protect(&mut outbound, &[&rtp(8, 5)[..], &[0]].concat());
    let length = inbound.unprotect_with(&mut longer.clone(), Some(computed)).unwrap();
    assert_eq!(length, longer.len() - 10, "computed anew");
}

#[test]
fn protected_in_a_batch_is_protected_alone() {
    let (mut outbound, ..) = contexts();
    let (mut alone, ..) = contexts();
    let mut protected: Vec<_> = (0..MAX_BATCH)
        .map(|n| {
            let plain = rtp(n as u16, 9)[..172 - n].to_vec();
            let mut buffer = [&plain[..], &[0; MAX_TRAILER]].concat();
            let (length, due) = outbound[n % 3].protect_but_tag(&mut buffer, plain.len()).unwrap();
            buffer.truncate(length);
            (protect(&mut alone[n % 3], &plain), buffer, due)
        })
        .collect();
    let mut batch = TagBatch::new();
    for (_, packet, due) in &protected {
        if let Some(due) = due {
            assert!(batch.push(due, packet));
        }
    }
    let mut tags = batch.compute();
    for (expected, packet, due) in &mut protected {
        if due.is_some() {
            tags.next().unwrap().write(packet);
        }
        assert_eq!(packet, expected);
    }
    assert!(tags.next().is_none());
}

proptest! {
    /// Loss, disorder, repetition, damage and jumps, in batches of any size.
    #[test]
    fn a_batch_decides_as_one_by_one(
        steps in proptest::collection::vec((0..3usize, 0..2u32, -40..400i32, 0..20u8), 1..200),
        start in any::<u16>(),
        size in 1..=MAX_BATCH,
    ) {
        let (mut outbound, mut batched, mut single) = contexts();
        let mut sequence = start;
        let mut packets: Vec<(usize, Vec<u8>)> = Vec::new();
        for (context, ssrc, jump, damage) in steps {
            sequence = sequence.wrapping_add_signed(if damage == 2 { 20_000 } else { (jump / 10) as i16 });
            let plain = rtp(sequence, ssrc);
            let mut buffer = [&plain[..], &[0; MAX_TRAILER]].concat();
            // What the sender itself refuses is not sent.
            let Ok(length) = outbound[context].protect(&mut buffer, plain.len()) else { continue };
            buffer.truncate(length);
            match damage {
                0 => buffer[20] ^= 1,
                1 => packets.extend(packets.last().cloned()),
                3 => buffer.truncate(15),
                _ => {}
            }
            packets.push((context, buffer));
        }
        for packets in packets.chunks(size) {
            prop_assert_eq!(unprotect_batch(&mut batched, packets), unprotect_singly(&mut single, packets));
        }
    }
}
