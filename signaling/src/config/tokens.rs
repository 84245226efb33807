//! Reads `[[token]]` and `[token_hook]`: click to call.

use super::domains::{host_name, user_name};
use super::read_text;
use super::reader::Section;
use super::url::{HttpUrl, answer_timeout};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tandem_sip::settings::{
    Domain, Grant, MAX_CALLS_PER_HOUR, MAX_ORIGINS, Origin, Origins, TokenAccount, Tokens,
};
use tandem_sip::wcs::Account;
use zeroize::Zeroizing;

/// The longest token, in characters.
const MAX_TOKEN: usize = 128;
/// No deadline is farther away.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The operator's server that knows tokens.
#[derive(Clone, Debug)]
pub struct TokenHook {
    /// Where it is asked.
    pub url: HttpUrl,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The pages of answers that name none.
    pub origins: Origins,
}

/// Reads all tokens. Relative password files are beside the configuration file.
pub(super) fn read(root: &Section<'_>, file: &Path, domains: &[Domain]) -> (Tokens, Option<TokenHook>) {
    let mut names = HashSet::new();
    let mut grants = Vec::new();
    for section in root.sections("token") {
        let grant = read_token(&section, file, domains);
        if let Some(grant) = grant {
            if !names.insert(grant.token.clone()) {
                section.problem(section.offset(), "a second [[token]] of the same `token`");
            }
            grants.push(Arc::new(grant));
        }
        section.finish();
    }
    let hook = read_hook(root);
    (Tokens { grants, asks: hook.is_some() }, hook)
}

fn read_hook(root: &Section<'_>) -> Option<TokenHook> {
    let section = root.section("token_hook");
    let hosts = section.list("http_hosts", "a host name or address", host_name).unwrap_or_default();
    let timeout = answer_timeout(&section, "[token_hook]");
    let origins = read_origins(&section).unwrap_or(Origins::Of(Vec::new()));
    let url = section.parsed("url", "an https URL", HttpUrl::parse);
    if !section.has("url") && (section.has("origins") || section.has("http_hosts")) {
        section.problem(section.offset(), "[token_hook] must have a `url`");
    }
    section.finish();
    let url = url?;
    let host = &url.value.host;
    if !url.value.is_secure && !hosts.iter().any(|each| each.value == *host) {
        root.problem(url.offset, format!("`url` must begin with https://, or `http_hosts` must have {host}"));
    }
    Some(TokenHook { url: url.value, timeout, origins })
}

fn read_token(section: &Section<'_>, file: &Path, domains: &[Domain]) -> Option<Grant> {
    let token = section.parsed("token", "up to 128 letters, digits, - and _", token_text);
    let callee = section.parsed("callee", "a number, a name or an address", callee_text);
    let account = read_account(section, file, domains);
    let origins = read_origins(section);
    let expires = section.moment("expires").map(|expires| instant_of(expires.value));
    let calls = section.integer("calls", 1..=1_000_000);
    let most = u64::try_from(MAX_CALLS_PER_HOUR).unwrap_or(u64::MAX);
    let calls_per_hour = section.integer("calls_per_hour", 1..=most);
    let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let video = section.boolean("video").unwrap_or(false);
    let label = section.string("label").map(|label| label.value);
    for key in ["token", "callee", "account", "origins"] {
        if !section.has(key) {
            section.problem(section.offset(), format!("a [[token]] must have `{key}`"));
        }
    }
    Some(Grant {
        token: token?.value,
        callee: callee?.value,
        account: account?,
        origins: origins?,
        expires,
        calls: calls.map_or(Grant::USUAL_CALLS, |calls| count(calls.value)),
        calls_per_hour: calls_per_hour.map_or(Grant::USUAL_CALLS_PER_HOUR, |calls| count(calls.value)),
        video,
        label,
    })
}

/// What stands in a page's source without being escaped.
fn token_text(text: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!text.is_empty() && text.len() <= MAX_TOKEN && text.chars().all(letter)).then(|| text.to_owned())
}

