//! Every kernel against its twin and against published vectors.

use super::*;

/// Bytes from hexadecimal digits; blanks between them do not count.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn bytes<const N: usize>(random: &mut fastrand::Rng) -> [u8; N] {
    std::array::from_fn(|_| random.u8(..))
}

fn data(random: &mut fastrand::Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.u8(..)).collect()
}

/// The longest datagram and a little more.
const LENGTHS: std::ops::Range<usize> = 0..2049;

/// RFC 3711 appendix B.2: the first blocks of the key stream, and those around the last.
#[test]
fn published_keystream() {
    let key = hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
    let iv = 0xF0F1_F2F3_F4F5_F6F7_F8F9_FAFB_FCFD_0000;
    for kernel in CounterKernel::available() {
        let mut stream = vec![0; 0xFF02 * 16];
        CounterKey::with_kernel(kernel, &key).unwrap().apply_keystream(iv, &mut stream).unwrap();
        let first = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
                     41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream[..48], hex(first), "{}", kernel.name());
        let last = "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
                    6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[0xFEFF * 16..], hex(last), "{}", kernel.name());
    }
}

#[test]
fn counter_kernels_agree_at_all_lengths() {
    let mut random = fastrand::Rng::with_seed(1);
    for len in LENGTHS {
        let (key, iv, plain) = (bytes(&mut random), random.u128(..), data(&mut random, len));
        let mut results = CounterKernel::available().into_iter().map(|kernel| {
            let mut data = plain.clone();
            CounterKey::with_kernel(kernel, &key).unwrap().apply_keystream(iv, &mut data).unwrap();
            (data, kernel.name())
        });
        let (expected, _) = results.next().unwrap();
        for (result, name) in results {
            assert!(result == expected, "{name}, {len} bytes");
        }
    }
}

#[test]
fn a_keystream_longer_than_its_counter_is_refused() {
    for kernel in CounterKernel::available() {
        let key = CounterKey::with_kernel(kernel, &[1; 16]).unwrap();
        let mut longest = vec![0; MAX_KEYSTREAM];
        key.apply_keystream(u128::MAX, &mut longest).unwrap();
        assert_ne!(longest[..16], longest[MAX_KEYSTREAM - 16..], "the counter does not begin anew");
        let mut data = vec![0; MAX_KEYSTREAM + 1];
        assert_eq!(key.apply_keystream(0, &mut data), Err(CryptoError::TooLong));
        assert!(data.iter().all(|byte| *byte == 0));
    }
}

