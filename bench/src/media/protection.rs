//! SRTP for a leg, by the `webrtc-srtp` crate.

use rtp::header::Header;
use std::io;
use tandem_control::{SrtpKey, SrtpSuite};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

/// The keys of an SRTP leg.
#[derive(Clone)]
pub(crate) struct Keys {
    /// Protects what the generator sends.
    pub(crate) send: SrtpKey,
    /// Protects what the relay sends.
    pub(crate) receive: SrtpKey,
}

/// Both directions of a leg.
pub(crate) struct Protection {
    outbound: Context,
    inbound: Context,
}

impl Protection {
    /// With these keys.
    ///
    /// # Errors
    /// If the crate does not take them.
    pub(crate) fn new(keys: &Keys) -> io::Result<Protection> {
        Ok(Protection { outbound: context(&keys.send)?, inbound: context(&keys.receive)? })
    }

    /// With the keys of a DTLS handshake.
    pub(crate) fn of_handshake(outbound: Context, inbound: Context) -> Protection {
        Protection { outbound, inbound }
    }

    /// Protects a packet that begins with `header`.
    ///
    /// # Errors
    /// If the crate refuses.
    pub(crate) fn protect(&mut self, packet: &[u8], header: &Header) -> io::Result<impl AsRef<[u8]> + use<>> {
        self.outbound.encrypt_rtp_with_header(packet, header).map_err(io::Error::other)
    }

    /// Checks and decrypts a packet that begins with `header`; `None` if it is not authentic.
    pub(crate) fn unprotect(&mut self, packet: &[u8], header: &Header) -> Option<impl AsRef<[u8]> + use<>> {
        self.inbound.decrypt_rtp_with_header(packet, header).ok()
    }
}

fn context(key: &SrtpKey) -> io::Result<Context> {
    let profile = match key.suite {
        SrtpSuite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        SrtpSuite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let (master_key, salt) = key
        .key_and_salt
        .split_at_checked(key.suite.key_len())
        .ok_or_else(|| io::Error::other("an SRTP key that is too short"))?;
    Context::new(master_key, salt, profile, None, None).map_err(io::Error::other)
}