fn callee_text(text: &str) -> Option<String> {
    let host = "localhost".parse().ok()?;
    tandem_sip::wcs::callee_uri(text, host, None).ok().map(|_| text.to_owned())
}

/// With a password it is a provider's user; without one it must be a user of a local domain.
fn read_account(section: &Section<'_>, file: &Path, domains: &[Domain]) -> Option<TokenAccount> {
    let account = section.parsed("account", "USER or USER@DOMAIN", |text| match text.split_once('@') {
        Some((user, domain)) => Some((user_name(user)?, Some(host_name(domain)?))),
        None => Some((user_name(text)?, None)),
    });
    let password = read_password(section, file);
    let auth_name = section.string("auth_name");
    let proxy = section.string("proxy");
    let port = section.port("port").flatten();
    let account = account?;
    let (user, domain) = account.value;
    if !section.has("password") && !section.has("password_file") {
        if auth_name.is_some() || proxy.is_some() || port.is_some() {
            section
                .problem(account.offset, "an account at a provider must have `password` or `password_file`");
        }
        let domain = domain.or_else(|| domains.first().map(|first| first.name.clone()))?;
        let is_known = |each: &Domain| {
            each.name.eq_ignore_ascii_case(&domain) && each.users.iter().any(|known| known.name == user)
        };
        if !domains.iter().any(is_known) {
            let text =
                "`account` is no user of a [[domain]]; an account at a provider must have a `password`";
            section.problem(account.offset, text);
            return None;
        }
        return Some(TokenAccount::Local { user, domain });
    }
    let Some(domain) = domain else {
        section.problem(account.offset, "an `account` at a provider must be USER@DOMAIN");
        return None;
    };
    Some(TokenAccount::Provider(Box::new(Account {
        authentication_name: auth_name.map_or_else(|| user.clone(), |name| name.value),
        login: user,
        password: password?,
        domain,
        outbound_proxy: proxy.map(|proxy| proxy.value),
        port: port.map(|port| port.value),
        register: false,
    })))
}

/// `password`, or what is in `password_file`.
fn read_password(section: &Section<'_>, file: &Path) -> Option<Zeroizing<String>> {
    let password = section.string("password").map(|text| Zeroizing::new(text.value));
    let Some(name) = section.string("password_file") else { return password };
    if password.is_some() {
        section.problem(name.offset, "`password` and `password_file` exclude each other");
        return None;
    }
    let path = file.parent().unwrap_or(Path::new("")).join(&name.value);
    match read_text(&path) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        Err(error) => {
            section.problem(name.offset, format!("`password_file`: {error}"));
            None
        }
    }
}

/// `"*"`, or the origins of pages.
fn read_origins(section: &Section<'_>) -> Option<Origins> {
    let wanted = r#"an origin like "https://www.example.org", or "*" for any page"#;
    let parse = |text: &str| match text {
        "*" => Some(None),
        text => Origin::of(text).map(Some),
    };
    let list = section.list("origins", wanted, parse)?;
    if list.len() > MAX_ORIGINS {
        section.problem(section.offset(), format!("`origins` may have at most {MAX_ORIGINS} of them"));
    }
    if list.iter().any(|origin| origin.value.is_none()) {
        return Some(Origins::Any);
    }
    Some(Origins::Of(list.into_iter().filter_map(|origin| origin.value).collect()))
}

