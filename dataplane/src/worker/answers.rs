//! What the client is answered, until the end of a worker's turn.

use super::Answer;
use crate::control_server::Client;
use crossbeam::channel::Sender;
use std::sync::Arc;
use tandem_control::{CodingError, Message, Refusal, Reply, append};

/// The answers of one turn to one client.
#[derive(Default)]
pub(super) struct Answers {
    client: Option<Arc<Client>>,
    /// Its memory is used again each turn.
    record: Vec<u8>,
}

impl Answers {
    /// Adds an answer; what has no room beside it goes out first.
    pub(super) fn push(
        &mut self,
        client: &Arc<Client>,
        id: u32,
        result: Result<Reply, Refusal>,
        waiting: &Sender<Answer>,
    ) {
        if self.client.as_ref().is_some_and(|before| !Arc::ptr_eq(before, client)) {
            self.flush(waiting);
        }
        self.client.get_or_insert_with(|| Arc::clone(client));
        let message = Message::Reply { id, result };
        if append(&mut self.record, &message) == Err(CodingError::TooLong) {
            self.flush(waiting);
            self.client = Some(Arc::clone(client));
            // What is too long for a record of its own is no answer that there is.
            let _ = append(&mut self.record, &message);
        }
    }

    /// Writes the answers. What a full socket does not take waits for somebody who can wait; a client that leaves too much
    /// waiting is given up.
    pub(super) fn flush(&mut self, waiting: &Sender<Answer>) {
        let Some(client) = self.client.take() else { return };
        if let Some(answer) = client.write(&self.record)
            && waiting.try_send(answer).is_err()
        {
            client.give_up();
        }
        self.record.clear();
    }
}
