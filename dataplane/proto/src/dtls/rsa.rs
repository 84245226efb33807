//! Peers with an RSA certificate, where we are the server and DTLS 1.2 is spoken.
//!
//! The engine asks for ECDSA certificates alone, and telephones with an RSA one (baresip, older Asterisk) then show
//! none at all. So RSA is added to its CertificateRequest (RFC 5246 section 7.4.4) on the way out, and, so that both
//! ends go on hashing the same handshake, wherever the engine hashes or verifies its transcript: [`amend`] is that
//! one change. What RSA signs is then verified here; who signed is known by the fingerprint, as ever.

use super::{HANDSHAKE, RECORD_HEADER_LEN};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RsaParameters, UnparsedPublicKey,
};
use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, SignatureAlgorithm, SignatureVerifier,
    aws_lc_rs::default_provider,
};
use dimpl::{CryptoError, CryptoOperation};
use std::sync::LazyLock;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Bytes of a handshake header (RFC 6347 section 4.2.2).
const HANDSHAKE_HEADER: usize = 12;
/// The handshake type of CertificateRequest.
const CERTIFICATE_REQUEST: u8 = 13;
/// ClientCertificateType (RFC 5246 section 7.4.4, RFC 8422 section 5.5).
const RSA_SIGN: u8 = 1;
const ECDSA_SIGN: u8 = 64;
/// SHA-256 and SHA-384 with RSA (RFC 5246 section 7.4.1.4.1).
const RSA_ALGORITHMS: [u8; 4] = [4, 1, 5, 1];

static ENGINE: LazyLock<CryptoProvider> = LazyLock::new(default_provider);

/// The engine's cryptography with what a server needs for RSA clients.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { hash_provider: &Hashes, signature_verification: &Verifier, ..default_provider() }
}

/// The handshake messages with RSA in their CertificateRequest; `None` if there is none as the engine writes it, or
/// these are not whole handshake messages of DTLS 1.2.
fn amend(messages: &[u8]) -> Option<Vec<u8>> {
    let mut amended = Vec::with_capacity(messages.len() + RSA_ALGORITHMS.len() + 1);
    let mut found = false;
    let mut rest = messages;
    while !rest.is_empty() {
        let (header, behind) = rest.split_first_chunk::<HANDSHAKE_HEADER>()?;
        let (kind, length, number, offset) = (header[0], &header[1..4], &header[4..6], &header[6..9]);
        if offset != [0; 3] || length != &header[9..12] {
            return None;
        }
        let length = usize::from(length[0]) << 16 | usize::from(length[1]) << 8 | usize::from(length[2]);
        let (body, behind) = behind.split_at_checked(length)?;
        match request_with_rsa(body).filter(|_| kind == CERTIFICATE_REQUEST) {
            Some(request) => {
                found = true;
                let length = u8::try_from(request.len()).ok()?;
                amended.extend([kind, 0, 0, length, number[0], number[1], 0, 0, 0, 0, 0, length]);
                amended.extend(request);
            }
            None => {
                amended.extend(header);
                amended.extend(body);
            }
        }
        rest = behind;
    }
    found.then_some(amended)
}

/// The body of a CertificateRequest for ECDSA alone and for no authority by name, with RSA added.
fn request_with_rsa(body: &[u8]) -> Option<Vec<u8>> {
    let [1, ECDSA_SIGN, 0, length, rest @ ..] = body else { return None };
    let (algorithms, authorities) = rest.split_at_checked(usize::from(*length))?;
    if authorities != [0, 0] {
        return None;
    }
    let length = length.checked_add(RSA_ALGORITHMS.len() as u8)?;
    let head = [2, ECDSA_SIGN, RSA_SIGN, 0, length];
    Some([&head, algorithms, &RSA_ALGORITHMS, authorities].concat())
}

