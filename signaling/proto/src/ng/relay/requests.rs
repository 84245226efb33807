//! From a message to the request's part of the relay, and from its reply back to a message.

use super::operation::Asker;
use super::{Output, Relay};
use crate::ng::request::{self, Command, Names, Request, Verb};
use crate::ng::{Client, Encoding, Frame, Framing, Reply, Seen};
use std::sync::Arc;
use std::time::Instant;

/// The most requests of one call that wait for the one before them.
const MAX_BACKLOG: usize = 16;
/// Bytes that replies are rarely longer than.
const USUAL_REPLY: usize = 16 * 1024;

impl Relay {
    /// A message came.
    pub(super) fn request(&mut self, now: Instant, client: Client, framing: Framing, bytes: &[u8]) {
        let frame = match framing {
            Framing::Plain => Frame::plain(bytes),
            Framing::Cookie => match Frame::parse(bytes) {
                Ok(frame) => frame,
                Err(_) => {
                    self.counters.messages_dropped += 1;
                    return;
                }
            },
        };
        let cookie: Option<Arc<[u8]>> = frame.cookie.map(Into::into);
        if let Some(cookie) = &cookie {
            match self.cookies.begin(now, client.source.ip(), cookie) {
                Seen::New => {}
                Seen::InProgress => {
                    self.counters.retransmissions += 1;
                    return;
                }
                Seen::Answered(reply) => {
                    self.counters.retransmissions += 1;
                    self.outputs.push_back(Output::Reply { to: client, bytes: reply });
                    return;
                }
            }
        }
        let asker = Asker { client, cookie, encoding: Encoding::of(frame.body) };
        match request::parse(frame.body) {
            Ok(Request { command, unknown }) => {
                for word in unknown {
                    self.warn_once(&format!("NG: {word:?} means nothing here and is ignored"));
                }
                self.counters.commands.count(command.verb());
                self.carry_out(now, asker, command);
            }
            Err(fault) => self.reply(&asker, &Reply::Error(fault.to_string())),
        }
    }

    /// Carries out a request, or lets it wait for what its call is busy with.
    pub(super) fn carry_out(&mut self, now: Instant, asker: Asker, command: Command) {
        let names = match &command {
            Command::Ping => return self.reply(&asker, &Reply::Pong),
            Command::List(limit) => {
                let calls = self.by_id.keys().take(*limit).map(ToString::to_string).collect();
                return self.reply(&asker, &Reply::Calls(calls));
            }
            Command::Statistics => {
                let statistics = Box::new(self.statistics(now));
                return self.reply(&asker, &Reply::Statistics(statistics));
            }
            Command::Offer(exchange) | Command::Answer(exchange) => &exchange.names,
            Command::Delete(delete) => &delete.names,
            Command::Query(names) => names,
            Command::Control(control) => &control.names,
            Command::Play(play) => &play.names,
            Command::StopPlay(stop) => &stop.names,
            Command::PlayDigit(digit) => &digit.names,
            Command::Recording(recording) => &recording.names,
        };
        let Some(command) = self.wait_if_busy(&asker, names.call_id.clone(), command) else { return };
        match command {
            Command::Offer(exchange) => self.exchange(now, asker, &exchange, Verb::Offer),
            Command::Answer(exchange) => self.exchange(now, asker, &exchange, Verb::Answer),
            Command::Delete(delete) => self.delete(now, asker, &delete),
            Command::Query(names) => self.query(now, asker, &names),
            Command::Control(control) => self.control(now, asker, &control),
            Command::Play(play) => self.play(now, asker, *play),
            Command::StopPlay(stop) => self.stop_play(now, asker, &stop),
            Command::PlayDigit(digit) => self.play_digit(now, asker, &digit),
            Command::Recording(recording) => self.control_recording(now, asker, &recording),
            Command::Ping | Command::List(_) | Command::Statistics => {}
        }
    }

    fn wait_if_busy(&mut self, asker: &Asker, call_id: String, command: Command) -> Option<Command> {
        let call = self.by_id.get(call_id.as_str()).and_then(|key| self.calls.get_mut(key));
        match call {
            Some(call) if call.operation.is_some() => {
                if call.backlog.len() < MAX_BACKLOG {
                    call.backlog.push_back((asker.clone(), command));
                } else {
                    let reason = "too many requests of this call wait already";
                    self.reply(asker, &Reply::Error(reason.to_owned()));
                }
                None
            }
            _ => Some(command),
        }
    }

    /// Answers a request, and remembers the answer for its retransmissions.
    pub(super) fn reply(&mut self, asker: &Asker, reply: &Reply) {
        if matches!(reply, Reply::Error(_)) {
            self.counters.errors += 1;
            self.counters.commands.errors += 1;
        }
        let message = &mut self.message;
        message.clear();
        if let Some(cookie) = &asker.cookie {
            message.extend_from_slice(cookie);
            message.push(b' ');
        }
        reply.write(asker.encoding, message);
        let bytes: Arc<[u8]> = message.as_slice().into();
        // A list of calls may be long, and is rare.
        message.shrink_to(USUAL_REPLY);
        if let Some(cookie) = &asker.cookie {
            self.cookies.finish(asker.client.source.ip(), cookie, Arc::clone(&bytes));
        }
        self.outputs.push_back(Output::Reply { to: asker.client, bytes });
    }

    /// The reply where a request names a call that is not here.
    pub(super) fn unknown_call(names: &Names) -> Reply {
        let shown: String = names.call_id.chars().take(100).collect();
        Reply::Error(format!("Unknown call-id {shown:?}"))
    }
}
