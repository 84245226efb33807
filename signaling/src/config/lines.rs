//! Reads `[[domain.user.account]]`: the accounts at providers that a user has.

use super::providers::keep_alive;
use super::reader::Section;
use super::{ConfigError, domains, read_text};
use std::path::Path;
use tandem_sip::registrar::AddressOfRecord;
use tandem_sip::settings::Line;
use tandem_sip::sip::user_agent::{Credentials, Secret};
use tandem_sip::sip::{SipUri, Uri};
use zeroize::Zeroizing;

/// The accounts of all users, at most: each may have a registration and a port.
const MAX_LINES: usize = 10_000;
/// The longest prefix of numbers.
const MAX_PREFIX: usize = 32;

/// Reads the accounts of one user. Relative password files are beside the configuration file.
pub(super) fn read(user: &Section<'_>, owner: &AddressOfRecord, file: &Path, lines: &mut Vec<Line>) {
    for section in user.sections("account") {
        if let Some(line) = read_line(&section, owner, file) {
            match lines.len() < MAX_LINES {
                true => lines.push(line),
                false => section.problem(section.offset(), format!("more than {MAX_LINES} accounts")),
            }
        }
        section.finish();
    }
}

fn read_line(section: &Section<'_>, owner: &AddressOfRecord, file: &Path) -> Option<Line> {
    let domain = section.parsed("domain", "the domain name of a provider", domains::host_name);
    if domain.is_none() && !section.has("domain") {
        section.problem(section.offset(), "a [[domain.user.account]] must have the `domain` of its provider");
    }
    let wanted = "made of letters, digits and - . _ + ~ * !";
    let name =
        section.parsed("name", wanted, domains::user_name).map_or(owner.user.clone(), |name| name.value);
    let authentication_name = section.string("authentication_name").map(|text| text.value);
    let secret = password(section, file);
    let realm = section.string("realm").map(|text| text.value);
    let route = section.parsed("proxy", "a host, a host with a port, or a SIP URI", proxy);
    let prefix = section.parsed("prefix", "digits, *, # and +, 32 at most", |text| {
        let is_dialled = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+'));
        (is_dialled && text.len() <= MAX_PREFIX).then(|| text.to_owned())
    });
    let register = section.boolean("register").unwrap_or(true);
    let keep_alive = keep_alive(section);
    let host = domain.and_then(|domain| match domain.value.parse() {
        Ok(host) => Some(host),
        Err(_) => {
            section.problem(domain.offset, "`domain` must be a host name or an address");
            None
        }
    });
    Some(Line {
        owner: owner.clone(),
        uri: SipUri::new(Some(&name), host?, None),
        route: route.map(|route| route.value),
        credentials: Credentials {
            username: authentication_name.unwrap_or(name),
            secret: Secret::Password(secret?),
            realm,
        },
        register,
        prefix: prefix.map(|prefix| prefix.value).unwrap_or_default(),
        keep_alive,
    })
}

/// Exactly one of `password` and `password_file`: a provider's challenge can be for any realm, so no hash will do.
fn password(section: &Section<'_>, file: &Path) -> Option<Zeroizing<String>> {
    let password = section.string("password").map(|text| Zeroizing::new(text.value));
    let password_file = section.string("password_file");
    if section.has("password") == section.has("password_file") {
        let text = "an account must have exactly one of `password` and `password_file`";
        section.problem(section.offset(), text);
        return None;
    }
    let Some(name) = password_file else { return password };
    let path = file.parent().unwrap_or(Path::new("")).join(&name.value);
    match read_text(&path) {
        Ok(text) => Some(Zeroizing::new(Zeroizing::new(text).trim_end_matches(['\r', '\n']).to_owned())),
        Err(ConfigError::Unreadable { path, error }) => {
            section.problem(name.offset, format!("`password_file` {}: {error}", path.display()));
            None
        }
        Err(ConfigError::Wrong(_)) => None,
    }
}

/// An outbound proxy, which routes loosely (RFC 3261 section 8.1.2).
fn proxy(text: &str) -> Option<Uri> {
    let has_scheme = text.starts_with("sip:") || text.starts_with("sips:");
    let text = if has_scheme { text.to_owned() } else { format!("sip:{text}") };
    let Ok(Uri::Sip(mut uri)) = text.parse::<Uri>() else { return None };
    uri.params.set("lr", None);
    Some(Uri::Sip(uri))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError, Overrides};
    use std::path::Path;
    use tandem_sip::settings::Line;

    fn parse(account: &str) -> Result<Vec<Line>, ConfigError> {
        let text = format!(
            "[[domain]]\nname = \"Example.org\"\n[[domain.user]]\nname = \"alice\"\npassword = \"x\"\n\
             [[domain.user.account]]\n{account}\n[[domain.user.account]]\ndomain = \"b.example\"\npassword = \"y\"\n"
        );
        let config = Config::parse(&text, Path::new("t.toml"), &Overrides::default())?;
        Ok(config.settings.lines)
    }

    fn problem(account: &str) -> String {
        parse(account).expect_err("it is wrong").to_string()
    }

    #[test]
    fn a_user_may_have_several_accounts() {
        let lines = parse(
            "domain = \"voip.example\"\nname = \"4930\"\nauthentication_name = \"u4930\"\npassword = \"hush\"\n\
             realm = \"r\"\nproxy = \"proxy.example:5080\"\nprefix = \"0\"\nregister = false",
        )
        .unwrap();
        let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(first.owner.to_string(), "alice@example.org");
        assert_eq!(first.uri.to_string(), "sip:4930@voip.example");
        assert_eq!(first.route.as_ref().unwrap().to_string(), "sip:proxy.example:5080;lr");
        assert_eq!((first.credentials.username.as_str(), first.prefix.as_str()), ("u4930", "0"));
        assert_eq!((first.credentials.realm.as_deref(), first.register), (Some("r"), false));
        assert_eq!(second.uri.to_string(), "sip:alice@b.example");
        assert_eq!((second.credentials.username.as_str(), second.register), ("alice", true));
        assert!(!format!("{lines:?}").contains("hush"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(
            problem("password = \"x\"")
                .contains("t.toml:6: a [[domain.user.account]] must have the `domain`")
        );
        assert!(problem("domain = \"v.example\"").contains("exactly one of `password` and `password_file`"));
        let wrong = problem("domain = \"v.example\"\npassword = \"hush\"\nproxy = \"a b\"\nprefix = \"x\"");
        assert!(wrong.contains("t.toml:9: `proxy` in [domain.user.account] must be a host"), "{wrong}");
        assert!(wrong.contains("t.toml:10: `prefix`") && !wrong.contains("hush"), "{wrong}");
        let unknown = problem("domain = \"v.example\"\npassword = \"x\"\nprefx = \"0\"");
        assert!(unknown.contains("did you mean `prefix`?"), "{unknown}");
    }
}
