//! Reads `[[domain]]` and its users.

use super::reader::Section;
use super::{ConfigError, accounts, lines, read_text};
use std::collections::HashSet;
use std::path::Path;
use tandem_sip::registrar::AddressOfRecord;
use tandem_sip::settings::{Domain, Ha1, Line, OfferSecurity, User};
use zeroize::Zeroizing;

/// Reads all domains, and the accounts at providers that their users have. Relative password files are beside the
/// configuration file.
pub(super) fn read(root: &Section<'_>, file: &Path) -> (Vec<Domain>, Vec<Line>) {
    let mut lines = Vec::new();
    let mut names = HashSet::new();
    let mut domains = Vec::new();
    for section in root.sections("domain") {
        let name = section.parsed("name", "a domain name", host_name);
        let Some(name) = name else {
            if !section.has("name") {
                section.problem(section.offset(), "a [[domain]] must have a `name`");
            }
            // Read all the same, so that its other problems are reported in the same run.
            read_users(&section, "", file, &mut lines);
            section.finish();
            continue;
        };
        if !names.insert(name.value.clone()) {
            section.problem(name.offset, "a second [[domain]] of the same `name`");
        }
        let users = read_users(&section, &name.value, file, &mut lines);
        domains.push(Domain { name: name.value, users });
        section.finish();
    }
    (domains, lines)
}

/// A host name or address, in lower case.
pub(super) fn host_name(text: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']');
    (!text.is_empty() && text.len() <= 255 && text.chars().all(letter)).then(|| text.to_ascii_lowercase())
}

/// A user name that needs no escaping in a SIP URI, a digest or JSON.
pub(super) fn user_name(text: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '+' | '~' | '*' | '!');
    (!text.is_empty() && text.len() <= 128 && text.chars().all(letter)).then(|| text.to_owned())
}

fn read_users(domain: &Section<'_>, realm: &str, file: &Path, accounts: &mut Vec<Line>) -> Vec<User> {
    let mut names = HashSet::new();
    let mut users = Vec::new();
    for section in domain.sections("user") {
        let name = section.parsed("name", "made of letters, digits and - . _ + ~ * !", user_name);
        let display_name = section.string("display_name").map(|text| text.value);
        let offer_security = offer_security(&section, "srtp");
        let ha1 = read_credentials(&section, name.as_ref().map_or("", |name| &name.value), realm, file);
        let user = name.as_ref().map_or(String::new(), |name| name.value.clone());
        lines::read(&section, &AddressOfRecord { user, domain: realm.to_owned() }, file, accounts);
        match name {
            Some(name) => {
                if !names.insert(name.value.clone()) {
                    section.problem(name.offset, "a second user of the same `name` in this domain");
                }
                users.extend(ha1.map(|ha1| User { name: name.value, display_name, ha1, offer_security }));
            }
            None if !section.has("name") => {
                section.problem(section.offset(), "a [[domain.user]] must have a `name`");
            }
            None => {}
        }
        section.finish();
    }
    users
}

/// `none`, `sdes` or `dtls`.
pub(super) fn offer_security(section: &Section<'_>, key: &'static str) -> OfferSecurity {
    let parse = |text: &str| match text {
        "none" => Some(OfferSecurity::None),
        "sdes" => Some(OfferSecurity::Sdes),
        "dtls" => Some(OfferSecurity::Dtls),
        _ => None,
    };
    section
        .parsed(key, r#"one of "none", "sdes" and "dtls""#, parse)
        .map(|security| security.value)
        .unwrap_or_default()
}

/// Exactly one of `password`, `password_file`, or `ha1` and `ha1_sha256`.
fn read_credentials(section: &Section<'_>, user: &str, realm: &str, file: &Path) -> Option<Ha1> {
    let password = section.string("password").map(|text| Zeroizing::new(text.value));
    let password_file = section.string("password_file");
    let md5 = section.parsed("ha1", "32 hexadecimal digits", |text| digest(text, 32));
    let sha256 = section.parsed("ha1_sha256", "64 hexadecimal digits", |text| digest(text, 64));
    let hashed = section.has("ha1") || section.has("ha1_sha256");
    let ways = [section.has("password"), section.has("password_file"), hashed];
    if ways.iter().filter(|way| **way).count() != 1 {
        let text = "a user must have exactly one of `password`, `password_file`, or `ha1` and `ha1_sha256`";
        section.problem(section.offset(), text);
        return None;
    }
    if hashed {
        return Some(Ha1 { md5: md5.map(|hash| hash.value), sha256: sha256.map(|hash| hash.value) });
    }
    if let Some(name) = password_file {
        let path = file.parent().unwrap_or(Path::new("")).join(&name.value);
        return match read_text(&path) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                Some(accounts::hash_password(user, realm, text.trim_end_matches(['\r', '\n'])))
            }
            Err(ConfigError::Unreadable { path, error }) => {
                section.problem(name.offset, format!("`password_file` {}: {error}", path.display()));
                None
            }
            Err(ConfigError::Wrong(_)) => None,
        };
    }
    password.map(|password| accounts::hash_password(user, realm, &password))
}

fn digest(text: &str, length: usize) -> Option<Zeroizing<String>> {
    let hexadecimal = text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| Zeroizing::new(text.to_ascii_lowercase()))
}
