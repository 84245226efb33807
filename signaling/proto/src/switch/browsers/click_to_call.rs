//! Browsers that hold a token: they may call one callee, whom they are not told, as a caller whom they are not told.

use super::{Account, BrowserId};
use crate::party::{Cause, Signal};
use crate::registrar::AddressOfRecord;
use crate::settings::{Grant, TokenAccount};
use crate::sip::{Uri, default_reason};
use crate::switch::calls::Plan;
use crate::switch::tokens::{Found, Place, check_use, unknown};
use crate::switch::{Output, Switch};
use crate::wcs::{ClientMessage, Generation, Login, NewCall, ServerMessage};
use std::sync::Arc;
use std::time::Instant;

impl Switch {
    /// True: the browser may call; false: the operator's server will tell.
    pub(super) fn log_in_by_token(
        &mut self,
        now: Instant,
        id: BrowserId,
        login: &Login,
    ) -> Result<bool, Cause> {
        let Some(token) = &login.token else {
            return Err(Cause::new(403, "A user name or a token is missing"));
        };
        match self.tokens.find(token, id)? {
            Found::Grant(grant) => self.grant_token(now, id, grant).map(|()| true),
            Found::Ask(query) => {
                let origin = self.browsers.get(&id).and_then(|browser| browser.origin.clone());
                let (token, page_url) = (token.clone(), login.page_url.clone());
                self.outputs.push_back(Output::AskToken { query, token, page_url, origin });
                Ok(false)
            }
        }
    }

    /// The operator's server knows a token, or does not.
    pub(in crate::switch) fn token_answered(&mut self, now: Instant, query: u64, grant: Option<Arc<Grant>>) {
        let Some(id) = self.tokens.asked_by(query) else { return };
        let result = grant.ok_or_else(unknown).and_then(|grant| self.grant_token(now, id, grant));
        match result {
            Ok(()) => self.say(id, &ServerMessage::Registered),
            Err(cause) => self.say(id, &ServerMessage::RegisterFailed(&cause)),
        }
    }

    fn grant_token(&mut self, now: Instant, id: BrowserId, grant: Arc<Grant>) -> Result<(), Cause> {
        let Some(browser) = self.browsers.get(&id) else { return Ok(()) };
        let place = Place {
            page_url: browser.page_url.as_deref(),
            origin: browser.origin.as_deref(),
            names_page: browser.wire.generation() == Some(Generation::V3),
        };
        check_use(now, &grant, place)?;
        let account = match &grant.account {
            TokenAccount::Local { user, domain } => {
                let aor = AddressOfRecord { user: user.clone(), domain: domain.clone() };
                self.users.contains_key(&aor).then_some(Account::Local(aor))
            }
            TokenAccount::Provider(account) => {
                let domain = format!("sip:{}", account.domain).parse();
                let Ok(Uri::Sip(domain)) = domain else { return Err(broken()) };
                let account = self.provider_account(account, domain).map_err(|_| broken())?;
                Some(Account::Provider(Box::new(account)))
            }
        };
        let account = account.ok_or_else(broken)?;
        if let Some(browser) = self.browsers.get_mut(&id) {
            (browser.account, browser.grant) = (Some(account), Some(grant));
        }
        Ok(())
    }

    /// The call that a token allows, whatever the page asks for.
    pub(super) fn plan_by_token(
        &mut self,
        now: Instant,
        id: BrowserId,
        grant: &Arc<Grant>,
        new: NewCall,
    ) -> Result<Plan, Cause> {
        if new.callee.is_some() || new.token.is_some_and(|token| token != grant.token) {
            return Err(Cause::new(403, "This call button calls one number only"));
        }
        let of_token = |browser: &&super::Browser| {
            browser.grant.as_ref().is_some_and(|other| other.token == grant.token)
        };
        let at_once = self.browsers.values().filter(of_token).map(|browser| browser.calls.len()).sum();
        let call = NewCall {
            callee: Some(grant.callee.clone()),
            visible_name: grant.label.clone(),
            token: None,
            ..new
        };
        // The words could name the callee.
        let plan = self.plan_by_account(now, id, call).map_err(masked)?;
        self.tokens.begin_call(now, grant, at_once)?;
        Ok(plan)
    }

    /// Whether a browser that holds a token may ask for this.
    pub(super) fn token_allows(&self, id: BrowserId, message: &ClientMessage) -> bool {
        let holds_token = self.browsers.get(&id).is_some_and(|browser| browser.grant.is_some());
        let needs_account = matches!(
            message,
            ClientMessage::Transfer { .. }
                | ClientMessage::SendInfo { .. }
                | ClientMessage::Message(_)
                | ClientMessage::Subscribe(_)
                | ClientMessage::Xcap { .. }
        );
        !(holds_token && needs_account)
    }

    /// A signal as a browser that holds a token may be told it: the far end's words could name the callee.
    pub(super) fn masked_for(&self, id: BrowserId, signal: Signal) -> Signal {
        match signal {
            signal if self.browsers.get(&id).is_none_or(|browser| browser.grant.is_none()) => signal,
            Signal::Reject(cause) => Signal::Reject(masked(cause)),
            Signal::Hangup(cause) => Signal::Hangup(masked(cause)),
            Signal::OfferReject(cause) => Signal::OfferReject(masked(cause)),
            signal => signal,
        }
    }
}

/// The token's account is wrong, which is not the visitor's business.
fn broken() -> Cause {
    Cause::new(500, "This call button is out of order")
}

fn masked(cause: Cause) -> Cause {
    Cause { text: default_reason(cause.status).to_owned(), ..cause }
}
