//! A client that has said hello, as the workers see it.

use super::routing::{Route, Router};
use super::{ToServer, read_record, write_record};
use crate::worker::{Answer, Command};
use crossbeam::channel::Sender;
use nix::sys::socket::MsgFlags;
use socket2::Socket;
use std::io;
use std::net::Shutdown;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use tandem_control::{MAX_RECORD, Message, Refusal, Reply, Request, RequestFrame, encode, take};

/// A client's socket. Whoever has an answer writes it: a record goes out whole.
pub struct Client {
    connection: u64,
    socket: Socket,
}

impl Client {
    pub(super) fn new(connection: u64, socket: Socket) -> Client {
        Client { connection, socket }
    }

    /// Writes one answer without waiting; hands it back, for somebody who can wait, if the client's socket is full.
    pub fn answer(&self, id: u32, result: Result<Reply, Refusal>) -> Option<Answer> {
        // What is too long for a record is no answer that there is.
        encode(&Message::Reply { id, result }).ok().and_then(|record| self.write(&record))
    }

    /// Writes a record of answers without waiting; hands it back as [`Client::answer`] does.
    pub fn write(&self, record: &[u8]) -> Option<Answer> {
        match write_record(&self.socket, record, MsgFlags::MSG_DONTWAIT) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Some(Answer { connection: self.connection, record: record.to_vec() })
            }
            // The client has gone, and with it who wanted to know.
            _ => None,
        }
    }

    /// Ends the connection: whoever reads from it sees its end.
    pub fn give_up(&self) {
        // Fails only when the client has ended it already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// What [`Attached::next`] found.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// A request for the worker that asked.
    Request(RequestFrame),
    /// No request is there now.
    Nothing,
    /// The client has gone.
    Gone,
}

/// The requests of a client, read by one worker in its own loop: no other thread wakes up for what that worker does
/// itself. When this is dropped, the server takes the next client.
pub struct Attached {
    client: Arc<Client>,
    router: Arc<Router>,
    server: Sender<ToServer>,
    record: Box<[u8]>,
    /// The part of the record that is not carried out yet.
    unread: Range<usize>,
}

impl Attached {
    pub(super) fn new(client: Arc<Client>, router: Arc<Router>, server: Sender<ToServer>) -> Attached {
        // One byte more than a record may have: what fills it was too long.
        Attached { client, router, server, record: vec![0; MAX_RECORD + 1].into(), unread: 0..0 }
    }

    /// What becomes readable when there is a request.
    pub fn descriptor(&self) -> RawFd {
        self.client.socket.as_raw_fd()
    }

    /// The client, for answers.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Whether every request of the last record was taken.
    pub fn is_read(&self) -> bool {
        self.unread.is_empty()
    }

    /// Reads requests up to one that is for the worker with that number, and passes on those before it.
    pub fn next(&mut self, worker: usize) -> Next {
        loop {
            let frame = match self.take() {
                Ok(Some(frame)) => frame,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Nothing,
                Ok(None) => return Next::Gone,
                Err(error) => {
                    tracing::warn!(%error, "the control client is given up");
                    return Next::Gone;
                }
            };
            match self.router.route(&frame.request) {
                Route::Worker(own) if own == worker => return Next::Request(frame),
                Route::Worker(other) => self.pass_on(other, frame),
                Route::Server => {
                    let id = frame.id;
                    if self.server.try_send(ToServer::Request(frame)).is_err() {
                        self.refuse(id, Refusal::Busy);
                    }
                }
                Route::Refused(refusal) => self.refuse(frame.id, refusal),
            }
        }
    }

    /// The next request of the record, or of the next one; `None` at the end of the stream.
    fn take(&mut self) -> io::Result<Option<RequestFrame>> {
        if self.unread.is_empty() {
            let Some(length) = read_record(&self.client.socket, &mut self.record, MsgFlags::MSG_DONTWAIT)?
            else {
                return Ok(None);
            };
            self.unread = 0..length;
        }
        let mut rest = self.record.get(self.unread.clone()).unwrap_or_default();
        let frame = take(&mut rest).map_err(io::Error::other)?;
        self.unread.start = self.unread.end - rest.len();
        Ok(frame)
    }

    fn pass_on(&self, worker: usize, frame: RequestFrame) {
        let (id, creates) = (frame.id, matches!(frame.request, Request::Create { .. }));
        let command = Command::Request { client: Arc::clone(&self.client), frame };
        if !self.router.command(worker, command) {
            if creates {
                self.router.unload(worker);
            }
            self.refuse(id, Refusal::Busy);
        }
    }

    /// A refusal that a client with a full socket does not hear: it has asked more than it takes answers for.
    fn refuse(&self, id: u32, refusal: Refusal) {
        if self.client.answer(id, Err(refusal)).is_some() {
            self.client.give_up();
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.client.give_up();
    }
}
