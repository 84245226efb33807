//! Browsers that lose their connection and come back: login and calls are kept for a while, and what was said meanwhile is
//! said again.

use super::{Account, BrowserId};
use crate::messaging::MessageId;
use crate::switch::{Output, Switch, Timer};
use crate::transport::ConnectionId;
use crate::wcs::{self, CallStatus, Login, ServerMessage};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Frames that are kept for a browser which may not have got them, and their bytes in all.
const MAX_KEPT_FRAMES: usize = 128;
const MAX_KEPT_BYTES: usize = 256 * 1024;
/// Messages that are remembered as shown to a browser which has not said yet that it took them.
const MAX_SHOWN: usize = MAX_KEPT_FRAMES;
/// A browser from which nothing came for so long has no connection, whatever TCP believes: it says something more often.
const SILENCE: Duration = Duration::from_secs(25);

/// What it takes for a browser to come back.
#[derive(Debug, Default)]
pub(super) struct Return {
    /// How it logged in, without the password.
    login: Option<Box<Login>>,
    /// What it shows to come back: the token that it has, and the one before, if it never got the newer one.
    tokens: [Option<String>; 2],
    kept: Kept,
    /// The messages that it was shown and has not taken yet, the oldest first.
    shown: VecDeque<MessageId>,
    /// Until when it may come back; `None`: it is there.
    until: Option<Instant>,
}

/// The frames that a browser may not have got.
#[derive(Debug, Default)]
struct Kept {
    frames: VecDeque<String>,
    bytes: usize,
    /// Frames that were kept ever; the last one's number.
    count: u64,
    /// Whether some were given up for want of room, up to this number.
    lost: u64,
}

impl Kept {
    fn push(&mut self, text: &str) {
        self.count += 1;
        self.bytes += text.len();
        self.frames.push_back(text.to_owned());
        while self.frames.len() > MAX_KEPT_FRAMES || self.bytes > MAX_KEPT_BYTES {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.len();
            self.lost = self.count - len(&self.frames);
        }
    }

    /// Forgets the frames up to this number.
    fn confirm(&mut self, number: u64) {
        while self.count - len(&self.frames) < number.min(self.count) {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }
}

fn len(frames: &VecDeque<String>) -> u64 {
    u64::try_from(frames.len()).unwrap_or(u64::MAX)
}

impl Return {
    /// Whether a frame that is sent is to be kept: those of the handshake say how things stand, and come anew.
    pub(super) fn keep(&mut self, message: &ServerMessage<'_>, text: &str) {
        use ServerMessage as S;
        let is_handshake =
            matches!(message, S::UserData { .. } | S::Registered | S::Resumed { .. } | S::Ping | S::Pong);
        if self.login.is_some() && !is_handshake {
            self.kept.push(text);
        }
    }

    pub(super) fn may_come_back(&self) -> bool {
        self.login.is_some()
    }

    /// Notes that a message is shown. False: it need not be, as it was before: a browser that comes back gets each frame
    /// that it missed, or must log in anew, as another one.
    pub(super) fn note_shown(&mut self, id: MessageId) -> bool {
        if !self.may_come_back() {
            return true;
        }
        if self.shown.contains(&id) {
            return false;
        }
        if self.shown.len() >= MAX_SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(id);
        true
    }

    /// The browser took, or refused, a message.
    pub(super) fn note_taken(&mut self, id: MessageId) {
        self.shown.retain(|each| *each != id);
    }
}

impl Switch {
    /// Notes that a browser which logs in will come back after a lost connection; what it is to show then.
    pub(super) fn prepare_return(&mut self, id: BrowserId, login: &Login) -> Option<String> {
        if !login.resume {
            return None;
        }
        let mut login = Box::new(login.clone());
        if let Some(account) = &mut login.account {
            account.password = Zeroizing::default();
        }
        self.browsers.get_mut(&id)?.back.login = Some(login);
        Some(self.new_return_token(id))
    }

    fn new_return_token(&mut self, id: BrowserId) -> String {
        let token = self.token();
        if let Some(browser) = self.browsers.get_mut(&id) {
            let [current, previous] = &mut browser.back.tokens;
            if let Some(old) = std::mem::replace(previous, current.replace(token.clone())) {
                self.browser_by_return.remove(&old);
            }
        }
        self.browser_by_return.insert(token.clone(), id);
        token
    }

    /// The connection is gone; the browser may come back. False: it is not one of those.
    pub(super) fn await_return(&mut self, now: Instant, id: BrowserId) -> bool {
        let wait = self.settings.timers.reconnect;
        let Some(browser) = self.browsers.get_mut(&id) else { return false };
        if !browser.back.may_come_back() || browser.account.is_none() || wait.is_zero() {
            return false;
        }
        let until = now + wait;
        (browser.connection, browser.back.until) = (None, Some(until));
        self.timers.insert((until, Timer::BrowserAway(id)));
        true
    }

    pub(in crate::switch) fn browser_stayed_away(&mut self, now: Instant, id: BrowserId) {
        if self.browsers.get(&id).and_then(|browser| browser.back.until).is_some_and(|until| until <= now) {
            self.log_off(now, id);
        }
    }

