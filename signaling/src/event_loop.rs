//! The one task that owns the switch and the relay: everything that happens goes through it, one event at a time.
//!
//! It waits for events and for their timeouts, and for nothing else: whatever it sends is queued or refused.

use crate::dataplane_client::DataplaneClient;
use crate::dns::{Dns, Query};
use crate::events::{Counters, Event, Events};
use crate::ng::Replies;
use crate::sip::transports::Transports;
use std::collections::VecDeque;
use std::time::Instant;
use tandem_control::{Message, RequestFrame};
use tandem_sip::ng::{self, Relay};
use tandem_sip::switch::{Input, Output, Switch};
use tokio::sync::mpsc;

/// The switch, the relay, and all that they drive.
pub(crate) struct EventLoop {
    pub(crate) switch: Switch,
    pub(crate) relay: Relay,
    pub(crate) replies: Replies,
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
            let timeouts = [self.switch.next_timeout(), self.relay.next_timeout()];
            let next = timeouts.into_iter().flatten().min().map(tokio::time::Instant::from_std);
            tokio::select! {
                // Timers first: a flood of messages must not hold up retransmissions and the end of calls.
                biased;
                () = sleep_until(next) => self.timeout(),
                event = self.queue.recv() => match event {
                    Some(event) => self.event(event),
                    None => return,
                },
            }
        }
    }

    fn timeout(&mut self) {
        let now = Instant::now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.switch.next_timeout()) {
            self.switch(Input::Timeout);
        }
        if due(self.relay.next_timeout()) {
            self.relay(ng::Input::Timeout);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Switch(input) => self.switch(input),
            Event::Relay(input) => self.relay(input),
            Event::DataplaneUp(hello) => {
                self.switch(Input::DataplaneUp(hello.clone()));
                self.relay(ng::Input::DataplaneUp(hello));
            }
            Event::DataplaneDown => {
                self.switch(Input::DataplaneDown);
                self.relay(ng::Input::DataplaneDown);
            }
            Event::Dataplane(message) => match self.is_for_relay(&message) {
                true => self.relay(ng::Input::Dataplane(message)),
                false => self.switch(Input::Dataplane(message)),
            },
            Event::Opened { connection, flow, wcs, frames } => {
                self.transports.opened(connection, flow, frames);
                if wcs {
                    self.switch(Input::WcsOpened { connection, remote: flow.remote });
                }
            }
            Event::NgOpened { id, replies } => self.replies.opened(id, replies),
            Event::NgClosed { id } => self.replies.closed(id),
            Event::Counters(answer) => {
                let mut switch = self.switch.counters();
                switch.push(("connections".to_owned(), self.transports.connections() as u64));
                let mut relay = self.relay.counters();
                relay.push(("ng_connections", self.replies.connections() as u64));
                // Whoever asked may have given up.
                let _ = answer.send(Counters { switch, relay });
            }
        }
    }

    /// Replies find their way by the ids of requests, events by their session.
    fn is_for_relay(&self, message: &Message) -> bool {
        match message {
            Message::Reply { id, .. } => ng::is_relay_request(*id),
            Message::Event(event) => self.relay.knows(event.session),
        }
    }

    /// Handles one input of the relay, and what could not be done of its outputs.
    fn relay(&mut self, input: ng::Input) {
        let now = Instant::now();
        self.relay.handle(now, input);
        while let Some(output) = self.relay.poll_output() {
            match output {
                ng::Output::Reply { to, bytes } => self.replies.send(to, bytes),
                ng::Output::Dataplane(frame) => {
                    if let Some(refused) = self.ask(frame) {
                        self.relay.handle(now, ng::Input::Dataplane(refused));
                    }
                }
                ng::Output::Warn(text) => tracing::warn!("NG: {text}"),
            }
        }
    }

    /// Sends a request to the dataplane; returns the answer that it gets if it cannot be sent.
    fn ask(&self, frame: RequestFrame) -> Option<Message> {
        let id = frame.id;
        let refusal = self.dataplane.request(frame).err()?;
        Some(Message::Reply { id, result: Err(refusal) })
    }

    /// Handles one input of the switch, and what could not be done of its outputs.
    fn switch(&mut self, input: Input) {
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
            Output::Dataplane(frame) => self.ask(frame).map(Input::Dataplane),
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
