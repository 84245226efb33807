//! SRTP and SRTCP (RFC 3711, RFC 7714): one direction of one leg, packets transformed in place.
//!
//! [`Inbound`] takes protection off, [`Outbound`] puts it on. Each keeps, for every SSRC, the 48-bit packet index
//! (roll-over counter and sequence number) and a replay window in a table of [`MAX_SOURCES`] entries that is
//! allocated once. Not obeyed: MKI (never negotiated here) and key derivation rates other than 0.

mod aes_cm;
mod batch;
mod gcm;
mod index;
mod kdf;
mod source;
#[cfg(test)]
mod tests;
mod transform;

pub use batch::{ComputedTag, DueTag, MAX_BATCH, TagBatch};

use source::{Slot, Sources};
use tandem_control::SrtpKey;
use tandem_crypto::CryptoError;
use thiserror::Error;
use transform::Transform;

/// How many SSRCs one direction of a leg keeps state for.
pub const MAX_SOURCES: usize = 16;
/// The most bytes that protection adds: an AEAD tag and the SRTCP index.
pub const MAX_TRAILER: usize = gcm::TAG_LEN + INDEX_LEN;
/// Bytes of the SRTCP index with its E bit.
const INDEX_LEN: usize = 4;
/// Bytes of an RTCP header up to its first SSRC; what follows is encrypted (RFC 3711 section 3.4).
const RTCP_HEADER_LEN: usize = 8;
/// SRTCP indexes are 31 bits long; the highest bit of the word says that the packet is encrypted.
const ENCRYPTED_FLAG: u32 = 1 << 31;

/// Why a packet was not transformed. The caller drops it; no state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum SrtpError {
    /// Too short to be what it should be.
    #[error("packet too short")]
    Short,
    /// Not RTP or RTCP version 2, or its header reaches beyond its end.
    #[error("malformed packet")]
    Malformed,
    /// The tag is not that of this packet under this key.
    #[error("authentication failed")]
    Authentication,
    /// The index was used before.
    #[error("replayed packet")]
    Replayed,
    /// The index lies behind the replay window.
    #[error("packet older than the replay window")]
    TooOld,
    /// [`MAX_SOURCES`] SSRCs have state already.
    #[error("too many SSRCs")]
    TooManySources,
    /// 2^48 RTP or 2^31 RTCP packets were protected (RFC 3711 section 9.2).
    #[error("master key used up")]
    KeyExpired,
    /// Key and salt have not the lengths of the suite.
    #[error("key or salt has the wrong length")]
    BadKey,
    /// The buffer has no room for the trailer.
    #[error("no room for the trailer")]
    NoRoom,
}

impl From<CryptoError> for SrtpError {
    fn from(error: CryptoError) -> SrtpError {
        match error {
            CryptoError::TooLong => SrtpError::Malformed,
            CryptoError::Authentication => SrtpError::Authentication,
            CryptoError::Refused => SrtpError::BadKey,
        }
    }
}

/// Takes protection off what one peer sends.
pub struct Inbound {
    transform: Transform,
    sources: Sources,
}

impl Inbound {
    /// Derives the session keys of `key`.
    ///
    /// # Errors
    /// [`SrtpError::BadKey`] if the key has not the length of its suite.
    pub fn new(key: &SrtpKey) -> Result<Inbound, SrtpError> {
        Ok(Inbound { transform: Transform::new(key)?, sources: Sources::new() })
    }

