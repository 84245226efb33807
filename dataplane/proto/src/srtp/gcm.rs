//! AEAD AES-GCM (RFC 7714).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use tandem_crypto::GcmKey;
use zeroize::Zeroizing;

use super::SrtpError;
use super::kdf::{Label, Master};

/// Bytes of the authentication tag (RFC 7714 section 5.1: always the full 16).
pub(super) const TAG_LEN: usize = 16;

/// The session key and salt of RTP, or those of RTCP.
pub(super) struct Gcm {
    key: Key,
    salt: [u8; 12],
}

#[allow(clippy::large_enum_variant, reason = "in place on purpose: the common suite")]
enum Key {
    Aes128(GcmKey),
    Aes256(Box<LessSafeKey>),
}

impl Gcm {
    /// Derives the keys with the labels for encryption and salt; `key_len` is 16 or 32.
    pub(super) fn new(master: &Master, labels: [Label; 2], key_len: usize) -> Result<Gcm, SrtpError> {
        let [encryption, salting] = labels;
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..key_len).ok_or(SrtpError::BadKey)?;
        master.derive(encryption, key)?;
        let mut salt = [0; 12];
        master.derive(salting, &mut salt)?;
        Gcm::with_session_key(key, salt)
    }

    pub(super) fn with_session_key(key: &[u8], salt: [u8; 12]) -> Result<Gcm, SrtpError> {
        let key = match key.try_into() {
            Ok(key) => Key::Aes128(GcmKey::new(key)?),
            Err(_) => {
                let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SrtpError::BadKey)?;
                Key::Aes256(Box::new(LessSafeKey::new(key)))
            }
        };
        Ok(Gcm { key, salt })
    }

    /// Encrypts `data` in place; returns its tag.
    pub(super) fn seal(
        &self,
        ssrc: u32,
        index: u64,
        associated: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; TAG_LEN], SrtpError> {
        let nonce = self.nonce(ssrc, index);
        match &self.key {
            Key::Aes128(key) => Ok(key.seal(nonce, associated, data)?),
            Key::Aes256(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), data);
                let tag = tag.map_err(|_| SrtpError::KeyExpired)?;
                tag.as_ref().try_into().map_err(|_| SrtpError::BadKey)
            }
        }
    }

    /// Authenticates and decrypts `data`, the ciphertext with its tag behind, in place.
    pub(super) fn open(
        &self,
        ssrc: u32,
        index: u64,
        associated: &[u8],
        data: &mut [u8],
    ) -> Result<(), SrtpError> {
        let nonce = self.nonce(ssrc, index);
        match &self.key {
            Key::Aes128(key) => {
                let (data, tag) = data.split_last_chunk_mut().ok_or(SrtpError::Short)?;
                Ok(key.open(nonce, associated, data, tag)?)
            }
            Key::Aes256(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let opened = key.open_in_place(nonce, Aad::from(associated), data);
                opened.map(|_| ()).map_err(|_| SrtpError::Authentication)
            }
        }
    }

    /// RFC 7714 sections 8.1 and 9.1: two zero bytes, the SSRC and the 48-bit index, XOR the salt. The SRTCP
    /// index has 31 bits, so that the zeros before it come by themselves.
    fn nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let plain = u128::from(ssrc) << 48 | u128::from(index);
        let mut nonce = self.salt;
        nonce.iter_mut().zip(&plain.to_be_bytes()[4..]).for_each(|(byte, plain)| *byte ^= plain);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    const SALT: &[u8; 12] = b"Quid pro quo";

    fn gcm(key_len: u8) -> Gcm {
        let key: Vec<u8> = (0..key_len).collect();
        Gcm::with_session_key(&key, *SALT).unwrap()
    }

    /// RFC 7714 sections 16.1.1 and 16.2.1: an SRTP packet under both key lengths.
    #[test]
    fn published_srtp_packets() {
        let header = hex("8040F17B 8041F8D3 5501A0B2");
        for (key_len, sealed) in [
            (
                16,
                "F24DE3A3 FB34DE6C ACBA861C 9D7E4BCA BE633BD5 0D294E6F 42A5F47A 51C7D19B 36DE3ADF 8833
                 899D7F27 BEB16A91 52CF765E E4390CCE",
            ),
            (
                32,
                "32B1DE78 A822FE12 EF9F78FA 332E33AA B1801238 9A58E2F3 B50B2A02 76FFAE0F 1BA63799 B87B
                 7AA3DB36 DFFFD6B0 F9BB7878 D7A76C13",
            ),
        ] {
            let mut data = b"Gallia est omnis divisa in partes tres".to_vec();
            let tag = gcm(key_len).seal(0x5501_A0B2, 0xF17B, &header, &mut data).unwrap();
            data.extend(tag);
            assert_eq!(data, hex(sealed));
            gcm(key_len).open(0x5501_A0B2, 0xF17B, &header, &mut data).unwrap();
            assert_eq!(&data[..38], b"Gallia est omnis divisa in partes tres");
        }
    }

    /// RFC 7714 section 17.1: an SRTCP packet.
    #[test]
    fn published_srtcp_packet() {
        let associated = hex("81C8000D 4D617273 800005D4");
        let plain = hex("4E545031 4E545032 52545020 0000042A 0000E930 4C756E61
             DEADBEEF DEADBEEF DEADBEEF DEADBEEF DEADBEEF");
        let mut data = plain.clone();
        let tag = gcm(16).seal(0x4D61_7273, 0x5D4, &associated, &mut data).unwrap();
        data.extend(tag);
        let sealed = "63E94885 DCDAB67C A727D766 2F6B7E99 7FF5C0F7 6C06F32D C676A5F1 730D6FDA
             4CE09B46 86303DED 0BB9275B C84AA458 96CF4D2F C5ABF872 45D9EADE";
        assert_eq!(data, hex(sealed));
        gcm(16).open(0x4D61_7273, 0x5D4, &associated, &mut data).unwrap();
        assert_eq!(data[..plain.len()], plain);
    }
}
