//! Posts to the operator's application what WCS clients say to it, and brings back what it answers.

use crate::config::DataHook;
use crate::events::Events;
use crate::http_client::{Ask, AskError, ask};
use std::sync::Arc;
use tandem_sip::party::Cause;
use tandem_sip::switch::Input;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bytes of an answer: it goes to the client in one frame.
const MAX_ANSWER: usize = 65_536;

/// Posts what is said.
pub(crate) struct DataPoster {
    hook: Option<Arc<DataHook>>,
    tls: TlsConnector,
    events: Events,
}

impl DataPoster {
    pub(crate) fn new(hook: Option<DataHook>, tls: TlsConnector, events: Events) -> DataPoster {
        DataPoster { hook: hook.map(Arc::new), tls, events }
    }

    /// Begins to post; [`Input::DataAnswered`] follows, within the configured time.
    pub(crate) fn start(&self, query: u64, json: String) {
        let (hook, tls, events) = (self.hook.clone(), self.tls.clone(), self.events.clone());
        tokio::spawn(async move {
            let answer = match hook {
                Some(hook) => post(&hook, &tls, json).await,
                None => Err(Cause::new(501, "There is no application")),
            };
            // The loop has ended if it takes no event.
            let _ = events.send(Input::DataAnswered { query, answer }.into()).await;
        });
    }
}

async fn post(hook: &DataHook, tls: &TlsConnector, json: String) -> Result<Vec<u8>, Cause> {
    let (url, target) = (&hook.url, hook.url.path.clone());
    let request =
        Ask { url, target, accept: "application/json", header: None, json: Some(json), most: MAX_ANSWER };
    let host = &url.host;
    match timeout(hook.timeout, ask(tls, request)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(AskError::Status(status))) if status.is_client_error() => {
            Err(Cause::new(403, format!("The application refused it ({})", status.as_u16())))
        }
        Ok(Err(error)) => {
            tracing::warn!(host, %error, "the application of [data_hook] did not answer as it should");
            Err(Cause::new(500, "The application did not answer as it should"))
        }
        Err(_) => {
            tracing::warn!(host, "the application of [data_hook] did not answer in time");
            Err(Cause::new(500, "The application did not answer in time"))
        }
    }
}