/// RFC 2202 section 3, those with four bytes or more: the last four are the suffix here.
#[test]
fn published_hmacs() {
    let long_key = [0xAA; 80];
    let cases: [(&[u8], &[u8], &str); 7] = [
        (&[0x0B; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (&[0xAA; 20], &[0xDD; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        (
            &std::array::from_fn::<u8, 25, _>(|n| n as u8 + 1),
            &[0xCD; 50],
            "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
        ),
        (&[0x0C; 20], b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
        (
            &long_key,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        ),
        (
            &long_key,
            b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
            "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
        ),
    ];
    let keys = cases.map(|(key, ..)| HmacKey::new(key));
    let messages: Vec<_> = std::iter::zip(&keys, cases)
        .map(|(key, (_, text, _))| {
            let (data, suffix) = text.split_last_chunk().unwrap();
            Message { key, data, suffix: *suffix }
        })
        .collect();
    for kernel in HmacKernel::available() {
        let mut tags = [[0; TAG_LEN]; 7];
        kernel.tags(&messages, &mut tags);
        for (tag, (_, text, expected)) in tags.iter().zip(cases) {
            assert_eq!(tag[..], hex(expected), "{} {:?}", kernel.name(), String::from_utf8_lossy(text));
        }
    }
}

/// The tag by AWS-LC.
fn reference_tag(key: &[u8], data: &[u8], suffix: [u8; 4]) -> [u8; TAG_LEN] {
    use aws_lc_rs::hmac;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    hmac::sign(&key, &[data, &suffix].concat()).as_ref().try_into().unwrap()
}

#[test]
fn hmac_kernels_agree_at_all_lengths() {
    let mut random = fastrand::Rng::with_seed(2);
    for len in LENGTHS {
        let (key, suffix, data) = (bytes::<20>(&mut random), bytes(&mut random), data(&mut random, len));
        let expected = reference_tag(&key, &data, suffix);
        let key = HmacKey::new(&key);
        assert_eq!(key.tag(&data, suffix), expected);
        for kernel in HmacKernel::available() {
            let mut tags = [[0; TAG_LEN]];
            kernel.tags(&[Message { key: &key, data: &data, suffix }], &mut tags);
            assert!(tags[0] == expected, "{}, {len} bytes", kernel.name());
        }
    }
}

/// Batches of all sizes, their messages under keys and with lengths of their own.
#[test]
fn hmac_kernels_agree_on_mixed_batches() {
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..4 {
        for size in 0..70 {
            let longest = [2048, 200, 64, 8][round];
            let parts: Vec<_> = (0..size)
                .map(|_| {
                    let len = random.usize(..=longest);
                    (bytes::<20>(&mut random), data(&mut random, len), bytes::<4>(&mut random))
                })
                .collect();
            let keys: Vec<_> = parts.iter().map(|(key, ..)| HmacKey::new(key)).collect();
            let messages: Vec<_> = std::iter::zip(&keys, &parts)
                .map(|(key, (_, data, suffix))| Message { key, data, suffix: *suffix })
                .collect();
            let expected: Vec<_> =
                parts.iter().map(|(key, data, suffix)| reference_tag(key, data, *suffix)).collect();
            let mut results = vec![[0; TAG_LEN]; size];
            tags(&messages, &mut results);
            assert!(results == expected, "{size} messages");
            let mut more = vec![[7; TAG_LEN]; size + 3];
            tags(&messages, &mut more);
            assert!(more[..size] == expected && more[size..] == [[7; TAG_LEN]; 3], "{size} messages");
            for kernel in HmacKernel::available() {
                results.fill([0; TAG_LEN]);
                kernel.tags(&messages, &mut results);
                assert!(results == expected, "{}, {size} messages", kernel.name());
            }
        }
    }
}

/// RFC 7714 section 16.1.1.
#[test]
fn published_gcm_packet() {
    let key = std::array::from_fn(|n| n as u8);
    let header = hex("8040F17B 8041F8D3 5501A0B2");
    let nonce = hex("51753C6580C2726F20718414").try_into().unwrap();
    let sealed = hex("F24DE3A3 FB34DE6C ACBA861C 9D7E4BCA BE633BD5 0D294E6F 42A5F47A 51C7D19B 36DE3ADF 8833
                      899D7F27 BEB16A91 52CF765E E4390CCE");
    for key in [GcmKey::new(&key).unwrap(), GcmKey::portable(&key).unwrap()] {
        let mut data = b"Gallia est omnis divisa in partes tres".to_vec();
        let tag = key.seal(nonce, &header, &mut data).unwrap();
        assert_eq!([&data[..], &tag].concat(), sealed);
        key.open(nonce, &header, &mut data, &tag).unwrap();
        assert_eq!(data, b"Gallia est omnis divisa in partes tres");
    }
}

#[test]
fn gcm_agrees_with_its_twin_at_all_lengths() {
    let mut random = fastrand::Rng::with_seed(4);
    for len in LENGTHS {
        let (key, nonce, plain) = (bytes(&mut random), bytes(&mut random), data(&mut random, len));
        let associated_len = if len % 3 == 0 { 12 } else { random.usize(..600) };
        let associated = data(&mut random, associated_len);
        let (ours, twin) = (GcmKey::new(&key).unwrap(), GcmKey::portable(&key).unwrap());
        let (mut sealed, mut expected) = (plain.clone(), plain.clone());
        let tag = ours.seal(nonce, &associated, &mut sealed).unwrap();
        assert_eq!(tag, twin.seal(nonce, &associated, &mut expected).unwrap(), "{len}, {associated_len}");
        assert!(sealed == expected, "{len}");
        let mut opened = sealed.clone();
        ours.open(nonce, &associated, &mut opened, &tag).unwrap();
        assert!(opened == plain, "{len}");
    }
}

#[test]
fn gcm_refuses_what_was_changed() {
    let key = GcmKey::new(&[9; 16]).unwrap();
    let (associated, plain) = ([3; 12], [5; 160]);
    let mut sealed = plain;
    let tag = key.seal([1; 12], &associated, &mut sealed).unwrap();
    let refused = Err(CryptoError::Authentication);
    for bit in 0..128 {
        let mut forged = tag;
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.open([1; 12], &associated, &mut { sealed }, &forged), refused);
    }
    for place in 0..sealed.len() {
        let mut forged = sealed;
        forged[place] ^= 0x10;
        assert_eq!(key.open([1; 12], &associated, &mut forged, &tag), refused);
    }
    for place in 0..associated.len() {
        let mut forged = associated;
        forged[place] ^= 1;
        assert_eq!(key.open([1; 12], &forged, &mut { sealed }, &tag), refused);
    }
    assert_eq!(key.open([2; 12], &associated, &mut { sealed }, &tag), refused);
    assert_eq!(key.open([1; 12], &associated, &mut { sealed }[..159], &tag), refused);
}

/// What lies beside the data stays as it was: masked stores end where they should.
#[test]
fn nothing_beside_the_data_is_touched() {
    for len in 0..300 {
        for kernel in CounterKernel::available() {
            let mut buffer = [0xEE; 512];
            let key = CounterKey::with_kernel(kernel, &[4; 16]).unwrap();
            key.apply_keystream(6 << 64, &mut buffer[64..64 + len]).unwrap();
            let rest = buffer[..64].iter().chain(&buffer[64 + len..]);
            assert!(rest.into_iter().all(|byte| *byte == 0xEE), "{}, {len}", kernel.name());
        }
    }
}