    /// Whether a browser whose media stopped is given time to come back, as its connection is broken too.
    pub(in crate::switch) fn may_return(&mut self, now: Instant, id: BrowserId) -> bool {
        let Some(browser) = self.browsers.get(&id) else { return false };
        let Some(connection) = browser.connection else { return true };
        let is_silent = now.saturating_duration_since(browser.heard_at) >= SILENCE;
        if !is_silent || !self.await_return(now, id) {
            return false;
        }
        self.browser_by_connection.remove(&connection);
        self.outputs.push_back(Output::Close { connection });
        true
    }

    /// A browser comes back on a new connection, which was a browser of its own until now.
    pub(super) fn browser_returns(
        &mut self,
        now: Instant,
        new: BrowserId,
        token: &str,
        received: Option<u64>,
    ) {
        let Some((id, connection)) = self.find_return(new, token, received) else {
            self.say(new, &ServerMessage::ResumeFailed);
            // It may log in on this connection.
            if let Some(browser) = self.browsers.get_mut(&new) {
                browser.wire = wcs::Connection::new();
            }
            return;
        };
        let Some(arrival) = self.browsers.remove(&new) else { return };
        let Some(browser) = self.browsers.get_mut(&id) else { return };
        let old = browser.connection.replace(connection);
        (browser.remote, browser.heard_at, browser.back.until) = (arrival.remote, now, None);
        if received.is_none() {
            // Nobody knows what it missed, so nothing is said again; messages must not be lost by that.
            browser.back.shown.clear();
        }
        let kept = &mut browser.back.kept;
        kept.confirm(received.unwrap_or(kept.count));
        let missed: Vec<String> = kept.frames.iter().cloned().collect();
        self.browser_by_connection.insert(connection, id);
        if let Some(old) = old {
            self.browser_by_connection.remove(&old);
            self.outputs.push_back(Output::Close { connection: old });
        }
        self.greet_again(id);
        for text in missed {
            self.outputs.push_back(Output::Wcs { connection, text });
        }
        // It offers anew.
        self.give_up_offers(now, id, |_| true, "The browser lost its connection");
        self.tell_calls(id);
        self.deliver_to_browser(now, id);
    }

    /// The browser that this token is of, and the connection that it comes on.
    fn find_return(
        &self,
        new: BrowserId,
        token: &str,
        received: Option<u64>,
    ) -> Option<(BrowserId, ConnectionId)> {
        let id = *self.browser_by_return.get(token)?;
        let (browser, arrival) = (self.browsers.get(&id)?, self.browsers.get(&new)?);
        // A page of another origin has no business with the token (attacks.md row 21).
        let is_same_page = browser.origin == arrival.origin;
        let is_complete = received.is_none_or(|received| received >= browser.back.kept.lost);
        Some((id, arrival.connection?)).filter(|_| is_same_page && is_complete && new != id)
    }

    fn greet_again(&mut self, id: BrowserId) {
        let token = self.new_return_token(id);
        let Some(browser) = self.browsers.get(&id) else { return };
        let Some(login) = browser.back.login.clone() else { return };
        let is_registered = match &browser.account {
            Some(Account::Provider(account)) => account.is_registered || !account.registers,
            Some(Account::Local(_)) => true,
            None => false,
        };
        let version = self.settings.product.clone();
        self.say(
            id,
            &ServerMessage::UserData { login: &login, version: &version, resume_token: Some(&token) },
        );
        if is_registered {
            self.say(id, &ServerMessage::Registered);
        }
    }

    fn tell_calls(&mut self, id: BrowserId) {
        let Some(browser) = self.browsers.get(&id) else { return };
        let calls: Vec<(wcs::Call, CallStatus)> =
            browser.calls.values().map(|call| (call.info.clone(), call.status)).collect();
        let calls: Vec<(&wcs::Call, CallStatus)> =
            calls.iter().map(|(call, status)| (call, *status)).collect();
        self.say(id, &ServerMessage::Resumed { calls: &calls });
    }

    /// Forgets how a browser that is gone for good could have come back.
    pub(super) fn forget_return(&mut self, back: Return) {
        for token in back.tokens.into_iter().flatten() {
            self.browser_by_return.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_kept_until_they_are_confirmed_and_within_bounds() {
        let mut kept = Kept::default();
        for frame in ["one", "two", "three"] {
            kept.push(frame);
        }
        kept.confirm(2);
        assert_eq!((kept.frames.len(), kept.bytes, kept.lost), (1, 5, 0));
        kept.confirm(1);
        kept.confirm(9);
        assert!(kept.frames.is_empty() && kept.bytes == 0);
        for _ in 0..MAX_KEPT_FRAMES + 3 {
            kept.push("x");
        }
        assert_eq!((kept.frames.len(), kept.lost), (MAX_KEPT_FRAMES, 6));
        kept.push(&"x".repeat(MAX_KEPT_BYTES));
        assert_eq!((kept.frames.len(), kept.lost), (1, kept.count - 1));
    }
}
