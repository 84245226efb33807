//! As much of Ogg (RFC 3533) as carries payloads to FFmpeg and back: one stream, one packet a page.

/// The position of a page in whole samples, and its packet.
pub(crate) type Packet = (u64, Vec<u8>);

/// A stream of these packets, the first of which are headers at position zero.
pub(crate) fn write(packets: &[Packet]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (number, (position, packet)) in packets.iter().enumerate() {
        let flags = u8::from(number == 0) << 1 | u8::from(number + 1 == packets.len()) << 2;
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend(position.to_le_bytes());
        page.extend(1u32.to_le_bytes());
        page.extend((number as u32).to_le_bytes());
        page.extend([0; 4]);
        page.push(packet.len() as u8 / 255 + 1);
        page.extend(std::iter::repeat_n(255, packet.len() / 255));
        page.push((packet.len() % 255) as u8);
        page.extend(packet);
        let checksum = checksum(&page);
        page[22..26].copy_from_slice(&checksum.to_le_bytes());
        stream.extend(page);
    }
    stream
}

/// The packets of a stream, headers included.
pub(crate) fn read(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut packets, mut packet) = (Vec::new(), Vec::new());
    while stream.len() >= 27 {
        assert_eq!(&stream[..4], b"OggS");
        let segments = usize::from(stream[26]);
        let (table, mut body) = stream[27..].split_at(segments);
        for &length in table {
            let (segment, rest) = body.split_at(usize::from(length));
            packet.extend_from_slice(segment);
            body = rest;
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        stream = body;
    }
    packets
}

/// RFC 3533 section 6, field 7: a CRC with the polynomial 0x04C11DB7, not reflected.
fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |register: u32, &byte| {
        (0..8).fold(register ^ u32::from(byte) << 24, |register, _| {
            let shifted = register << 1;
            if register & 1 << 31 == 0 { shifted } else { shifted ^ 0x04C1_1DB7 }
        })
    })
}

/// The identification header of Opus, mono (RFC 7845 section 5.1), and the comment header.
pub(crate) fn opus_headers(rate: u32) -> [Packet; 2] {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(0u16.to_le_bytes());
    head.extend(rate.to_le_bytes());
    head.extend([0; 3]);
    [(0, head), (0, b"OpusTags\0\0\0\0\0\0\0\0".to_vec())]
}

/// The header of Speex (the Speex manual, table 7.1), mono, and an empty comment.
pub(crate) fn speex_headers(rate: u32, frames_per_packet: u32) -> [Packet; 2] {
    let mut head = b"Speex   1.2.1".to_vec();
    head.resize(28, 0);
    let mode = u32::from(rate == 16_000);
    let (bitrate, frame) = (u32::MAX, rate / 50);
    // Version, size of the header, rate, mode, its version, channels, bit rate, frame, VBR, frames, extra headers.
    for field in [1, 80, rate, mode, 4, 1, bitrate, frame, 0, frames_per_packet, 0, 0, 0] {
        head.extend(field.to_le_bytes());
    }
    [(0, head), (0, vec![0; 8])]
}
