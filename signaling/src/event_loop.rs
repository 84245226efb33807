//! The one task that owns the switch: everything that happens goes through it, one event at a time.
//!
//! It waits for events and for the switch's timeout, and for nothing else: whatever it sends is queued or refused.

use crate::dataplane_client::DataplaneClient;
use crate::dns::{Dns, Query};
use crate::events::{Event, Events};
use crate::sip::transports::Transports;
use std::collections::VecDeque;
use std::time::Instant;
use tandem_control::Message;
use tandem_sip::switch::{Input, Output, Switch};
use tokio::sync::mpsc;

/// The switch and all that it drives.
pub(crate) struct EventLoop {
    pub(crate) switch: Switch,
    pub(crate) transports: Transports,
    pub(crate) dns: Dns,
    pub(crate) dataplane: DataplaneClient,
    pub(crate) events: Events,
    pub(crate) queue: mpsc::Receiver<Event>,
}

impl EventLoop {
    /// Runs until the process ends.
    pub(crate) async fn run(mut self) {
        loop {
            let timeout = self.switch.next_timeout().map(tokio::time::Instant::from_std);
            let event = tokio::select! {
                // Timers first: a flood of messages must not hold up retransmissions and the end of calls.
                biased;
                () = sleep_until(timeout) => Event::Input(Input::Timeout),
                event = self.queue.recv() => match event {
                    Some(event) => event,
                    None => return,
                },
            };
            match event {
                Event::Input(input) => self.handle(input),
                Event::Opened { connection, flow, wcs, frames } => {
                    self.transports.opened(connection, flow, frames);
                    if wcs {
                        self.handle(Input::WcsOpened { connection, remote: flow.remote });
                    }
                }
                Event::Counters(answer) => {
                    let mut counters = self.switch.counters();
                    counters.push(("connections".to_owned(), self.transports.connections() as u64));
                    // Whoever asked may have given up.
                    let _ = answer.send(counters);
                }
            }
        }
    }

    /// Handles one input, and what could not be done of its outputs.
    fn handle(&mut self, input: Input) {
        let now = Instant::now();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            if let Input::Closed { connection } | Input::WcsClosed { connection } = &input {
                self.transports.close(*connection);
            }
            self.switch.handle(now, input);
            while let Some(output) = self.switch.poll_output() {
                inputs.extend(self.carry_out(output));
            }
        }
    }

    /// Does what the switch wants; returns what it must hear about it at once.
    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Sip { destination, tls_name, key, bytes } => {
                let sent = self.transports.send_sip(destination, tls_name, key, bytes);
                sent.err().map(|_| Input::SendFailed { destination, key })
            }
            Output::Resolve { query, host, port, transport, secure } => {
                self.dns.start(Query { host, port, transport, secure }, query, self.events.clone());
                None
            }
            Output::Wcs { connection, text } => {
                // Its task reports the end of a connection that is gone.
                let _ = self.transports.send_text(connection, text);
                None
            }
            Output::Close { connection } => {
                self.transports.close(connection);
                None
            }
            Output::Dataplane(frame) => {
                let id = frame.id;
                let refusal = self.dataplane.request(frame).err()?;
                Some(Input::Dataplane(Message::Reply { id, result: Err(refusal) }))
            }
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
