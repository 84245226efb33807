//! The calls of browsers: begun, rung, answered, ended.

use super::telling::failure;
use super::{Account, Browser, BrowserCall, BrowserId, Owes, ProviderAccount};
use crate::party::{Cause, Signal};
use crate::sip::{Host, NameAddr, SipUri, Uri};
use crate::switch::Switch;
use crate::switch::calls::{Callee, Endpoint, Plan, Target};
use crate::wcs::{self, CallStatus, NewCall, PictureSizes, ServerMessage, VideoState};
use std::time::Instant;

impl Switch {
    pub(super) fn browser_calls(&mut self, now: Instant, id: BrowserId, new: NewCall) {
        let call_id = new.call_id.clone().unwrap_or_else(|| self.token());
        let Some(browser) = self.browsers.get(&id) else { return };
        // Who holds a token is told neither who calls nor who is called.
        let account = browser.account.as_ref().filter(|_| browser.grant.is_none());
        let caller = account.map_or(String::new(), |account| match account {
            Account::Local(aor) => aor.user.clone(),
            Account::Provider(account) => account.uri.user_name().unwrap_or_default(),
        });
        let info = wcs::Call {
            id: call_id.clone(),
            incoming: false,
            caller,
            callee: new.callee.clone().unwrap_or_default(),
            visible_name: String::new(),
            video: new.sdp.as_deref().map(VideoState::of_client).unwrap_or_default(),
            sizes: PictureSizes::default(),
        };
        if browser.calls.contains_key(&call_id) {
            let cause = Cause::new(400, "There is a call with this identifier already");
            return self.say(id, &ServerMessage::Failed { call: &info, cause: &cause });
        }
        let endpoint = Endpoint::Browser(id, call_id.clone());
        let result = self.browser_plan(now, id, new).and_then(|plan| {
            let status = CallStatus::Trying;
            self.say(id, &ServerMessage::Status { call: &info, status });
            let call = BrowserCall {
                info: info.clone(),
                status,
                is_answered: false,
                is_described: false,
                codec: None,
                owes: plan.offer.is_none().then_some(Owes::LateAnswer),
            };
            if let Some(browser) = self.browsers.get_mut(&id) {
                browser.calls.insert(call_id.clone(), call);
            }
            self.start_call(now, endpoint, plan)
        });
        if let Err(cause) = result {
            self.tell_browser(now, id, &call_id, Signal::Reject(cause.clone()));
            if !self.forget_browser_call(id, &call_id) {
                self.say(id, &failure(&info, &cause));
            }
        }
    }

    fn browser_plan(&mut self, now: Instant, id: BrowserId, new: NewCall) -> Result<Plan, Cause> {
        match self.browsers.get(&id).and_then(|browser| browser.grant.clone()) {
            Some(grant) => self.plan_by_token(now, id, &grant, new),
            None => self.plan_by_account(now, id, new),
        }
    }

    pub(super) fn plan_by_account(&self, now: Instant, id: BrowserId, new: NewCall) -> Result<Plan, Cause> {
        let name = self.browsers.get(&id).map(Browser::user_name);
        let callee = new.callee.as_deref().unwrap_or_default();
        let mut plan = self.browser_destination(now, id, callee, name.as_deref())?;
        plan.offer = new.sdp.map(String::into_bytes);
        plan.from.display_name = new.visible_name.or(plan.from.display_name);
        Ok(plan)
    }

    /// Whom this browser's user may call by what was typed, and as whom. Its limit of calls counts where it is `counted`.
    pub(in crate::switch) fn browser_destination(
        &self,
        now: Instant,
        id: BrowserId,
        callee: &str,
        counted: Option<&str>,
    ) -> Result<Plan, Cause> {
        let logged_out = || Cause::new(403, "Log in first");
        let browser = self.browsers.get(&id).ok_or_else(logged_out)?;
        let account = browser.account.as_ref().ok_or_else(logged_out)?;
        let (host, from, contact_user) = match account {
            Account::Local(aor) => {
                let uri = aor.uri().ok_or_else(logged_out)?;
                (uri.host.clone(), uri, aor.user.clone())
            }
            Account::Provider(account) => {
                (account.uri.host.clone(), account.uri.clone(), account.contact_user.clone())
            }
        };
        let uri = wcs::callee_uri(callee, host, None)
            .map_err(|error| Cause::new(484, format!("Nobody can be called so: {error}")))?;
        let name = browser.user_name();
        let (callees, to, callee) = match account {
            Account::Local(_) => self.callees(now, &uri, &name, counted)?,
            Account::Provider(account) => {
                self.admit(counted, None)?;
                (vec![self.provider_target(account, &uri)], NameAddr::new(uri), None)
            }
        };
        let configured = match account {
            Account::Local(aor) => self.users.get(aor).and_then(|user| user.display_name.clone()),
            Account::Provider(_) => None,
        };
        let display_name = browser.visible_name.clone().or(configured);
        Ok(Plan {
            caller_media: browser.media(&self.settings),
            offer: None,
            callees,
            from: NameAddr { display_name, ..NameAddr::new(from) },
            contact_user,
            is_private: [false; 2],
            to,
            max_forwards: 70,
            users: [Some(name), callee],
            remotes: [None, None],
            payers: Vec::new(),
            headers: Vec::new(),
        })
    }

