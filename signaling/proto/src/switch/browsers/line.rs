//! The account at a provider that a browser logged in with: registered for as long as it is logged in.

use super::{Account, BrowserId, ProviderAccount};
use crate::party::Cause;
use crate::sip::user_agent::{Register, RegistrationHandle};
use crate::sip::{HeaderName, Headers, Uri};
use crate::switch::Switch;
use crate::switch::lines::LineOwner;
use crate::wcs::ServerMessage;
use std::time::Instant;

impl Switch {
    /// Gives a browser its account; [`ServerMessage::Registered`] or its failure follows where it registers.
    ///
    /// # Errors
    /// 403: its user must wait after wrong passwords; 503: the limit of registrations, or of ports, is reached.
    pub(super) fn open_browser_line(
        &mut self,
        now: Instant,
        id: BrowserId,
        account: ProviderAccount,
    ) -> Result<(), Cause> {
        let Some(browser) = self.browsers.get(&id) else { return Ok(()) };
        if self.lockout.is_locked(now, &account.uri.to_string(), browser.remote.ip()) {
            self.counters.locked_out += 1;
            return Err(Cause::new(403, "Too many wrong passwords; wait"));
        }
        self.close_browser_line(now, id);
        self.browser_by_contact.insert(account.contact_user.clone(), id);
        if let Some(browser) = self.browsers.get_mut(&id) {
            browser.account = Some(Account::Provider(Box::new(account)));
        }
        let opened = match self.lines.have_ports() {
            true => self.claim_port(LineOwner::Browser(id)),
            false => self.register_browser(now, id),
        };
        if opened.is_err() {
            self.close_browser_line(now, id);
        }
        opened
    }

    fn browser_line(&mut self, id: BrowserId) -> Option<&mut ProviderAccount> {
        match self.browsers.get_mut(&id)?.account.as_mut()? {
            Account::Provider(account) => Some(account),
            Account::Local(_) => None,
        }
    }

    fn register_browser(&mut self, now: Instant, id: BrowserId) -> Result<(), Cause> {
        let (expires, keep_alive) =
            (self.settings.providers.register_expires, self.settings.providers.keep_alive);
        let Some(account) = self.browser_line(id).filter(|account| account.registers) else { return Ok(()) };
        let register = Register {
            aor: Uri::Sip(account.uri.clone()),
            route: account.route.clone(),
            contact_user: account.contact_user.clone(),
            port: account.port,
            expires,
            keep_alive,
            credentials: account.credentials.clone(),
        };
        let handle = self.register_at_provider(now, register)?;
        if let Some(account) = self.browser_line(id) {
            account.registration = Some(handle);
        }
        self.browser_by_registration.insert(handle, id);
        Ok(())
    }

    /// The port that was asked for is open.
    pub(in crate::switch) fn browser_has_port(
        &mut self,
        now: Instant,
        id: BrowserId,
        port: u16,
    ) -> Result<(), Cause> {
        let Some(account) = self.browser_line(id) else {
            // It logged off meanwhile.
            self.release_port(now, port);
            return Ok(());
        };
        account.port = Some(port);
        self.register_browser(now, id)
    }

    /// There is no port for it, or no room for its registration.
    pub(in crate::switch) fn browser_has_no_port(&mut self, now: Instant, id: BrowserId, cause: &Cause) {
        self.close_browser_line(now, id);
        self.say(id, &ServerMessage::RegisterFailed(cause));
    }

    /// Takes a browser's account back: the binding is removed, the port is given back.
    pub(super) fn close_browser_line(&mut self, now: Instant, id: BrowserId) {
        let account = self.browsers.get_mut(&id).and_then(|browser| browser.account.take());
        let Some(Account::Provider(account)) = account else { return };
        self.browser_by_contact.remove(&account.contact_user);
        if let Some(registration) = account.registration {
            self.browser_by_registration.remove(&registration);
            self.user_agent.unregister(now, registration);
        }
        if let Some(port) = account.port {
            self.release_port(now, port);
        }
    }

    pub(in crate::switch) fn registered(&mut self, handle: RegistrationHandle) {
        let Some(id) = self.browser_by_registration.get(&handle).copied() else { return };
        let Some(browser) = self.browsers.get_mut(&id) else { return };
        let source = browser.remote.ip();
        // A refresh is no news to the browser.
        if let Some(Account::Provider(account)) = &mut browser.account
            && !std::mem::replace(&mut account.is_registered, true)
        {
            self.lockout.succeeded(&account.uri.to_string(), source);
            self.say(id, &ServerMessage::Registered);
        }
    }

    /// The provider asked whether the browser is there. It was answered already; some clients like to know.
    pub(in crate::switch) fn tell_options(&mut self, id: BrowserId) {
        self.say(id, &ServerMessage::Options);
    }

    /// The registrar's answer may say what is left of the user's money, in the header field that is configured.
    pub(in crate::switch) fn note_balance(&mut self, handle: RegistrationHandle, headers: &Headers) {
        let Some(id) = self.browser_by_registration.get(&handle).copied() else { return };
        let name = self.settings.providers.balance_header.clone().map(HeaderName::Other);
        let Some(balance) = name.and_then(|name| amount(headers.get(name)?)) else { return };
        if let Some(account) = self.browser_line(id)
            && account.balance.replace(balance) != Some(balance)
        {
            self.say(id, &ServerMessage::Balance(balance));
        }
    }

    pub(in crate::switch) fn registration_failed(
        &mut self,
        now: Instant,
        handle: RegistrationHandle,
        cause: &Cause,
        will_retry: bool,
    ) {
        let Some(id) = self.browser_by_registration.get(&handle).copied() else { return };
        if !will_retry {
            self.browser_by_registration.remove(&handle);
        }
        let Some(browser) = self.browsers.get_mut(&id) else { return };
        let source = browser.remote.ip();
        if let Some(Account::Provider(account)) = &mut browser.account {
            account.is_registered = false;
            account.registration = account.registration.filter(|_| will_retry);
            // Nobody guesses at a provider's passwords through us (attacks.md row 10).
            if matches!(cause.status, 401 | 403 | 407) {
                self.lockout.failed(now, &account.uri.to_string(), source);
            }
        }
        self.say(id, &ServerMessage::RegisterFailed(cause));
    }
}

/// The number that a text begins with, behind which a currency may stand.
fn amount(text: &str) -> Option<f64> {
    let number = text.split_ascii_whitespace().next()?;
    // Rust reads more as a number than people write: "infinity", "1e400".
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
    number.parse().ok().filter(|amount: &f64| is_plain && amount.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_is_a_number_with_or_without_a_currency() {
        assert_eq!(amount("12.50"), Some(12.5));
        assert_eq!(amount(" -3 EUR"), Some(-3.0));
        for text in ["", "EUR 3", "infinity", "NaN", "1e9", "1,5", "--1", "."] {
            assert_eq!(amount(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,400}", digits in "[0-9+.-]{0,400}") {
            for text in [text, digits] {
                prop_assert!(amount(&text).is_none_or(f64::is_finite));
            }
        }
    }
}
