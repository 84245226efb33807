//! What goes to the client.

use super::{FromWorkers, Shared, write_record};
use crate::worker::Answer;
use crossbeam::channel::{Receiver, select};
use nix::sys::socket::MsgFlags;
use socket2::Socket;
use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tandem_control::{Event, Message, encode};

/// Events kept for the next client.
pub(super) const KEPT_EVENTS: usize = 4096;

/// What the server tells the writer.
pub(super) enum Change {
    /// A client has said hello; what concerns it goes to this socket from now on.
    Connected { connection: u64, socket: Socket },
    /// The server has an answer that a full socket did not take.
    Answered(Answer),
    /// The client has gone.
    Disconnected { connection: u64 },
    /// The process ends.
    Stop,
}

struct Client {
    connection: u64,
    socket: Socket,
}

pub(super) struct Writer {
    from: FromWorkers,
    changes: Receiver<Change>,
    shared: Arc<Shared>,
    client: Option<Client>,
    kept: VecDeque<Event>,
}

impl Writer {
    pub(super) fn new(from: FromWorkers, changes: Receiver<Change>, shared: Arc<Shared>) -> Writer {
        Writer { from, changes, shared, client: None, kept: VecDeque::with_capacity(KEPT_EVENTS) }
    }

    pub(super) fn run(mut self) {
        loop {
            select! {
                recv(self.changes) -> change => match change {
                    Ok(Change::Stop) | Err(_) => return self.give_up_client(),
                    Ok(change) => self.change(change),
                },
                recv(self.from.answers) -> answer => match answer {
                    Ok(answer) => {
                        self.answer(answer);
                    }
                    Err(_) => return self.give_up_client(),
                },
                recv(self.from.events) -> event => match event {
                    Ok(event) => self.event(event),
                    Err(_) => return self.give_up_client(),
                },
            }
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Connected { connection, socket } => {
                self.client = Some(Client { connection, socket });
                for _ in 0..self.kept.len() {
                    let Some(event) = self.kept.pop_front() else { break };
                    self.event(event);
                }
            }
            Change::Answered(answer) => self.answer(answer),
            Change::Disconnected { connection } => {
                self.client.take_if(|client| client.connection == connection);
            }
            Change::Stop => {}
        }
    }

    /// An answer to a client that has gone is lost, as it would be in its socket.
    fn answer(&mut self, answer: Answer) {
        if self.client.as_ref().is_some_and(|client| client.connection == answer.connection) {
            self.write(&answer.record);
        }
    }

    fn event(&mut self, event: Event) {
        let message = Message::Event(event);
        if self.client.is_some() && encode(&message).is_ok_and(|record| self.write(&record)) {
            return;
        }
        let Message::Event(event) = message else { return };
        if self.kept.len() == KEPT_EVENTS {
            self.kept.pop_front();
            self.shared.events_dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.kept.push_back(event);
    }

    fn write(&mut self, record: &[u8]) -> bool {
        let Some(client) = &self.client else { return false };
        match write_record(&client.socket, record, MsgFlags::empty()) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "cannot write to the control client");
                self.give_up_client();
                false
            }
        }
    }

    /// Shuts the client's socket, so that who reads from it sees its end too.
    fn give_up_client(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = client.socket.shutdown(Shutdown::Both);
        }
    }
}
