//! STUN (RFC 8489) as an ICE-lite agent needs it: parsing Binding requests, writing their answers.
//!
//! Nothing is allocated: a [`Request`] borrows the packet, a [`Writer`] fills the caller's buffer. Only what
//! ICE uses is here: short-term credentials, MESSAGE-INTEGRITY with HMAC-SHA1, and FINGERPRINT.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

/// The fixed value behind the length (RFC 8489 section 5).
const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Bytes of a STUN header.
const HEADER_LEN: usize = 20;
/// Bytes of an attribute's type and length.
const ATTRIBUTE_HEADER_LEN: usize = 4;
/// Bytes of an HMAC-SHA1.
const INTEGRITY_LEN: usize = 20;
/// What the CRC-32 of FINGERPRINT is XORed with (RFC 8489 section 14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;
/// The longest user name (RFC 8489 section 14.3: fewer than 509 bytes).
const MAX_USERNAME: usize = 508;
/// How many unknown attributes an error response lists.
const MAX_UNKNOWN: usize = 8;
/// How many attributes a request may have; ICE uses seven.
const MAX_ATTRIBUTES: usize = 32;
/// The largest answer that is ever written.
pub const MAX_REPLY: usize = 128;

/// The STUN attribute types in use here (RFC 8489 section 18.3, RFC 8445 section 20.1).
mod attribute {
    pub(super) const USERNAME: u16 = 0x0006;
    pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(super) const ERROR_CODE: u16 = 0x0009;
    pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(super) const PRIORITY: u16 = 0x0024;
    pub(super) const USE_CANDIDATE: u16 = 0x0025;
    pub(super) const FINGERPRINT: u16 = 0x8028;
    pub(super) const ICE_CONTROLLED: u16 = 0x8029;
    pub(super) const ICE_CONTROLLING: u16 = 0x802A;
}

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_INDICATION: u16 = 0x0011;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

/// Why a packet was not taken as a STUN request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum StunError {
    /// Not a STUN message, or one whose attributes do not fit it.
    #[error("malformed STUN message")]
    Malformed,
    /// FINGERPRINT is there and wrong.
    #[error("wrong STUN fingerprint")]
    Fingerprint,
    /// A STUN message, but not a Binding request: nothing to answer.
    #[error("not a Binding request")]
    NotRequest,
    /// The user name is not one of ours.
    #[error("unknown STUN user name")]
    UnknownUser,
    /// MESSAGE-INTEGRITY is there and wrong.
    #[error("wrong STUN message integrity")]
    Integrity,
    /// USERNAME or MESSAGE-INTEGRITY is missing.
    #[error("STUN check without credentials")]
    Unauthenticated,
    /// A comprehension-required attribute is unknown here.
    #[error("unknown STUN attribute")]
    UnknownAttribute,
    /// The peer claims the controlled role, which is ours.
    #[error("ICE role conflict")]
    RoleConflict,
    /// The reply buffer is smaller than [`MAX_REPLY`].
    #[error("no room for the STUN answer")]
    NoRoom,
}

/// The class that ICE gives a Binding request by its role attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// ICE-CONTROLLING.
    Controlling,
    /// ICE-CONTROLLED.
    Controlled,
}

/// Unknown comprehension-required attributes, for a 420 answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownAttributes {
    types: [u16; MAX_UNKNOWN],
    len: usize,
}

impl UnknownAttributes {
    /// Their types; those beyond the first eight are left out.
    pub fn as_slice(&self) -> &[u16] {
        self.types.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, kind: u16) {
        if let Some(place) = self.types.get_mut(self.len) {
            *place = kind;
            self.len += 1;
        }
    }
}

/// A Binding request, syntactically sound; not authenticated until [`Request::verify`].
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The packet as far as the message goes.
    packet: &'a [u8],
    /// The transaction id.
    pub transaction: [u8; 12],
    /// USERNAME.
    pub username: Option<&'a str>,
    /// PRIORITY: that of a peer-reflexive candidate at the source.
    pub priority: Option<u32>,
    /// USE-CANDIDATE: the peer nominates this pair.
    pub use_candidate: bool,
    /// ICE-CONTROLLING or ICE-CONTROLLED.
    pub role: Option<Role>,
    /// Attributes below 0x8000 that are unknown here.
    pub unknown: UnknownAttributes,
    /// Where MESSAGE-INTEGRITY starts.
    integrity: Option<usize>,
}

