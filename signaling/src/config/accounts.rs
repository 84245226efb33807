//! Credentials: what passwords hash to, and the accounts of the embedded domain.

use super::ConfigError;
use aws_lc_rs::{digest, rand};
use md5::{Digest, Md5};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use tandem_sip::settings::Ha1;
use zeroize::Zeroizing;

/// The embedded local domain, used when the configuration names none.
pub const DEFAULT_DOMAIN: &str = "tandem.local";
/// Its users.
const DEFAULT_USERS: [&str; 3] = ["alice", "bob", "carol"];
/// The file in the state directory that keeps their passwords.
const PASSWORDS_FILE: &str = "passwords";
/// Letters of a generated password: none that is mistaken for another.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Its length: 60 bits.
const PASSWORD_LENGTH: usize = 12;

/// A user of the embedded domain, whose password is generated at the first start.
pub struct DefaultAccount {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// The users of the embedded domain, from `STATE_DIRECTORY/passwords` (mode 0600), which is written if it is not there.
///
/// # Errors
/// [`ConfigError::Unreadable`] if the file can be neither read nor written.
pub fn default_accounts(state_directory: &Path) -> Result<Vec<DefaultAccount>, ConfigError> {
    let path = state_directory.join(PASSWORDS_FILE);
    let unreadable = |error| ConfigError::Unreadable { path: path.clone(), error };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(parse_accounts(&Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let accounts = generate_accounts().map_err(unreadable)?;
            create_state_directory(state_directory).map_err(unreadable)?;
            write_accounts(&path, &accounts).map_err(unreadable)?;
            Ok(accounts)
        }
        Err(error) => Err(unreadable(error)),
    }
}

/// Makes the state directory, closed to others, where it is not there.
pub(crate) fn create_state_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn parse_accounts(text: &str) -> Vec<DefaultAccount> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, password)| DefaultAccount {
            name: name.to_owned(),
            password: Zeroizing::new(password.to_owned()),
        })
        .collect()
}

fn generate_accounts() -> io::Result<Vec<DefaultAccount>> {
    DEFAULT_USERS
        .iter()
        .map(|name| Ok(DefaultAccount { name: (*name).to_owned(), password: generate_password()? }))
        .collect()
}

fn generate_password() -> io::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0; PASSWORD_LENGTH]);
    rand::fill(random.as_mut_slice()).map_err(|_| io::Error::other("no random numbers"))?;
    let letter = |byte: &u8| PASSWORD_LETTERS.get(usize::from(byte % 32)).map(|letter| char::from(*letter));
    Ok(Zeroizing::new(random.iter().filter_map(letter).collect()))
}

fn write_accounts(path: &Path, accounts: &[DefaultAccount]) -> io::Result<()> {
    // Written whole beside it and renamed: the launcher and the process may both be starting.
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    for account in accounts {
        writeln!(file, "{} {}", account.name, account.password.as_str())?;
    }
    file.sync_all()?;
    fs::rename(temporary, path)
}

/// H(user:realm:password) of RFC 7616 section 3.4.2, by MD5 and by SHA-256.
pub(super) fn hash_password(user: &str, realm: &str, password: &str) -> Ha1 {
    let text = Zeroizing::new(format!("{user}:{realm}:{password}"));
    Ha1 {
        md5: Some(hexadecimal(&Md5::digest(text.as_bytes()))),
        sha256: Some(hexadecimal(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())),
    }
}

fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Zeroizing::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn ha1_of_rfc_7616_section_3_9_1() {
        let ha1 = hash_password("Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(ha1.md5.unwrap().as_str(), "3d78807defe7de2157e2b0b6573a855f");
        assert_eq!(
            ha1.sha256.unwrap().as_str(),
            "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
        );
    }

    #[test]
    fn passwords_are_generated_once_and_closed_to_others() {
        let directory = std::env::temp_dir().join(format!("tandem-accounts-{}", std::process::id()));
        let first = default_accounts(&directory).unwrap();
        let second = default_accounts(&directory).unwrap();
        let names: Vec<&str> = first.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, DEFAULT_USERS);
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(first.password, second.password);
            assert_eq!(first.password.len(), PASSWORD_LENGTH);
        }
        let mode = fs::metadata(directory.join(PASSWORDS_FILE)).unwrap().permissions().mode();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(mode & 0o777, 0o600);
    }
}