/// A moment of the calendar by the clock that deadlines go by. One that has passed is now.
fn instant_of(moment: SystemTime) -> Instant {
    let left = moment.duration_since(SystemTime::now()).unwrap_or_default();
    let now = Instant::now();
    // What is too far away for the clock is as good as never.
    now.checked_add(left.min(CENTURY)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Overrides};
    use super::*;

    const DOMAIN: &str =
        "[[domain]]\nname = \"example.org\"\n[[domain.user]]\nname = \"web\"\npassword = \"x\"\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(&format!("{DOMAIN}{text}"), Path::new("t.toml"), &Overrides::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_of_a_local_user_and_one_of_a_provider() {
        let text = r#"
            [[token]]
            token = "shop"
            callee = "100"
            account = "web"
            origins = "https://shop.example"
            [[token]]
            token = "desk"
            callee = "sip:desk@voip.example"
            account = "4711@voip.example"
            password = "hunter2"
            auth_name = "auth"
            proxy = "sbc.voip.example"
            origins = ["*"]
            expires = 2099-01-01T00:00:00+01:00
            calls = 2
            calls_per_hour = 7
            video = true
            label = "Visitor"
        "#;
        let tokens = parse(text).unwrap().settings.tokens;
        let [shop, desk] = tokens.grants.as_slice() else { panic!("two tokens") };
        assert!(
            matches!(&shop.account, TokenAccount::Local { user, domain } if user == "web" && domain == "example.org")
        );
        assert_eq!(
            (shop.calls, shop.calls_per_hour, shop.video),
            (Grant::USUAL_CALLS, Grant::USUAL_CALLS_PER_HOUR, false)
        );
        assert!(shop.origins.allow("https://shop.example/x") && !shop.origins.allow("http://shop.example"));
        let TokenAccount::Provider(account) = &desk.account else { panic!("a provider's account") };
        assert_eq!((account.login.as_str(), account.authentication_name.as_str()), ("4711", "auth"));
        assert!(!account.register && desk.expires.is_some_and(|expires| expires > Instant::now()));
        assert!(!format!("{tokens:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let cases = [
            ("[[token]]\ntoken = \"a b\"\n", "t.toml:7: `token` in [token] must be up to 128 letters"),
            ("[[token]]\n", "t.toml:6: a [[token]] must have `origins`"),
            ("[[token]]\naccount = \"nobody\"\n", "t.toml:7: `account` is no user of a [[domain]]"),
            (
                "[[token]]\naccount = \"a\"\npassword = \"x\"\n",
                "t.toml:7: an `account` at a provider must be USER@DOMAIN",
            ),
            ("[[token]]\norigins = [\"shop.example\"]\n", "must be an origin like"),
            ("[[token]]\nexpires = \"tomorrow\"\n", "must be a date like"),
            ("[[token]]\ncallee = \"\"\n", "`callee` in [token] must be a number, a name or an address"),
        ];
        for (text, problem) in cases {
            let said = parse(text).unwrap_err();
            assert!(said.contains(problem), "{said}");
        }
    }

    #[test]
    fn a_hook_is_asked_over_tls_unless_its_host_is_excepted() {
        let hook =
            |text: &str| parse(&format!("[token_hook]\n{text}")).map(|config| config.token_hook.unwrap());
        let secure =
            hook("url = \"https://www.example.org/token?a=1\"\norigins = \"https://shop.example\"").unwrap();
        assert!(secure.url.is_secure && secure.url.port == 443 && secure.url.path == "/token?a=1");
        let plain = "url = \"http://[::1]:8081/token\"\n";
        assert!(
            hook(plain)
                .unwrap_err()
                .contains("`url` must begin with https://, or `http_hosts` must have ::1")
        );
        let plain = hook(&format!("{plain}http_hosts = [\"::1\"]\ntimeout = 2\n")).unwrap();
        let url = &plain.url;
        assert_eq!((url.host.as_str(), url.port, url.authority.as_str()), ("::1", 8081, "[::1]:8081"));
        assert_eq!(plain.timeout, Duration::from_secs(2));
        for wrong in ["url = \"ftp://a/\"", "url = \"https://a/b c\"", "timeout = 31", "http_hosts = [\"a\"]"]
        {
            assert!(hook(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_that_has_expired_is_read_as_expired() {
        let text = "[[token]]\ntoken = \"t\"\ncallee = \"1\"\naccount = \"web\"\norigins = \"*\"\nexpires = 2001-01-01\n";
        let tokens = parse(text).unwrap().settings.tokens;
        assert!(tokens.grants[0].expires.unwrap() <= Instant::now());
    }
}