impl<'a> Request<'a> {
    /// Parses a whole datagram as a Binding request.
    ///
    /// # Errors
    /// [`StunError::Malformed`], [`StunError::Fingerprint`] or [`StunError::NotRequest`]; none is answered
    /// (RFC 8489 section 6.3: silently discarded).
    pub fn parse(packet: &'a [u8]) -> Result<Request<'a>, StunError> {
        let (kind, transaction) = parse_header(packet)?;
        match kind {
            BINDING_REQUEST => {}
            BINDING_INDICATION | BINDING_SUCCESS | BINDING_ERROR => return Err(StunError::NotRequest),
            _ => return Err(StunError::Malformed),
        }
        let mut request = Request {
            packet,
            transaction,
            username: None,
            priority: None,
            use_candidate: false,
            role: None,
            unknown: UnknownAttributes::default(),
            integrity: None,
        };
        for attribute in Attributes::of(packet) {
            request.take(attribute?)?;
        }
        Ok(request)
    }

    /// Whether there is a MESSAGE-INTEGRITY.
    pub fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Checks MESSAGE-INTEGRITY under the password, in constant time.
    ///
    /// # Errors
    /// [`StunError::Integrity`] if it is wrong or missing.
    pub fn verify(&self, password: &str) -> Result<(), StunError> {
        let start = self.integrity.ok_or(StunError::Integrity)?;
        let (signed, rest) = self.packet.split_at_checked(start).ok_or(StunError::Integrity)?;
        let received = rest
            .get(ATTRIBUTE_HEADER_LEN..ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN)
            .ok_or(StunError::Integrity)?;
        let expected = integrity(signed, password).ok_or(StunError::Integrity)?;
        verify_slices_are_equal(&expected, received).map_err(|_| StunError::Integrity)
    }

    fn take(&mut self, attribute: Attribute<'a>) -> Result<(), StunError> {
        let Attribute { kind, value, start } = attribute;
        if kind == attribute::FINGERPRINT {
            let crc = crc32(self.packet.get(..start).ok_or(StunError::Malformed)?);
            let received = value.try_into().map(u32::from_be_bytes).map_err(|_| StunError::Malformed)?;
            let last = start + ATTRIBUTE_HEADER_LEN + value.len() == self.packet.len();
            return if last && received == crc ^ FINGERPRINT_XOR {
                Ok(())
            } else {
                Err(StunError::Fingerprint)
            };
        }
        if self.integrity.is_some() {
            // RFC 8489 section 14.5: what stands behind MESSAGE-INTEGRITY is ignored.
            return Ok(());
        }
        match kind {
            attribute::USERNAME if value.len() > MAX_USERNAME => return Err(StunError::Malformed),
            attribute::USERNAME => {
                let username = str::from_utf8(value).map_err(|_| StunError::Malformed)?;
                // RFC 8489 section 14: only the first of several counts.
                self.username.get_or_insert(username);
            }
            attribute::PRIORITY => {
                let priority = value.try_into().map_err(|_| StunError::Malformed)?;
                self.priority.get_or_insert(u32::from_be_bytes(priority));
            }
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::ICE_CONTROLLING if value.len() == 8 => self.role = Some(Role::Controlling),
            attribute::ICE_CONTROLLED if value.len() == 8 => self.role = Some(Role::Controlled),
            attribute::ICE_CONTROLLING | attribute::ICE_CONTROLLED => return Err(StunError::Malformed),
            attribute::MESSAGE_INTEGRITY if value.len() == INTEGRITY_LEN => self.integrity = Some(start),
            attribute::MESSAGE_INTEGRITY => return Err(StunError::Malformed),
            // RFC 8489 section 14: below 0x8000 an attribute must be understood.
            kind if kind < 0x8000 => self.unknown.push(kind),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a packet on a multiplexed port is STUN: the first byte of RFC 7983 and the magic cookie.
pub fn is_stun(packet: &[u8]) -> bool {
    matches!(packet, [0..=3, ..])
        && packet.len() >= HEADER_LEN
        && packet.get(4..8) == Some(&MAGIC_COOKIE.to_be_bytes())
}

/// The two user fragments in USERNAME of a Binding request, ours first (RFC 8445 section 7.2.2), to find the
/// session by. Nothing is authenticated.
pub fn binding_username(packet: &[u8]) -> Option<(&str, &str)> {
    let (BINDING_REQUEST, _) = parse_header(packet).ok()? else { return None };
    for attribute in Attributes::of(packet) {
        let attribute = attribute.ok()?;
        // What stands behind is not authenticated, and [`Request::parse`] does not see it either.
        if attribute.kind == attribute::MESSAGE_INTEGRITY {
            return None;
        }
        if attribute.kind == attribute::USERNAME && attribute.value.len() <= MAX_USERNAME {
            return str::from_utf8(attribute.value).ok()?.split_once(':');
        }
    }
    None
}

/// An answer to a Binding request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Success, with the address that the request came from.
    Success(SocketAddr),
    /// An error without authentication, since the credentials are what is wrong: 400 or 401.
    Unauthenticated(u16),
    /// 420 with the types that were not understood.
    UnknownAttributes(&'a UnknownAttributes),
    /// 487: the peer must take the controlling role.
    RoleConflict,
}

impl Answer<'_> {
    /// Writes the answer; `password` signs it where it is authenticated. Returns its length.
    ///
    /// # Errors
    /// [`StunError::NoRoom`] if the buffer is smaller than [`MAX_REPLY`].
    pub fn write(
        &self,
        transaction: [u8; 12],
        password: &str,
        buffer: &mut [u8],
    ) -> Result<usize, StunError> {
        let kind = if matches!(self, Answer::Success(_)) { BINDING_SUCCESS } else { BINDING_ERROR };
        let mut writer = Writer::new(buffer, kind, transaction)?;
        match self {
            Answer::Success(source) => writer.xor_mapped_address(*source)?,
            Answer::Unauthenticated(code) => writer.error_code(*code)?,
            Answer::UnknownAttributes(unknown) => {
                writer.error_code(420)?;
                writer.unknown_attributes(unknown.as_slice())?;
            }
            Answer::RoleConflict => writer.error_code(487)?,
        }
        if !matches!(self, Answer::Unauthenticated(_)) {
            writer.message_integrity(password)?;
        }
        writer.finish()
    }
}

/// Writes one message into a buffer.
struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    fn new(buffer: &'a mut [u8], kind: u16, transaction: [u8; 12]) -> Result<Writer<'a>, StunError> {
        if buffer.len() < MAX_REPLY {
            return Err(StunError::NoRoom);
        }
        let mut writer = Writer { buffer, len: 0 };
        writer.put(&kind.to_be_bytes())?;
        writer.put(&[0, 0])?;
        writer.put(&MAGIC_COOKIE.to_be_bytes())?;
        writer.put(&transaction)?;
        Ok(writer)
    }

    fn xor_mapped_address(&mut self, address: SocketAddr) -> Result<(), StunError> {
        let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
        // RFC 8489 section 14.2: the key is the magic cookie, and for IPv6 the transaction id behind it.
        let mut key = [0; 16];
        key.copy_from_slice(self.buffer.get(4..HEADER_LEN).ok_or(StunError::NoRoom)?);
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [k0, k1, k2, k3, ..] = key;
                let ip = u32::from(ip) ^ u32::from_be_bytes([k0, k1, k2, k3]);
                self.attribute_header(attribute::XOR_MAPPED_ADDRESS, 8)?;
                self.put(&[0, 1])?;
                self.put(&port.to_be_bytes())?;
                self.put(&ip.to_be_bytes())
            }
            IpAddr::V6(ip) => {
                let ip = u128::from(ip) ^ u128::from_be_bytes(key);
                self.attribute_header(attribute::XOR_MAPPED_ADDRESS, 20)?;
                self.put(&[0, 2])?;
                self.put(&port.to_be_bytes())?;
                self.put(&ip.to_be_bytes())
            }
        }
    }

    /// ERROR-CODE with an empty reason: the number says all (RFC 8489 section 14.8).
    fn error_code(&mut self, code: u16) -> Result<(), StunError> {
        self.attribute_header(attribute::ERROR_CODE, 4)?;
        self.put(&[0, 0, (code / 100) as u8, (code % 100) as u8])
    }

    fn unknown_attributes(&mut self, types: &[u16]) -> Result<(), StunError> {
        self.attribute_header(attribute::UNKNOWN_ATTRIBUTES, 2 * types.len())?;
        types.iter().try_for_each(|kind| self.put(&kind.to_be_bytes()))?;
        if types.len() % 2 == 1 { self.put(&[0, 0]) } else { Ok(()) }
    }

    fn message_integrity(&mut self, password: &str) -> Result<(), StunError> {
        let written = self.buffer.get(..self.len).ok_or(StunError::NoRoom)?;
        let tag = integrity(written, password).ok_or(StunError::NoRoom)?;
        self.attribute_header(attribute::MESSAGE_INTEGRITY, INTEGRITY_LEN)?;
        self.put(&tag)
    }

    /// Adds FINGERPRINT and the length; returns the length of the message.
    fn finish(mut self) -> Result<usize, StunError> {
        let total = self.len + ATTRIBUTE_HEADER_LEN + 4;
        let length = ((total - HEADER_LEN) as u16).to_be_bytes();
        self.buffer.get_mut(2..4).ok_or(StunError::NoRoom)?.copy_from_slice(&length);
        let crc = crc32(self.buffer.get(..self.len).ok_or(StunError::NoRoom)?);
        self.attribute_header(attribute::FINGERPRINT, 4)?;
        self.put(&(crc ^ FINGERPRINT_XOR).to_be_bytes())?;
        Ok(self.len)
    }

    fn attribute_header(&mut self, kind: u16, len: usize) -> Result<(), StunError> {
        self.put(&kind.to_be_bytes())?;
        self.put(&(len as u16).to_be_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StunError> {
        let end = self.len + bytes.len();
        self.buffer.get_mut(self.len..end).ok_or(StunError::NoRoom)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}

/// One attribute of a message.
struct Attribute<'a> {
    kind: u16,
    value: &'a [u8],
    /// Where its type stands in the message.
    start: usize,
}

/// The attributes of a message whose header is sound.
struct Attributes<'a> {
    packet: &'a [u8],
    position: usize,
    left: usize,
}

impl<'a> Attributes<'a> {
    fn of(packet: &'a [u8]) -> Attributes<'a> {
        Attributes { packet, position: HEADER_LEN, left: MAX_ATTRIBUTES }
    }

    fn read(&mut self) -> Option<Attribute<'a>> {
        self.left = self.left.checked_sub(1)?;
        let start = self.position;
        let (header, rest) = self.packet.get(start..)?.split_first_chunk::<ATTRIBUTE_HEADER_LEN>()?;
        let [k0, k1, l0, l1] = *header;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let value = rest.get(..len)?;
        // RFC 8489 section 14: padded to four bytes, whatever the padding holds.
        self.position = start + ATTRIBUTE_HEADER_LEN + len.next_multiple_of(4);
        Some(Attribute { kind: u16::from_be_bytes([k0, k1]), value, start })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, StunError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.packet.len() {
            return None;
        }
        let attribute = self.read();
        if attribute.is_none() {
            self.position = self.packet.len();
        }
        Some(attribute.ok_or(StunError::Malformed))
    }
}

/// The type and the transaction id of a message that fills its datagram.
fn parse_header(packet: &[u8]) -> Result<(u16, [u8; 12]), StunError> {
    let Some((header, rest)) = packet.split_first_chunk::<HEADER_LEN>() else {
        return Err(StunError::Malformed);
    };
    let [k0, k1, l0, l1, _, _, _, _, transaction @ ..] = *header;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if !is_stun(packet) || length != rest.len() || length % 4 != 0 {
        return Err(StunError::Malformed);
    }
    Ok((u16::from_be_bytes([k0, k1]), transaction))
}

/// The HMAC over `message`, the bytes before MESSAGE-INTEGRITY, with the header's length as if that attribute
/// came last (RFC 8489 section 14.5). `None` for something shorter than a header.
fn integrity(message: &[u8], password: &str) -> Option<[u8; INTEGRITY_LEN]> {
    let (header, attributes) = message.split_first_chunk::<HEADER_LEN>()?;
    let mut header = *header;
    let length = u16::try_from(attributes.len() + ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN).ok()?;
    header[2..4].copy_from_slice(&length.to_be_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(&header);
    context.update(attributes);
    context.sign().as_ref().try_into().ok()
}

/// The CRC-32 of ITU-T V.42 that FINGERPRINT uses. The header's length already counts FINGERPRINT.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| CRC_TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8)
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests;