    pub(super) fn provider_target(&self, account: &ProviderAccount, uri: &Uri) -> Callee {
        let elsewhere = uri.as_sip().is_none_or(|uri| uri.host != account.uri.host);
        let home = || {
            let mut home = SipUri::new(None, account.uri.host.clone(), None);
            home.params.set("lr", None);
            Uri::Sip(home)
        };
        let route = account.route.clone().or_else(|| elsewhere.then(home));
        let credentials = Box::new(account.credentials.clone());
        Callee {
            target: Target::Provider {
                uri: uri.clone(),
                route,
                port: account.port,
                credentials,
                identity: None,
            },
            media: self.provider_media(&account.uri.host),
        }
    }

    /// Shows a call to a browser; the identifier that it has there. `None`: it is gone.
    pub(in crate::switch) fn ring_browser(
        &mut self,
        id: BrowserId,
        from: &NameAddr,
        to: &NameAddr,
        sdp: &[u8],
    ) -> Option<String> {
        let call_id = self.token();
        let host = self.browsers.get(&id).and_then(Browser::home)?;
        let text = std::str::from_utf8(sdp).ok();
        let info = wcs::Call {
            id: call_id.clone(),
            incoming: true,
            caller: short_name(&from.uri, &host),
            callee: short_name(&to.uri, &host),
            visible_name: from.display_name.clone().unwrap_or_default(),
            video: text.map(VideoState::of_peer).unwrap_or_default(),
            sizes: PictureSizes::default(),
        };
        self.say(id, &ServerMessage::Incoming { call: &info, sdp: text });
        let call = BrowserCall {
            info,
            status: CallStatus::Ring,
            is_answered: false,
            is_described: true,
            codec: None,
            owes: Some(Owes::Answer),
        };
        self.browsers.get_mut(&id)?.calls.insert(call_id.clone(), call);
        Some(call_id)
    }

    pub(super) fn browser_answers(&mut self, now: Instant, id: BrowserId, call_id: String, sdp: String) {
        let mut owes = None;
        self.with_browser_call(id, &call_id, |call| {
            owes = call.owes.take();
            call.is_answered |= owes == Some(Owes::Answer);
            call.info.video = VideoState::of_client(&sdp);
        });
        let sdp = sdp.into_bytes();
        let endpoint = Endpoint::Browser(id, call_id.clone());
        match owes {
            Some(Owes::Answer) => {
                self.endpoint_signal(now, &endpoint, Signal::Answer { sdp: Some(sdp) });
                // Unless it failed: then it was told so, and is forgotten.
                self.tell_status(id, &call_id, CallStatus::Established);
            }
            Some(Owes::LateAnswer) => self.endpoint_signal(now, &endpoint, Signal::LateAnswer { sdp }),
            Some(Owes::OfferAnswer { .. }) => {
                self.endpoint_signal(now, &endpoint, Signal::OfferAnswer { sdp })
            }
            None => {}
        }
    }

    /// The browser puts a call on hold, or takes it back.
    pub(super) fn browser_holds(&mut self, now: Instant, id: BrowserId, call_id: &str, on: bool) {
        self.endpoint_signal(now, &Endpoint::Browser(id, call_id.to_owned()), Signal::Hold { on });
        self.with_browser_call(id, call_id, |call| {
            call.status = if on { CallStatus::Hold } else { CallStatus::Established };
        });
        let Some(call) = self.browser_call(id, call_id) else { return };
        self.say(id, &ServerMessage::HoldResult { call: &call, on });
    }

    pub(super) fn browser_hangs_up(
        &mut self,
        now: Instant,
        id: BrowserId,
        call_id: String,
        status: Option<u16>,
    ) {
        let call = self.browsers.get(&id).and_then(|browser| browser.calls.get(&call_id));
        let Some(call) = call else { return };
        let info = call.info.clone();
        let signal = if info.incoming && !call.is_answered {
            let status = status.unwrap_or(603);
            Signal::Reject(Cause::new(status, crate::sip::default_reason(status)))
        } else {
            Signal::Hangup(Cause::normal())
        };
        self.endpoint_signal(now, &Endpoint::Browser(id, call_id.clone()), signal);
        self.forget_browser_call(id, &call_id);
        // The npm client ends a call only when the server says so.
        self.say(id, &ServerMessage::Finish { call: &info, cause: &Cause::normal() });
    }
}

/// A user's name alone where it is of the browser's own domain, its address elsewhere.
pub(super) fn short_name(uri: &Uri, home: &Host) -> String {
    match uri {
        Uri::Sip(uri) if uri.host == *home => uri.user_name().unwrap_or_default(),
        Uri::Sip(uri) => format!("{}@{}", uri.user_name().unwrap_or_default(), uri.host),
        Uri::Tel(uri) => uri.digits(),
        Uri::Other(text) => text.clone(),
    }
}