    /// Authenticates and decrypts an SRTP packet in place; returns the length of the plain RTP packet, which
    /// starts where the protected one did. After an error the contents of `packet` are undefined.
    ///
    /// # Errors
    /// Any but [`SrtpError::BadKey`] and [`SrtpError::NoRoom`].
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        self.unprotect_with(packet, None)
    }

    /// The tag that [`Inbound::unprotect_with`] will need for a packet, if it is worth computing in a batch: nothing
    /// is known against the packet yet.
    pub fn due_tag(&self, packet: &[u8]) -> Option<DueTag> {
        let (_, _, index) = self.admit(packet).ok()?;
        self.transform.due_tag(index)
    }

    /// As [`Inbound::unprotect`], with what a batch has computed of the same packet.
    ///
    /// # Errors
    /// As of [`Inbound::unprotect`].
    pub fn unprotect_with(
        &mut self,
        packet: &mut [u8],
        computed: Option<ComputedTag>,
    ) -> Result<usize, SrtpError> {
        let (header, source, index) = self.admit(packet)?;
        // RFC 3711 section 3.3 step 5: authenticate before anything is believed, and only then update.
        let length = self.transform.open_rtp(packet, &header, index, computed)?;
        self.sources.rtp_mut(source, header.ssrc).accept(index);
        Ok(length)
    }

    /// The index of a packet that may be accepted, if it is authentic.
    fn admit(&self, packet: &[u8]) -> Result<(RtpHeader, Slot, u64), SrtpError> {
        let header = RtpHeader::parse(packet)?;
        if packet.len() < header.len + self.transform.rtp_tag_len() {
            return Err(SrtpError::Short);
        }
        let source = self.sources.find(header.ssrc)?;
        let index = self.sources.rtp(source).check(header.sequence)?;
        Ok((header, source, index))
    }

    /// Authenticates and decrypts an SRTCP packet in place; returns the length of the plain RTCP packet.
    /// After an error the contents of `packet` are undefined.
    ///
    /// # Errors
    /// Any but [`SrtpError::BadKey`] and [`SrtpError::NoRoom`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet)?;
        let word = self.transform.rtcp_index_word(packet)?;
        let source = self.sources.find(ssrc)?;
        let index = word & !ENCRYPTED_FLAG;
        self.sources.rtcp(source).check(u64::from(index))?;
        let length = self.transform.open_rtcp(packet, ssrc, word)?;
        self.sources.rtcp_mut(source, ssrc).accept(u64::from(index));
        Ok(length)
    }
}

/// Protects what one leg sends.
pub struct Outbound {
    transform: Transform,
    sources: Sources,
}

impl Outbound {
    /// Derives the session keys of `key`.
    ///
    /// # Errors
    /// [`SrtpError::BadKey`] if the key has not the length of its suite.
    pub fn new(key: &SrtpKey) -> Result<Outbound, SrtpError> {
        Ok(Outbound { transform: Transform::new(key)?, sources: Sources::new() })
    }

    /// Encrypts and authenticates the RTP packet `buffer[..length]` in place; returns the length of the
    /// protected one, at most [`MAX_TRAILER`] more.
    ///
    /// An index is never used twice, since that would give away the key stream: a repeated sequence number is
    /// [`SrtpError::Replayed`], one far behind the highest [`SrtpError::TooOld`].
    ///
    /// # Errors
    /// Any but [`SrtpError::BadKey`] and [`SrtpError::Authentication`]. The packet is as it was.
    pub fn protect(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let (header, source, index, packet) = self.admit(buffer, length)?;
        self.transform.seal_rtp(packet, &header, index)?;
        let end = packet.len();
        self.sources.rtp_mut(source, header.ssrc).accept(index);
        Ok(end)
    }

    /// As [`Outbound::protect`], for a packet that was protected before and must be the same to the bit: it becomes the
    /// same again, so its key stream protects nothing else (RFC 3711 section 9.1).
    ///
    /// # Errors
    /// As of [`Outbound::protect`]; one with an index that was not reached yet is [`SrtpError::TooOld`].
    pub fn protect_again(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let header = RtpHeader::parse(buffer.get(..length).ok_or(SrtpError::NoRoom)?)?;
        let packet = buffer.get_mut(..length + self.transform.rtp_tag_len()).ok_or(SrtpError::NoRoom)?;
        let index = self.sources.rtp(self.sources.find(header.ssrc)?).reached(header.sequence)?;
        self.transform.seal_rtp(packet, &header, index)?;
        Ok(packet.len())
    }

