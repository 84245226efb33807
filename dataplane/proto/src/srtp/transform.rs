//! The packet transforms: where in a packet ciphertext, tag and index stand.

use tandem_control::{SrtpKey, SrtpSuite};

use super::aes_cm::{AesCm, MAX_TAG_LEN, verify};
use super::batch::{ComputedTag, DueTag};
use super::gcm::{self, Gcm};
use super::kdf::{Label, Master};
use super::{ENCRYPTED_FLAG, INDEX_LEN, RTCP_HEADER_LEN, RtpHeader, SrtpError};

/// The session keys of one direction. Those of RTP stand in place; those of RTCP, seldom used, elsewhere.
pub(super) enum Transform {
    /// RFC 3711.
    AesCm {
        rtp: AesCm,
        rtcp: Box<AesCm>,
        /// Bytes of the RTP tag; that of RTCP is always the long one.
        rtp_tag_len: usize,
    },
    /// RFC 7714.
    Gcm { rtp: Gcm, rtcp: Box<Gcm> },
}

impl Transform {
    pub(super) fn new(key: &SrtpKey) -> Result<Transform, SrtpError> {
        let master = Master::new(key)?;
        let rtp_tag_len = match key.suite {
            SrtpSuite::AesCm128HmacSha1_80 => MAX_TAG_LEN,
            SrtpSuite::AesCm128HmacSha1_32 => 4,
            SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm => {
                let key_len = key.suite.key_len();
                let rtp = Gcm::new(&master, [Label::RtpEncryption, Label::RtpSalt], key_len)?;
                let rtcp = Gcm::new(&master, [Label::RtcpEncryption, Label::RtcpSalt], key_len)?;
                return Ok(Transform::Gcm { rtp, rtcp: Box::new(rtcp) });
            }
        };
        let rtp = [Label::RtpEncryption, Label::RtpAuthentication, Label::RtpSalt];
        let rtcp = [Label::RtcpEncryption, Label::RtcpAuthentication, Label::RtcpSalt];
        let rtp = AesCm::new(&master, rtp)?;
        let rtcp = Box::new(AesCm::new(&master, rtcp)?);
        Ok(Transform::AesCm { rtp, rtcp, rtp_tag_len })
    }

    /// Bytes that protection adds to an RTP packet.
    pub(super) fn rtp_tag_len(&self) -> usize {
        match self {
            Transform::AesCm { rtp_tag_len, .. } => *rtp_tag_len,
            Transform::Gcm { .. } => gcm::TAG_LEN,
        }
    }

    /// Bytes that protection adds to an RTCP packet beside the index word.
    pub(super) fn rtcp_tag_len(&self) -> usize {
        match self {
            Transform::AesCm { .. } => MAX_TAG_LEN,
            Transform::Gcm { .. } => gcm::TAG_LEN,
        }
    }

