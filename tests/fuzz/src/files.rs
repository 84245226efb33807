//! The files that are played.

use tandem_dataplane::files::Announcement;

/// Bytes of an Ogg page before its segment table, and where its checksum is (RFC 3533 section 6).
const PAGE_HEAD: usize = 27;
const CHECKSUM: std::ops::Range<usize> = 22..26;
/// The most samples that a byte of a file makes: an Opus packet of one byte lasts up to 120 ms, and is a page's 29th.
const SAMPLES_PER_BYTE: usize = 48 * 120;

/// Whatever a file holds, it is refused, or it ends: once, and once more from its beginning.
pub(crate) fn play(data: &[u8]) {
    for rate in [8000, 48_000] {
        let Ok(mut announcement) = Announcement::open(data.into(), rate) else { continue };
        let _ = announcement.duration_ms();
        for _ in 0..2 {
            let mut pcm = Vec::new();
            while announcement.read(&mut pcm) {
                assert!(pcm.len() <= data.len() * SAMPLES_PER_BYTE);
            }
            announcement.rewind().expect("it could be opened before");
        }
    }
}

/// The same for Ogg, whose pages are given the checksums that they would need: a fuzzer does not find them.
pub(crate) fn ogg(data: &[u8]) {
    let mut data = data.to_vec();
    let mut at = 0;
    while let Some(found) = data.get(at..).and_then(|rest| rest.windows(4).position(|word| word == b"OggS")) {
        let start = at + found;
        let segments = data.get(start + PAGE_HEAD - 1).copied().unwrap_or(0);
        let table = start + PAGE_HEAD..start + PAGE_HEAD + usize::from(segments);
        let Some(body) =
            data.get(table.clone()).map(|table| table.iter().map(|&len| usize::from(len)).sum::<usize>())
        else {
            break;
        };
        let Some(page) = data.get_mut(start..table.end + body) else { break };
        page[CHECKSUM].fill(0);
        let sum = checksum(page);
        page[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
        at = table.end + body;
    }
    play(&data);
}

/// RFC 3533 section 6: a CRC with the generator 04c11db7, not reflected, from 0.
fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum: u32, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}