/// A datagram of the server on its way out, with RSA in its CertificateRequest.
pub(super) fn amend_datagram(datagram: &[u8]) -> Vec<u8> {
    let mut amended = Vec::with_capacity(datagram.len() + RSA_ALGORITHMS.len() + 1);
    let mut rest = datagram;
    while let Some((header, behind)) = rest.split_first_chunk::<RECORD_HEADER_LEN>() {
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let Some((record, behind)) = behind.split_at_checked(length) else { break };
        // Epoch 0 is in the clear.
        let is_plain_handshake = header[0] == HANDSHAKE && header[3..5] == [0, 0];
        let record = amend(record).filter(|_| is_plain_handshake).unwrap_or_else(|| record.to_vec());
        amended.extend(&header[..11]);
        amended.extend((record.len() as u16).to_be_bytes());
        amended.extend(record);
        rest = behind;
    }
    // Records of DTLS 1.3 have other headers; there is nothing to amend in them.
    amended.extend(rest);
    amended
}

/// Hashes the transcript as the peer has it.
#[derive(Debug)]
struct Hashes;

#[derive(Debug)]
struct Hash(Box<dyn HashContext>);

impl HashProvider for Hashes {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        Box::new(Hash(ENGINE.hash_provider.create_hash(algorithm)))
    }
}

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        match amend(data) {
            Some(amended) => self.0.update(&amended),
            None => self.0.update(data),
        }
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.0.clone_and_finalize(out);
    }
}

/// Verifies the peer's signature over the transcript as the peer has it.
#[derive(Debug)]
struct Verifier;

impl SignatureVerifier for Verifier {
    fn verify_signature(
        &self,
        certificate: &[u8],
        data: &[u8],
        signature: &[u8],
        hash: HashAlgorithm,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let amended = amend(data);
        let data = amended.as_deref().unwrap_or(data);
        if algorithm != SignatureAlgorithm::RSA {
            let engine = ENGINE.signature_verification;
            return engine.verify_signature(certificate, data, signature, hash, algorithm);
        }
        let parameters: &RsaParameters = match hash {
            HashAlgorithm::SHA256 => &RSA_PKCS1_2048_8192_SHA256,
            HashAlgorithm::SHA384 => &RSA_PKCS1_2048_8192_SHA384,
            _ => return Err(CryptoError::UnsupportedSignatureAlgorithm(algorithm)),
        };
        let certificate =
            Certificate::from_der(certificate).map_err(|_| CryptoError::CertificateParseFailed)?;
        let key = &certificate.tbs_certificate().subject_public_key_info().subject_public_key;
        let key = key.as_bytes().ok_or(CryptoError::InvalidSubjectPublicKey)?;
        let verified = UnparsedPublicKey::new(parameters, key).verify(data, signature);
        verified.map_err(|_| CryptoError::OperationFailed(CryptoOperation::VerifySignature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A CertificateRequest as the engine writes it, and with RSA.
    const BEFORE: [u8; 22] = [13, 0, 0, 10, 0, 3, 0, 0, 0, 0, 0, 10, 1, 64, 0, 4, 4, 3, 5, 3, 0, 0];
    const AFTER: [u8; 27] =
        [13, 0, 0, 15, 0, 3, 0, 0, 0, 0, 0, 15, 2, 64, 1, 0, 8, 4, 3, 5, 3, 4, 1, 5, 1, 0, 0];
    const DONE: [u8; 12] = [14, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0];

    fn record(epoch: u8, messages: &[u8]) -> Vec<u8> {
        let head = [22, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 7, 0, messages.len() as u8];
        [&head, messages].concat()
    }

    #[test]
    fn rsa_is_asked_for_beside_ecdsa_in_transcript_and_datagram() {
        let (before, after) = ([&BEFORE[..], &DONE].concat(), [&AFTER[..], &DONE].concat());
        assert_eq!(amend(&before).unwrap(), after);
        let sent = amend_datagram(&[record(0, &before), record(0, &DONE)].concat());
        assert_eq!(sent, [record(0, &after), record(0, &DONE)].concat());
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        assert_eq!(amend(&DONE), None);
        assert_eq!(amend(&AFTER), None);
        assert_eq!(amend(&BEFORE[..21]), None);
        assert_eq!(amend_datagram(&record(1, &BEFORE)), record(1, &BEFORE), "it is encrypted");
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(amend(&bytes), None);
            prop_assert_eq!(amend_datagram(&bytes), bytes);
        }
    }
}
