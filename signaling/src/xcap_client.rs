//! Gets documents from XCAP servers (RFC 4825 section 7.4).
//!
//! The server is told who asks, as 3GPP TS 24.109 has it for proxies that have proven a user's identity; it must believe
//! this host, and nobody else.

use crate::config::XcapServer;
use crate::events::Events;
use crate::http_client::{Ask, AskError, ask};
use hyper::StatusCode;
use std::sync::Arc;
use tandem_sip::party::Cause;
use tandem_sip::switch::Input;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bytes of a document: as a frame it is hardly twice as long.
const MAX_DOCUMENT: usize = 65_536;
/// Who asks.
const IDENTITY: &str = "X-3GPP-Asserted-Identity";

/// Gets documents.
pub(crate) struct XcapClient {
    servers: Arc<[XcapServer]>,
    tls: TlsConnector,
    events: Events,
}

impl XcapClient {
    pub(crate) fn new(servers: Vec<XcapServer>, tls: TlsConnector, events: Events) -> XcapClient {
        XcapClient { servers: servers.into(), tls, events }
    }

    /// Begins to get a document; [`Input::XcapAnswered`] follows, within the configured time.
    pub(crate) fn start(&self, query: u64, domain: String, selector: String, user: String) {
        let (servers, tls, events) = (self.servers.clone(), self.tls.clone(), self.events.clone());
        tokio::spawn(async move {
            let document = match servers.iter().find(|server| server.root.domain == domain) {
                Some(server) => document(server, &tls, &selector, &user).await,
                None => Err(Cause::new(501, "There is no XCAP server")),
            };
            // The loop has ended if it takes no event.
            let _ = events.send(Input::XcapAnswered { query, document }.into()).await;
        });
    }
}

async fn document(
    server: &XcapServer,
    tls: &TlsConnector,
    selector: &str,
    user: &str,
) -> Result<String, Cause> {
    let request = Ask {
        url: &server.url,
        target: format!("{}{selector}", server.url.path),
        accept: "*/*",
        header: Some((IDENTITY, format!("\"{user}\""))),
        json: None,
        most: MAX_DOCUMENT,
    };
    let host = &server.url.host;
    match timeout(server.timeout, ask(tls, request)).await {
        Ok(Ok(body)) => String::from_utf8(body).map_err(|_| Cause::new(500, "The document is no text")),
        Ok(Err(AskError::Status(StatusCode::NOT_FOUND))) => Err(Cause::new(404, "There is no such document")),
        Ok(Err(AskError::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))) => {
            Err(Cause::new(403, "The XCAP server does not give this document"))
        }
        Ok(Err(error)) => {
            tracing::warn!(host, %error, "an XCAP server did not answer as it should");
            Err(Cause::new(500, "The XCAP server did not answer as it should"))
        }
        Err(_) => {
            tracing::warn!(host, "an XCAP server did not answer in time");
            Err(Cause::new(500, "The XCAP server did not answer in time"))
        }
    }
}
