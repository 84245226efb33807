//! Reads `[data_hook]`: the operator's application that WCS clients talk to.

use super::reader::Section;
use super::url::{HttpUrl, answer_timeout};
use std::time::Duration;

/// The application.
#[derive(Clone, Debug)]
pub struct DataHook {
    /// Where it is posted to.
    pub url: HttpUrl,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Reads it; `None` where there is none.
pub(super) fn read(root: &Section<'_>) -> Option<DataHook> {
    let section = root.section("data_hook");
    let timeout = answer_timeout(&section, "[data_hook]");
    let without_tls = section.boolean("without_tls").unwrap_or(false);
    let url = section.parsed("url", "an https URL", HttpUrl::parse);
    if !section.has("url") && (section.has("timeout") || section.has("without_tls")) {
        section.problem(section.offset(), "[data_hook] must have a `url`");
    }
    section.finish();
    let url = url?;
    if !url.value.is_secure && !without_tls {
        root.problem(url.offset, "`url` must begin with https://, or `without_tls` must be true");
    }
    Some(DataHook { url: url.value, timeout })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Overrides};
    use super::*;
    use std::path::Path;

    fn hook(text: &str) -> Result<Option<DataHook>, String> {
        let text = format!("[[domain]]\nname = \"a\"\n[data_hook]\n{text}");
        let config = Config::parse(&text, Path::new("t"), &Overrides::default());
        config.map(|config| config.data_hook).map_err(|error| error.to_string())
    }

    #[test]
    fn an_application_is_posted_to_over_tls_unless_that_is_excepted() {
        let read = hook("url = \"https://www.example.org/data\"\ntimeout = 3").unwrap().unwrap();
        assert_eq!((read.url.path.as_str(), read.timeout), ("/data", Duration::from_secs(3)));
        assert!(hook("").unwrap().is_none());
        assert!(hook("url = \"http://127.0.0.1/data\"\nwithout_tls = true").unwrap().is_some());
        for (text, words) in [
            ("url = \"http://127.0.0.1/data\"", "t:4: `url` must begin with https://"),
            ("timeout = 3", "t:3: [data_hook] must have a `url`"),
            ("url = \"https://a/\"\ntimeout = 31", "`timeout` in [data_hook] may be 30 at most"),
            ("url = \"data\"", "t:4:"),
            ("url = \"https://a/\"\nmethod = 1", "method"),
        ] {
            let error = hook(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
