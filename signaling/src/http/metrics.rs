//! `/metrics` (Prometheus' text format) and `/health`.

use crate::dataplane_client::{self, DataplaneClient};
use crate::events::{Event, Events};
use crate::limits;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;
use std::fmt::Write as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Where figures come from.
#[derive(Clone)]
pub(crate) struct Figures {
    pub(crate) process: PrometheusHandle,
    pub(crate) events: Events,
    pub(crate) dataplane: DataplaneClient,
}

impl Figures {
    /// 200 when calls can be made; 503 while the dataplane is away.
    pub(crate) fn health(&self) -> Response {
        match self.dataplane.is_up() {
            true => (StatusCode::OK, "ok\n").into_response(),
            false => (StatusCode::SERVICE_UNAVAILABLE, "the dataplane is not there\n").into_response(),
        }
    }

    /// The figures of this process, the switch, the relay and the dataplane.
    pub(crate) async fn render(&self) -> Response {
        let mut text = self.process.render();
        let (answer, counters) = oneshot::channel();
        if self.events.try_send(Event::Counters(answer)).is_ok()
            && let Ok(Ok(counters)) = timeout(limits::METRICS_DEADLINE, counters).await
        {
            append(&mut text, "tandem_switch", &counters.switch);
            append(&mut text, "tandem", &counters.relay);
        }
        let tasks = Handle::current().metrics().num_alive_tasks();
        let _ = writeln!(text, "# TYPE tandem_signaling_tasks gauge\ntandem_signaling_tasks {tasks}");
        let _ = writeln!(text, "# TYPE tandem_dataplane_up gauge");
        let _ = writeln!(text, "tandem_dataplane_up {}", u8::from(self.dataplane.is_up()));
        let counters = timeout(limits::METRICS_DEADLINE, dataplane_client::counters(&self.dataplane)).await;
        if let Ok(Some(counters)) = counters {
            append(&mut text, "tandem_dataplane", &counters);
        }
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
    }
}

/// Appends counters; what stands behind a dot in a name is its `reason`.
fn append<N: AsRef<str>>(text: &mut String, prefix: &str, counters: &[(N, u64)]) {
    for (name, value) in counters {
        let name = name.as_ref();
        // Writing to a String cannot fail.
        let _ = match name.split_once('.') {
            Some((name, reason)) => {
                let reason = reason.replace(['\\', '"', '\n'], "_");
                writeln!(text, "{prefix}_{}{{reason=\"{reason}\"}} {value}", metric_name(name))
            }
            None => writeln!(text, "{prefix}_{} {value}", metric_name(name)),
        };
    }
}

/// Only what Prometheus allows in a name.
fn metric_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_becomes_a_label() {
        let mut text = String::new();
        append(&mut text, "t", &[("drops.bad \"x\"", 3), ("calls-now", 1)]);
        assert_eq!(text, "t_drops{reason=\"bad _x_\"} 3\nt_calls_now 1\n");
    }
}