    /// Protects `packet`: a plain RTP packet with room for exactly the tag behind.
    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header: &RtpHeader,
        index: u64,
    ) -> Result<(), SrtpError> {
        let (plain, tag) = split_tail(packet, self.rtp_tag_len())?;
        match self {
            Transform::AesCm { rtp, .. } => {
                rtp.apply_keystream(header.ssrc, index, split_head(plain, header.len)?.1)?;
                copy_prefix(tag, &rtp.tag(plain, rollover_counter(index)));
            }
            Transform::Gcm { rtp, .. } => {
                let (associated, payload) = split_head(plain, header.len)?;
                tag.copy_from_slice(&rtp.seal(header.ssrc, index, associated, payload)?);
            }
        }
        Ok(())
    }

    /// As [`Transform::seal_rtp`], but an HMAC is left to a batch.
    pub(super) fn seal_rtp_but_tag(
        &self,
        packet: &mut [u8],
        header: &RtpHeader,
        index: u64,
    ) -> Result<Option<DueTag>, SrtpError> {
        let Transform::AesCm { rtp, rtp_tag_len, .. } = self else {
            return self.seal_rtp(packet, header, index).map(|()| None);
        };
        let (plain, _) = split_tail(packet, *rtp_tag_len)?;
        rtp.apply_keystream(header.ssrc, index, split_head(plain, header.len)?.1)?;
        Ok(Some(DueTag::new(rtp.hmac(), rollover_counter(index), *rtp_tag_len)))
    }

    /// What a batch is to compute to check a packet that has this index, if that is an HMAC.
    pub(super) fn due_tag(&self, index: u64) -> Option<DueTag> {
        match self {
            Transform::AesCm { rtp, rtp_tag_len, .. } => {
                Some(DueTag::new(rtp.hmac(), rollover_counter(index), *rtp_tag_len))
            }
            Transform::Gcm { .. } => None,
        }
    }

    /// Takes the protection off; returns the length of the plain packet. `computed` is what a batch has computed of
    /// the same packet; it is used if the index was estimated rightly then.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: &RtpHeader,
        index: u64,
        computed: Option<ComputedTag>,
    ) -> Result<usize, SrtpError> {
        let length = packet.len().checked_sub(self.rtp_tag_len()).ok_or(SrtpError::Short)?;
        match self {
            Transform::AesCm { rtp, .. } => {
                let (plain, tag) = split_head(packet, length)?;
                let rollover = rollover_counter(index);
                let computed = computed.and_then(|computed| computed.get(length, rollover));
                verify(&computed.unwrap_or_else(|| rtp.tag(plain, rollover)), tag)?;
                rtp.apply_keystream(header.ssrc, index, split_head(plain, header.len)?.1)?;
            }
            Transform::Gcm { rtp, .. } => {
                let (associated, data) = split_head(packet, header.len)?;
                rtp.open(header.ssrc, index, associated, data)?;
            }
        }
        Ok(length)
    }

    /// Protects `packet`: a plain RTCP packet with room for exactly the tag and the index word behind.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Result<(), SrtpError> {
        let index = u64::from(word & !ENCRYPTED_FLAG);
        let (plain, trailer) = split_tail(packet, self.rtcp_tag_len() + INDEX_LEN)?;
        let word = word.to_be_bytes();
        match self {
            Transform::AesCm { rtcp, .. } => {
                rtcp.apply_keystream(ssrc, index, split_head(plain, RTCP_HEADER_LEN)?.1)?;
                let tag = rtcp.tag(plain, word);
                let (index_place, tag_place) = split_head(trailer, INDEX_LEN)?;
                copy_prefix(index_place, &word);
                copy_prefix(tag_place, &tag);
            }
            Transform::Gcm { rtcp, .. } => {
                let (header, payload) = split_head(plain, RTCP_HEADER_LEN)?;
                let tag = rtcp.seal(ssrc, index, &associated_rtcp(header, word)?, payload)?;
                let (tag_place, index_place) = split_head(trailer, gcm::TAG_LEN)?;
                copy_prefix(tag_place, &tag);
                copy_prefix(index_place, &word);
            }
        }
        Ok(())
    }

    /// The E bit and the index of an SRTCP packet, as it stands there: not authenticated.
    pub(super) fn rtcp_index_word(&self, packet: &[u8]) -> Result<u32, SrtpError> {
        let tag_behind = match self {
            Transform::AesCm { .. } => MAX_TAG_LEN,
            // RFC 7714 section 17.1: here the tag belongs to the ciphertext, the index comes last.
            Transform::Gcm { .. } => 0,
        };
        if packet.len() < RTCP_HEADER_LEN + self.rtcp_tag_len() + INDEX_LEN {
            return Err(SrtpError::Short);
        }
        let word = packet.get(..packet.len() - tag_behind).and_then(<[u8]>::last_chunk::<INDEX_LEN>);
        Ok(u32::from_be_bytes(*word.ok_or(SrtpError::Short)?))
    }

    /// Takes the protection off; returns the length of the plain packet.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Result<usize, SrtpError> {
        let length = packet.len().checked_sub(self.rtcp_tag_len() + INDEX_LEN).ok_or(SrtpError::Short)?;
        let index = u64::from(word & !ENCRYPTED_FLAG);
        let encrypted = word & ENCRYPTED_FLAG != 0;
        let word = word.to_be_bytes();
        match self {
            Transform::AesCm { rtcp, .. } => {
                let (plain, trailer) = split_head(packet, length)?;
                verify(&rtcp.tag(plain, word), split_head(trailer, INDEX_LEN)?.1)?;
                if encrypted {
                    rtcp.apply_keystream(ssrc, index, split_head(plain, RTCP_HEADER_LEN)?.1)?;
                }
            }
            Transform::Gcm { rtcp, .. } if encrypted => {
                let (ciphertext, _) = split_tail(packet, INDEX_LEN)?;
                let (header, data) = split_head(ciphertext, RTCP_HEADER_LEN)?;
                rtcp.open(ssrc, index, &associated_rtcp(header, word)?, data)?;
            }
            Transform::Gcm { rtcp, .. } => {
                // RFC 7714 section 9.3: everything is associated data, packet and index word, and the tag
                // alone is sealed. The tag steps aside so that the two stand next to each other.
                let (plain, trailer) = split_head(packet, length)?;
                let mut tag = [0; gcm::TAG_LEN];
                copy_prefix(&mut tag, trailer);
                copy_prefix(trailer, &word);
                debug_assert_eq!(plain.len(), length);
                rtcp.open(ssrc, index, split_head(packet, length + INDEX_LEN)?.0, &mut tag)?;
            }
        }
        Ok(length)
    }
}

/// The upper 32 bits of the 48-bit index.
fn rollover_counter(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// RFC 7714 section 9.2: the associated data of an encrypted SRTCP packet.
fn associated_rtcp(
    header: &[u8],
    word: [u8; INDEX_LEN],
) -> Result<[u8; RTCP_HEADER_LEN + INDEX_LEN], SrtpError> {
    let mut associated = [0; RTCP_HEADER_LEN + INDEX_LEN];
    let (header_place, word_place) = split_head(&mut associated, header.len())?;
    header_place.copy_from_slice(header);
    copy_prefix(word_place, &word);
    Ok(associated)
}

fn split_head(bytes: &mut [u8], len: usize) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    bytes.split_at_mut_checked(len).ok_or(SrtpError::Short)
}

fn split_tail(bytes: &mut [u8], len: usize) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    let head = bytes.len().checked_sub(len).ok_or(SrtpError::Short)?;
    split_head(bytes, head)
}

/// Copies as much as both have.
fn copy_prefix(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}
