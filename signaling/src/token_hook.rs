//! Asks the operator's server what a click-to-call token allows: one HTTP request for each token that is not configured.
//!
//! Everything is bounded: requests at once (the switch bounds them), the time of each, the bytes of an answer.

use crate::config::TokenHook;
use crate::events::Events;
use crate::http_client::{self, Ask, AskError};
use hyper::StatusCode;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;
use tandem_sip::settings::{Grant, MAX_ANSWER};
use tandem_sip::switch::Input;
use thiserror::Error;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A token, and where it is used.
pub(crate) struct Question {
    pub(crate) token: String,
    pub(crate) page_url: Option<String>,
    pub(crate) origin: Option<String>,
}

/// Asks; without a configured server nothing is known of any token.
pub(crate) struct Asker {
    hook: Option<Arc<TokenHook>>,
    tls: TlsConnector,
    events: Events,
}

/// Why there is no answer.
#[derive(Debug, Error)]
enum HookError {
    #[error(transparent)]
    Http(#[from] AskError),
    #[error(transparent)]
    Answer(#[from] tandem_sip::settings::AnswerError),
}

impl Asker {
    pub(crate) fn new(hook: Option<TokenHook>, tls: TlsConnector, events: Events) -> Asker {
        Asker { hook: hook.map(Arc::new), tls, events }
    }

    /// Begins to ask; [`Input::TokenAnswered`] follows, within the configured time.
    pub(crate) fn start(&self, query: u64, question: Question) {
        let (hook, tls, events) = (self.hook.clone(), self.tls.clone(), self.events.clone());
        tokio::spawn(async move {
            let grant = match hook {
                Some(hook) => ask_in_time(&hook, &tls, &question).await,
                None => None,
            };
            // The loop has ended if it takes no event.
            let _ = events.send(Input::TokenAnswered { query, grant: grant.map(Arc::new) }.into()).await;
        });
    }
}

async fn ask_in_time(hook: &TokenHook, tls: &TlsConnector, question: &Question) -> Option<Grant> {
    match timeout(hook.timeout, ask(hook, tls, question)).await {
        Ok(Ok(grant)) => Some(grant),
        // An unknown token is nothing to log: whoever likes can make one up.
        Ok(Err(HookError::Http(AskError::Status(StatusCode::NOT_FOUND | StatusCode::FORBIDDEN)))) => None,
        Ok(Err(error)) => {
            tracing::warn!(host = hook.url.host, %error, "the server of [token_hook] did not answer as it should");
            None
        }
        Err(_) => {
            tracing::warn!(host = hook.url.host, "the server of [token_hook] did not answer in time");
            None
        }
    }
}

async fn ask(hook: &TokenHook, tls: &TlsConnector, question: &Question) -> Result<Grant, HookError> {
    let (url, target) = (&hook.url, target(hook, question));
    let ask = Ask { url, target, accept: "application/json", header: None, json: None, most: MAX_ANSWER };
    let body = http_client::ask(tls, ask).await?;
    Ok(Grant::from_answer(&question.token, Instant::now(), &body, &hook.origins)?)
}

/// The path with the question as its query.
fn target(hook: &TokenHook, question: &Question) -> String {
    let mut target = hook.url.path.clone();
    let mut separator = if target.contains('?') { '&' } else { '?' };
    let fields = [
        ("token", Some(&question.token)),
        ("pageUrl", question.page_url.as_ref()),
        ("origin", question.origin.as_ref()),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        target.push(separator);
        target.push_str(name);
        target.push('=');
        escape(&mut target, value);
        separator = '&';
    }
    target
}

/// RFC 3986 section 2.3: what is not unreserved is escaped.
fn escape(target: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                target.push(char::from(byte))
            }
            // Writing to a String cannot fail.
            byte => drop(write!(target, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HttpUrl;
    use std::time::Duration;
    use tandem_sip::settings::Origins;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn hook(port: u16) -> TokenHook {
        TokenHook {
            url: HttpUrl {
                is_secure: false,
                host: "127.0.0.1".to_owned(),
                port,
                authority: format!("127.0.0.1:{port}"),
                path: "/token?key=1".to_owned(),
            },
            timeout: Duration::from_millis(500),
            origins: Origins::Any,
        }
    }

    fn question() -> Question {
        let page_url = Some("https://shop.example/?a=1&b=2".to_owned());
        Question { token: "a&b c".to_owned(), page_url, origin: None }
    }

    fn connector() -> TlsConnector {
        TlsConnector::from(crate::certificate::client_config(std::path::Path::new("/nowhere")).unwrap())
    }

    /// A server that answers one request so; returns its port and the request's first line.
    async fn server(answer: String) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Held open until the client has had enough.
            let _ = stream.read(&mut [0; 1]).await;
            String::from_utf8_lossy(&request[..length]).lines().next().unwrap().to_owned()
        });
        (port, task)
    }

    fn response(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_token_is_asked_for_and_what_is_asked_is_escaped() {
        let body = r#"{"login":"web","domain":"example.org","callee":"100"}"#;
        let (port, request) = server(response("200 OK", body)).await;
        let grant = ask_in_time(&hook(port), &connector(), &question()).await.unwrap();
        assert_eq!(grant.callee, "100");
        let page = "https%3A%2F%2Fshop.example%2F%3Fa%3D1%26b%3D2";
        assert_eq!(
            request.await.unwrap(),
            format!("GET /token?key=1&token=a%26b%20c&pageUrl={page} HTTP/1.1")
        );
    }

    #[tokio::test]
    async fn refusals_redirections_and_long_answers_allow_nothing() {
        let long = response("200 OK", &" ".repeat(MAX_ANSWER + 1));
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_owned();
        for answer in [response("404 Not Found", ""), moved, long, "nonsense\r\n\r\n".to_owned()] {
            let (port, _request) = server(answer).await;
            assert!(ask_in_time(&hook(port), &connector(), &question()).await.is_none());
        }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_waited_for_no_longer_than_configured() {
        let (port, _request) = server(String::new()).await;
        assert!(ask_in_time(&hook(port), &connector(), &question()).await.is_none());
    }
}