    /// As [`Outbound::protect`], but a tag that a batch computes at less cost is left out and returned as due: the
    /// packet must not be sent before [`ComputedTag::write`].
    ///
    /// # Errors
    /// As of [`Outbound::protect`].
    pub fn protect_but_tag(
        &mut self,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<(usize, Option<DueTag>), SrtpError> {
        let (header, source, index, packet) = self.admit(buffer, length)?;
        let due = self.transform.seal_rtp_but_tag(packet, &header, index)?;
        let end = packet.len();
        self.sources.rtp_mut(source, header.ssrc).accept(index);
        Ok((end, due))
    }

    /// The index of a packet that may be sent, and the packet with the room for its tag.
    fn admit<'a>(
        &self,
        buffer: &'a mut [u8],
        length: usize,
    ) -> Result<(RtpHeader, Slot, u64, &'a mut [u8]), SrtpError> {
        let header = RtpHeader::parse(buffer.get(..length).ok_or(SrtpError::NoRoom)?)?;
        let packet = buffer.get_mut(..length + self.transform.rtp_tag_len()).ok_or(SrtpError::NoRoom)?;
        let source = self.sources.find(header.ssrc)?;
        let index = self.sources.rtp(source).check(header.sequence)?;
        Ok((header, source, index, packet))
    }

    /// Encrypts and authenticates the RTCP packet `buffer[..length]` in place; returns the length of the
    /// protected one, at most [`MAX_TRAILER`] more.
    ///
    /// # Errors
    /// Any but [`SrtpError::BadKey`], [`SrtpError::Authentication`], [`SrtpError::Replayed`] and
    /// [`SrtpError::TooOld`]. The packet is as it was.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(buffer.get(..length).ok_or(SrtpError::NoRoom)?)?;
        let end = length + self.transform.rtcp_tag_len() + INDEX_LEN;
        let packet = buffer.get_mut(..end).ok_or(SrtpError::NoRoom)?;
        let source = self.sources.find(ssrc)?;
        // RFC 3711 section 3.4: zero for the first packet, then one more for each.
        let index = self.sources.rtcp(source).next();
        let word = u32::try_from(index).ok().filter(|word| word & ENCRYPTED_FLAG == 0);
        let word = word.ok_or(SrtpError::KeyExpired)? | ENCRYPTED_FLAG;
        self.transform.seal_rtcp(packet, ssrc, word)?;
        self.sources.rtcp_mut(source, ssrc).accept(index);
        Ok(end)
    }
}

/// What SRTP needs to know of an RTP header.
struct RtpHeader {
    /// Bytes up to the payload: fixed header, CSRCs and header extension, none of which is encrypted.
    len: usize,
    sequence: u16,
    ssrc: u32,
}

impl RtpHeader {
    fn parse(packet: &[u8]) -> Result<RtpHeader, SrtpError> {
        let Some((fixed, _)) = packet.split_first_chunk::<12>() else { return Err(SrtpError::Short) };
        let [flags, _, s0, s1, _, _, _, _, ssrc @ ..] = *fixed;
        if flags >> 6 != 2 {
            return Err(SrtpError::Malformed);
        }
        let mut len = fixed.len() + 4 * usize::from(flags & 0x0F);
        if flags & 0x10 != 0 {
            let extension =
                packet.get(len..).and_then(<[u8]>::first_chunk::<4>).ok_or(SrtpError::Malformed)?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        if packet.len() < len {
            return Err(SrtpError::Malformed);
        }
        Ok(RtpHeader { len, sequence: u16::from_be_bytes([s0, s1]), ssrc: u32::from_be_bytes(ssrc) })
    }
}

fn rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    let Some(([flags, _, _, _, ssrc @ ..], _)) = packet.split_first_chunk::<RTCP_HEADER_LEN>() else {
        return Err(SrtpError::Short);
    };
    if flags >> 6 != 2 {
        return Err(SrtpError::Malformed);
    }
    Ok(u32::from_be_bytes(*ssrc))
}
