//! The one task that owns the switch and the relay: everything that happens goes through it, one event at a time.
//!
//! It waits for events and for their timeouts, and for nothing else: whatever it sends is queued or refused.

use crate::data_hook::DataPoster;
use crate::dataplane_client::DataplaneClient;
use crate::dns::{Dns, Query};
use crate::events::{Counters, Event, Events, Wcs};
use crate::message_store::MessageStore;
use crate::ng::Replies;
use crate::sip::transports::Transports;
use crate::token_hook::{Asker, Question};
use crate::xcap_client::XcapClient;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tandem_control::{Message, RequestFrame};
use tandem_sip::ng::{self, Relay};
use tandem_sip::switch::{Input, Output, Switch};
use tokio::sync::mpsc;

/// Without any deadline the loop looks again after so long.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The switch, the relay, and all that they drive.
pub(crate) struct EventLoop {
    pub(crate) switch: Switch,
    pub(crate) relay: Relay,
    pub(crate) replies: Replies,
    pub(crate) transports: Transports,
    pub(crate) dns: Dns,
    pub(crate) tokens: Asker,
    pub(crate) xcap: XcapClient,
    pub(crate) data: DataPoster,
    pub(crate) dataplane: DataplaneClient,
    /// Without users there is none.
    pub(crate) messages: Option<MessageStore>,
    pub(crate) events: Events,
    pub(crate) queue: mpsc::Receiver<Event>,
}

impl EventLoop {
    /// Runs until the switch has left: see [`Input::Leave`].
    pub(crate) async fn run(mut self) {
        let sleep = tokio::time::sleep(LONGEST_SLEEP);
        tokio::pin!(sleep);
        while !self.switch.has_left() {
            let next = [self.switch.next_timeout(), self.relay.next_timeout()].into_iter().flatten().min();
            let next = next.unwrap_or_else(|| Instant::now() + LONGEST_SLEEP);
            // Deadlines mostly move away: then it is cheaper to wake up once in vain than to set the timer each time.
            if next < sleep.deadline().into_std() || sleep.is_elapsed() {
                sleep.as_mut().reset(next.into());
            }
            tokio::select! {
                // Timers first: a flood of messages must not hold up retransmissions and the end of calls.
                biased;
                () = &mut sleep => self.timeout(),
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
            Event::Dataplane(message) => match self.relay.wants(&message) {
                true => self.relay(ng::Input::Dataplane(message)),
                false => self.switch(Input::Dataplane(message)),
            },
            Event::Opened { connection, flow, wcs, frames } => {
                self.transports.opened(connection, flow, frames);
                if let Some(Wcs { origin }) = wcs {
                    self.switch(Input::WcsOpened { connection, remote: flow.remote, origin });
                }
            }
            Event::NgOpened { id, replies } => self.replies.opened(id, replies),
            Event::NgClosed { id } => self.replies.closed(id),
            Event::Counters(answer) => {
                let mut switch = self.switch.counters();
                switch.push(("connections".to_owned(), self.transports.connections() as u64));
                switch.push(("user_ports_open".to_owned(), self.transports.user_ports() as u64));
                let mut relay = self.relay.counters();
                relay.push(("ng_connections", self.replies.connections() as u64));
                // Whoever asked may have given up.
                let _ = answer.send(Counters { switch, relay });
            }
        }
    }

    /// Handles one input of the relay, and what could not be done of its outputs.
    fn relay(&mut self, input: ng::Input) {
        let now = Instant::now();
        self.relay.handle(now, input);
        while let Some(output) = self.relay.poll_output() {
            match output {
                ng::Output::Reply { to, bytes } => self.replies.send(to, &bytes),
                ng::Output::Dataplane(frame) => {
                    if let Some(refused) = self.ask(frame) {
                        self.relay.handle(now, ng::Input::Dataplane(refused));
                    }
                }
                ng::Output::Warn(text) => tracing::warn!("{text}"),
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
            Output::OpenPort { port } => {
                Some(Input::PortOpened { port, is_open: self.transports.open_port(port) })
            }
            Output::ClosePort { port } => {
                self.transports.close_port(port);
                None
            }
            Output::AskToken { query, token, page_url, origin } => {
                self.tokens.start(query, Question { token, page_url, origin });
                None
            }
            Output::GetXcap { query, domain, selector, user } => {
                self.xcap.start(query, domain, selector, user);
                None
            }
            Output::PostData { query, json } => {
                self.data.start(query, json);
                None
            }
            Output::KeepMessage(message) => {
                let id = message.id;
                let is_taken = self.messages.as_ref().is_some_and(|store| store.keep(message));
                (!is_taken).then_some(Input::MessageKept { id, is_kept: false })
            }
            Output::DropMessage(id) => {
                if let Some(store) = &self.messages {
                    store.drop_message(id);
                }
                None
            }
            Output::Dataplane(frame) => self.ask(frame).map(Input::Dataplane),
        }
    }
}
