//! The certificate of HTTPS and of SIP over TLS: configured files, or a self-signed one made at the first start.

use crate::config::{CertificateFiles, Config, create_state_directory};
use crate::limits;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tokio::signal::unix::Signal;

/// How long a self-signed certificate is valid. Browsers accept up to 398 days from a server.
const VALIDITY: Duration = Duration::from_secs(397 * 24 * 3600);
/// It is replaced at a start when it is older.
const RENEW_AFTER: Duration = Duration::from_secs(300 * 24 * 3600);

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A self-signed certificate could not be made.
    #[error("a self-signed certificate could not be made: {0}")]
    Generate(#[from] rcgen::Error),
}

/// The certificate now in use. Connections keep the one that they began with.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: CertificateFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads the configured files, or makes a certificate.
    pub(crate) fn load(config: &Config) -> Result<Arc<Certificates>, CertificateError> {
        let files = match &config.http.certificate {
            Some(files) => files.clone(),
            None => self_signed(config)?,
        };
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Arc::new(Certificates { files, current }))
    }

    /// Reads the files again. On an error the certificate stays as it was.
    fn reload(&self) -> Result<(), CertificateError> {
        let certified = Arc::new(read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(())
    }

    /// Looks at the files now and then, and reads them again when they changed; and at once on SIGHUP.
    pub(crate) async fn watch(self: Arc<Self>, mut hangup: Signal) {
        let mut seen = self.modified();
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(limits::CERTIFICATE_POLL) => false,
                _ = hangup.recv() => true,
            };
            let now = self.modified();
            if now == seen && !asked {
                continue;
            }
            match self.reload() {
                Ok(()) => {
                    seen = now;
                    tracing::info!("the certificate was read again");
                }
                // Both files may not be there yet: it is tried again.
                Err(error) => {
                    tracing::warn!(%error, "the changed certificate is not usable; the old one stays")
                }
            }
        }
    }

    fn modified(&self) -> [Option<SystemTime>; 2] {
        let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        [time(&self.files.certificate), time(&self.files.key)]
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// What listeners show.
pub(crate) fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_no_client_auth().with_cert_resolver(certificates)))
}

/// What servers that we call are checked against. Unreadable roots are no error: then no such call can be made.
pub(crate) fn client_config(roots: &Path) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut store = RootCertStore::empty();
    match CertificateDer::pem_file_iter(roots) {
        Ok(certificates) => {
            store.add_parsable_certificates(certificates.flatten());
        }
        Err(_) => {
            tracing::warn!(file = %roots.display(), "no certificates of authorities: SIP servers cannot be called over TLS")
        }
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(store).with_no_client_auth()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read(files: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
    let wrong = |path: &Path, what: String| CertificateError::Content { path: path.to_owned(), what };
    let certificate = |what: &dyn ToString| wrong(&files.certificate, what.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| certificate(&error))?;
    if chain.is_empty() {
        return Err(certificate(&"no certificate in PEM"));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, error.to_string()))?;
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| wrong(&files.key, format!("does not fit the certificate: {error}")))
}

/// The files of the self-signed certificate, which is made if it is not there, is old, or has other names.
fn self_signed(config: &Config) -> Result<CertificateFiles, CertificateError> {
    let directory = &config.state_directory;
    let files =
        CertificateFiles { certificate: directory.join("certificate.pem"), key: directory.join("key.pem") };
    let names_file = directory.join("certificate.names");
    let names = names(config);
    let list = names.join("\n");
    let age = fs::metadata(&files.certificate).and_then(|metadata| metadata.modified()).ok();
    let age = age.and_then(|modified| modified.elapsed().ok());
    let same_names = fs::read_to_string(&names_file).is_ok_and(|known| known == list);
    if same_names && age.is_some_and(|age| age < RENEW_AFTER) && files.key.exists() {
        return Ok(files);
    }
    let (certificate, key) = generate(names)?;
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |error| CertificateError::File { path, error }
    };
    create_state_directory(directory).map_err(file_error(directory))?;
    write(&files.key, key.as_bytes(), 0o600).map_err(file_error(&files.key))?;
    write(&files.certificate, certificate.as_bytes(), 0o644).map_err(file_error(&files.certificate))?;
    write(&names_file, list.as_bytes(), 0o644).map_err(file_error(&names_file))?;
    Ok(files)
}

/// What a browser may call this host.
fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = vec!["localhost".to_owned()];
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let addresses = config.advertised.iter().chain(&config.listen).filter(|ip| !ip.is_unspecified());
    for name in std::iter::once(hostname).chain(addresses.map(ToString::to_string)) {
        let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
        if fits && !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The certificate and its key, in PEM.
fn generate(names: Vec<String>) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Tandem");
    params.distinguished_name = subject;
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // A day back, for clients whose clock is late.
    let begin = date_time_ymd(1970, 1, 1) + since_epoch.saturating_sub(Duration::from_secs(24 * 3600));
    params.not_before = begin;
    params.not_after = begin + VALIDITY;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Written whole beside it and renamed, so that nobody reads a half.
fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use std::os::unix::fs::PermissionsExt;

    fn config(name: &str) -> Config {
        let directory =
            std::env::temp_dir().join(format!("tandem-certificate-{name}-{}", std::process::id()));
        let overrides = Overrides { state_directory: Some(directory), relay: false };
        Config::parse("[[domain]]\nname = \"x\"", Path::new("t.toml"), &overrides).unwrap()
    }

    #[test]
    fn a_self_signed_certificate_is_made_once_and_its_key_is_closed_to_others() {
        let config = config("once");
        let files = self_signed(&config).unwrap();
        let first = fs::read(&files.certificate).unwrap();
        self_signed(&config).unwrap();
        assert_eq!(fs::read(&files.certificate).unwrap(), first);
        assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(&config.state_directory).unwrap();
    }

    #[test]
    fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
        let config = config("reload");
        let certificates = Certificates::load(&config).unwrap();
        let shown = || certificates.current.read().unwrap().cert[0].clone();
        let first = shown();
        let (certificate, key) = generate(vec!["other.example".to_owned()]).unwrap();
        fs::write(&certificates.files.certificate, certificate).unwrap();
        assert!(certificates.reload().is_err(), "the key belongs to the other certificate");
        assert_eq!(shown(), first);
        fs::write(&certificates.files.key, key).unwrap();
        certificates.reload().unwrap();
        assert_ne!(shown(), first);
        fs::remove_dir_all(&config.state_directory).unwrap();
    }
}
