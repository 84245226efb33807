//! The relay: what a SIP proxy drives over the NG protocol. One state machine; everything that happens goes in as an
//! [`Input`], everything it wants comes out as an [`Output`].
//!
//! A request about a call becomes an operation: its requests to the dataplane are sent together, and when each is answered
//! the reply is written. One call has one operation at a time; what comes meanwhile waits in its order.

mod call;
mod codecs;
mod control;
mod counters;
mod dataplane;
mod delete;
mod exchange;
mod files;
mod latch;
mod leg;
mod media;
mod operation;
mod origin;
mod play;
mod recording;
mod report;
mod requests;
mod reserve;
mod rewrite;
#[cfg(test)]
mod tests;

use super::{Cookies, Input, Output, Reported, Settings};
use crate::switch::RandomSource;
use call::{Call, CallKey};
use counters::Counters;
use dataplane::Dataplane;
pub(crate) use dataplane::NOTE_MARK;
use reserve::Reserve;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tandem_control::SessionId;

/// How often memory that is needed no more is given back.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// What is due at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Nobody answered the offer of this dialogue.
    Offer(CallKey, u32),
    /// The delay of a delete has passed.
    Delete(CallKey, u32),
    /// Nothing was heard of the files that shall be played.
    Play(CallKey),
    /// Sessions that nobody knows have had their grace.
    Orphans,
    /// A session is deleted for which the dataplane was too busy.
    DeleteAgain(SessionId),
    /// Sessions that were reserved may be too many.
    Reserve,
    /// Memory.
    Tidy,
}

/// See the module.
pub struct Relay {
    settings: Settings,
    random: RandomSource,
    /// When [`Relay::new`] was called, by both clocks: replies tell seconds since 1970.
    started: (Instant, Duration),
    cookies: Cookies<IpAddr>,
    reported: Reported,
    next_call: u64,
    /// The id of the next file that is played.
    next_play: u32,
    calls: HashMap<CallKey, Call>,
    by_id: HashMap<Box<str>, CallKey>,
    sessions: HashMap<SessionId, CallKey>,
    dataplane: Dataplane,
    reserve: Reserve,
    timers: BTreeSet<(Instant, Timer)>,
    outputs: VecDeque<Output>,
    /// The memory that replies are written in.
    message: Vec<u8>,
    counters: Counters,
}

impl Relay {
    /// A relay without calls. `random` fills buffers with random bytes: see [`RandomSource`].
    pub fn new(
        now: Instant,
        wall_clock: SystemTime,
        settings: Settings,
        random: impl FnMut(&mut [u8]) + Send + 'static,
    ) -> Relay {
        Relay {
            settings,
            random: Box::new(random),
            started: (now, wall_clock.duration_since(UNIX_EPOCH).unwrap_or_default()),
            cookies: Cookies::new(),
            reported: Reported::new(),
            next_call: 0,
            next_play: 0,
            calls: HashMap::new(),
            by_id: HashMap::new(),
            sessions: HashMap::new(),
            dataplane: dataplane::dataplane(),
            reserve: Reserve::default(),
            timers: BTreeSet::from([(now + TIDY_EVERY, Timer::Tidy)]),
            outputs: VecDeque::new(),
            message: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Something happened. Take every [`Relay::poll_output`] after it.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Request { from, framing, bytes } => self.request(now, from, framing, &bytes),
            Input::DataplaneUp(hello) => self.dataplane_up(now, hello),
            Input::DataplaneDown => self.dataplane_down(now),
            Input::Dataplane(message) => self.dataplane_said(now, message),
            Input::Timeout => self.timeout(now),
        }
    }

    /// When [`Input::Timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        let ours = self.timers.first().map(|(at, _)| *at);
        [ours, self.dataplane.deadline()].into_iter().flatten().min()
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn timeout(&mut self, now: Instant) {
        self.expire_requests(now);
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Offer(call, dialogue) => self.offer_timeout(now, call, dialogue),
                Timer::Delete(call, dialogue) => self.delete_now(now, call, dialogue),
                Timer::Play(call) => self.play_waited(now, call),
                Timer::Orphans => self.delete_orphans(now),
                Timer::DeleteAgain(session) => self.delete_session(now, session),
                Timer::Reserve => self.reserve_timeout(now),
                Timer::Tidy => {
                    crate::table::shrink(&mut self.calls);
                    crate::table::shrink(&mut self.by_id);
                    crate::table::shrink(&mut self.sessions);
                    self.cookies.forget(now);
                    self.timers.insert((now + TIDY_EVERY, Timer::Tidy));
                }
            }
        }
    }

    /// Seconds since 1970.
    fn unix(&self, now: Instant) -> u64 {
        let (at, since_1970) = self.started;
        (since_1970 + now.saturating_duration_since(at)).as_secs()
    }

    /// Tells the operator, once for each text.
    fn warn_once(&mut self, text: &str) {
        if self.reported.is_new(text) {
            self.outputs.push_back(Output::Warn(text.to_owned()));
        }
    }
}
