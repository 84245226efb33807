//! Reads `[[xcap]]`: where the users of a domain have their documents.

use super::domains::host_name;
use super::reader::Section;
use super::url::{HttpUrl, answer_timeout};
use std::collections::HashSet;
use std::time::Duration;
use tandem_sip::settings::XcapRoot;

/// An XCAP server.
#[derive(Clone, Debug)]
pub struct XcapServer {
    /// Its domain, and the root as clients name it.
    pub root: XcapRoot,
    /// The root, as it is asked.
    pub url: HttpUrl,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Reads all servers, one for each domain.
pub(super) fn read(root: &Section<'_>) -> Vec<XcapServer> {
    let mut domains = HashSet::new();
    let mut servers = Vec::new();
    for section in root.sections("xcap") {
        if let Some(server) = read_server(&section) {
            if !domains.insert(server.root.domain.clone()) {
                section.problem(section.offset(), "a second [[xcap]] of the same `domain`");
            }
            servers.push(server);
        }
        section.finish();
    }
    servers
}

fn read_server(section: &Section<'_>) -> Option<XcapServer> {
    let domain = section.parsed("domain", "a domain name", host_name);
    let url = section.parsed("root", "an https URL without a query", root_url);
    let without_tls = section.boolean("without_tls").unwrap_or(false);
    let timeout = answer_timeout(section, "[[xcap]]");
    for key in ["domain", "root"] {
        if !section.has(key) {
            section.problem(section.offset(), format!("an [[xcap]] must have `{key}`"));
        }
    }
    let (domain, url) = (domain?.value.to_ascii_lowercase(), url?);
    if !url.value.is_secure && !without_tls {
        let text = "`root` must begin with https://, or `without_tls` must be true";
        section.problem(url.offset, text);
    }
    let url = url.value;
    let scheme = if url.is_secure { "https" } else { "http" };
    let root = format!("{scheme}://{}{}", url.authority, url.path);
    Some(XcapServer { root: XcapRoot { domain, root }, url, timeout })
}

/// What follows the root begins with a slash, so that the root's path ends without one.
fn root_url(text: &str) -> Option<HttpUrl> {
    let url = HttpUrl::parse(text).filter(|url| !url.path.contains('?'))?;
    Some(HttpUrl { path: url.path.trim_end_matches('/').to_owned(), ..url })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Overrides};
    use super::*;
    use std::path::Path;

    fn servers(text: &str) -> Result<Vec<XcapServer>, String> {
        let config = Config::parse(
            &format!("[[domain]]\nname = \"a\"\n{text}"),
            Path::new("t"),
            &Overrides::default(),
        );
        config.map(|config| config.xcap).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_is_asked_over_tls_unless_that_is_excepted() {
        let secure = "[[xcap]]\ndomain = \"Example.org\"\nroot = \"https://x.example.org:8443/xcap-root/\"\n";
        let server = servers(secure).unwrap().remove(0);
        assert_eq!(server.root.domain, "example.org");
        assert_eq!(server.root.root, "https://x.example.org:8443/xcap-root");
        assert_eq!((server.url.port, server.url.path.as_str()), (8443, "/xcap-root"));
        let plain = "[[xcap]]\ndomain = \"example.org\"\nroot = \"http://10.0.0.1\"\n";
        assert!(servers(plain).unwrap_err().contains("must begin with https://"));
        let plain = servers(&format!("{plain}without_tls = true\ntimeout = 2\n")).unwrap().remove(0);
        assert_eq!((plain.root.root.as_str(), plain.timeout), ("http://10.0.0.1", Duration::from_secs(2)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let server = "[[xcap]]\ndomain = \"a.example\"\nroot = \"https://a.example\"\n";
        for (text, problem) in [
            ("[[xcap]]\n".to_owned(), "an [[xcap]] must have `domain`"),
            (format!("{server}{server}"), "a second [[xcap]] of the same `domain`"),
            (format!("{server}timeout = 31\n"), "may be 30 at most"),
            (server.replace("example\"\n", "example/?a=b\"\n"), "`root` in [xcap] must be an https URL"),
        ] {
            let said = servers(&text).unwrap_err();
            assert!(said.contains(problem), "{said}");
        }
    }
}
