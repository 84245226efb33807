//! What the operator's server says of a token: a JSON object whose fields have the names of WCS 3's `connect`.

use super::{Grant, MAX_CALLS_PER_HOUR, MAX_ORIGINS, Origin, Origins, TokenAccount};
use crate::wcs::{Account, MAX_NAME};
use serde::{Deserialize, Deserializer};
use std::time::{Duration, Instant};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of an answer.
pub const MAX_ANSWER: usize = 16_384;

/// Why an answer allows nothing. It says nothing of what stands in it, which may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct AnswerError(&'static str);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    callee: String,
    login: String,
    #[serde(default, deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[serde(default)]
    authentication_name: String,
    #[serde(default)]
    domain: String,
    #[serde(default)]
    outbound_proxy: String,
    port: Option<u16>,
    visible_name: Option<String>,
    origins: Option<Vec<String>>,
    /// Seconds from now.
    expires: Option<u32>,
    calls: Option<usize>,
    calls_per_hour: Option<usize>,
    #[serde(default)]
    video: bool,
}

impl Grant {
    /// Reads an answer. With a password the account is a provider's; without one it is a user of a local domain.
    /// `origins` are those of an answer that names none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_answer(
        token: &str,
        now: Instant,
        answer: &[u8],
        origins: &Origins,
    ) -> Result<Grant, AnswerError> {
        if answer.len() > MAX_ANSWER {
            return Err(AnswerError("the answer is too long"));
        }
        let answer: Answer = serde_json::from_slice(answer)
            .map_err(|_| AnswerError("the answer is no JSON object with `login`, `callee` and so on"))?;
        let texts = [&answer.callee, &answer.login, &answer.domain, &answer.outbound_proxy];
        if texts.iter().any(|text| text.len() > MAX_NAME) || answer.password.len() > MAX_NAME {
            return Err(AnswerError("a field of the answer is too long"));
        }
        if answer.callee.is_empty() || answer.login.is_empty() || answer.domain.is_empty() {
            return Err(AnswerError("`login`, `domain` or `callee` is empty"));
        }
        let origins = match &answer.origins {
            Some(list) => read_origins(list)?,
            None => origins.clone(),
        };
        Ok(Grant {
            token: token.to_owned(),
            origins,
            expires: answer.expires.and_then(|left| now.checked_add(Duration::from_secs(left.into()))),
            calls: answer.calls.unwrap_or(Grant::USUAL_CALLS),
            calls_per_hour: answer
                .calls_per_hour
                .unwrap_or(Grant::USUAL_CALLS_PER_HOUR)
                .min(MAX_CALLS_PER_HOUR),
            video: answer.video,
            label: answer.visible_name.clone().filter(|name| !name.is_empty() && name.len() <= MAX_NAME),
            callee: answer.callee.clone(),
            account: account(answer),
        })
    }
}

/// A text that is wiped when it is dropped.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

fn account(answer: Answer) -> TokenAccount {
    if answer.password.is_empty() {
        return TokenAccount::Local { user: answer.login, domain: answer.domain.to_ascii_lowercase() };
    }
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    TokenAccount::Provider(Box::new(Account {
        authentication_name: given(answer.authentication_name).unwrap_or_else(|| answer.login.clone()),
        login: answer.login,
        password: answer.password,
        domain: answer.domain,
        outbound_proxy: given(answer.outbound_proxy),
        port: answer.port.filter(|port| *port != 0),
        register: false,
    }))
}

fn read_origins(list: &[String]) -> Result<Origins, AnswerError> {
    if list.iter().any(|origin| origin == "*") {
        return Ok(Origins::Any);
    }
    let origins: Option<Vec<Origin>> = list.iter().take(MAX_ORIGINS).map(|url| Origin::of(url)).collect();
    origins.map(Origins::Of).ok_or(AnswerError("`origins` holds something else than origins"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Grant, AnswerError> {
        Grant::from_answer("t", Instant::now(), text.as_bytes(), &Origins::Of(Vec::new()))
    }

    #[test]
    fn an_account_of_a_provider_and_one_of_a_local_user() {
        let grant = read(
            r#"{"login":"4711","password":"hunter2","domain":"voip.example","outboundProxy":"","port":5062,
                "callee":"100","origins":["https://shop.example"],"calls":2,"callsPerHour":99999,"expires":60,
                "visibleName":"Visitor","somethingElse":1}"#,
        )
        .unwrap();
        let TokenAccount::Provider(account) = &grant.account else { panic!("a provider's account") };
        assert_eq!((account.authentication_name.as_str(), account.port), ("4711", Some(5062)));
        assert_eq!((grant.calls, grant.calls_per_hour), (2, MAX_CALLS_PER_HOUR));
        assert!(grant.origins.allow("https://shop.example/") && grant.expires.is_some());
        assert!(!format!("{grant:?}").contains("hunter2"));
        let grant = read(r#"{"login":"web","domain":"Example.org","callee":"100"}"#).unwrap();
        assert!(matches!(&grant.account, TokenAccount::Local { domain, .. } if domain == "example.org"));
        assert!(!grant.origins.allow("https://shop.example"), "the configured origins hold");
    }

    #[test]
    fn what_is_no_answer_allows_nothing_and_is_not_quoted() {
        for text in ["", "{}", "[]", r#"{"login":"a","callee":"b","domain":""}"#, r#"{"password":"hunter2"}"#]
        {
            assert!(!read(text).unwrap_err().to_string().contains("hunter2"), "{text}");
        }
        let long = format!(r#"{{"login":"a","domain":"b","callee":"{}"}}"#, "1".repeat(MAX_NAME + 1));
        assert!(read(&long).is_err() && read(&" ".repeat(MAX_ANSWER + 1)).is_err());
        let origins = r#"{"login":"a","domain":"b","callee":"c","origins":["shop"]}"#;
        assert!(read(origins).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in "\\PC*") {
            let _ = read(&text);
        }
    }
}
