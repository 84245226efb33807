//! Browsers that log in: at a local domain, or at a provider's.

use super::{Account, BrowserId, ProviderAccount};
use crate::party::Cause;
use crate::registrar::AddressOfRecord;
use crate::sip::auth::{Credentials, Secret};
use crate::sip::{SipUri, Uri};
use crate::switch::Switch;
use crate::switch::authentication::LoginError;
use crate::wcs::{self, Generation, Login, ServerMessage};
use std::time::Instant;

impl Switch {
    pub(super) fn log_in(&mut self, now: Instant, id: BrowserId, login: &Login) {
        let version = self.settings.product.clone();
        let token = self.prepare_return(id, login);
        let resume_token = token.as_deref();
        self.say(id, &ServerMessage::UserData { login, version: &version, resume_token });
        if let Some(browser) = self.browsers.get_mut(&id) {
            browser.visible_name.clone_from(&login.visible_name);
            browser.takes_offers = login.takes_offers;
            browser.page_url.clone_from(&login.page_url);
        }
        let result = match &login.account {
            Some(account) => self.open_account(now, id, account),
            None => self.log_in_by_token(now, id, login),
        };
        match result {
            Ok(true) => {
                if !self.is_told_by_user_data(id, login) {
                    self.say(id, &ServerMessage::Registered);
                }
                self.deliver_to_browser(now, id);
            }
            Ok(false) => {}
            Err(cause) => self.say(id, &ServerMessage::RegisterFailed(&cause)),
        }
    }

    /// Whether nothing is to follow `getUserData` where the login succeeds: the npm client of WCS 5 has streams in no
    /// session that is `REGISTERED`, so that one which does not want to be registered must not be told that it is.
    fn is_told_by_user_data(&self, id: BrowserId, login: &Login) -> bool {
        let generation = self.browsers.get(&id).and_then(|browser| browser.wire.generation());
        generation == Some(Generation::V5) && login.account.as_ref().is_some_and(|account| !account.register)
    }

    /// True: the browser is logged in; false: the provider will tell.
    fn open_account(&mut self, now: Instant, id: BrowserId, account: &wcs::Account) -> Result<bool, Cause> {
        let unknown = || Cause::new(478, "The domain is malformed");
        let domain = match (account.domain.as_str(), self.settings.domains.first()) {
            ("", Some(first)) => first.name.clone(),
            (domain, _) => domain.to_owned(),
        };
        let Ok(Uri::Sip(domain)) = format!("sip:{domain}").parse::<Uri>() else { return Err(unknown()) };
        // An address of ours at another port than ours is a provider beside us.
        let port = domain.port.or(account.port);
        let is_our_port = |port| self.settings.sip.iter().any(|(_, address)| address.port() == port);
        let is_elsewhere = domain.host.ip().is_some() && port.is_some_and(|port| !is_our_port(port));
        match self.local_domain(&domain.host).filter(|_| !is_elsewhere) {
            Some(local) => self.open_local(now, id, account, local),
            None => self.open_provider(now, id, account, domain),
        }
    }

    fn open_local(
        &mut self,
        now: Instant,
        id: BrowserId,
        account: &wcs::Account,
        domain: String,
    ) -> Result<bool, Cause> {
        let aor = AddressOfRecord { user: account.login.clone(), domain };
        let Some(browser) = self.browsers.get(&id) else { return Ok(false) };
        let source = browser.remote.ip();
        match self.check_password(now, &aor, &account.password, source) {
            Ok(()) => {}
            Err(LoginError::Locked) => return Err(Cause::new(403, "Too many wrong passwords; wait")),
            Err(LoginError::Wrong) => return Err(Cause::new(403, "Wrong user name or password")),
        }
        let others = self.browsers.values().filter(|browser| browser.is_local_user(&aor)).count();
        if others >= self.settings.limits.contacts_per_user {
            return Err(Cause::new(403, "Logged in too many times"));
        }
        if let Some(browser) = self.browsers.get_mut(&id) {
            self.watchers.note_registration(&aor);
            browser.account = Some(Account::Local(aor));
        }
        Ok(true)
    }

    fn open_provider(
        &mut self,
        now: Instant,
        id: BrowserId,
        account: &wcs::Account,
        domain: SipUri,
    ) -> Result<bool, Cause> {
        let provider = self.provider_account(account, domain)?;
        self.open_browser_line(now, id, ProviderAccount { registers: account.register, ..provider })?;
        Ok(!account.register)
    }

    /// An account at a provider's, not registered yet.
    pub(super) fn provider_account(
        &mut self,
        account: &wcs::Account,
        domain: SipUri,
    ) -> Result<ProviderAccount, Cause> {
        let allowed = &self.settings.providers.allowed;
        let name = domain.host.to_string();
        if !allowed.is_empty() && !allowed.iter().any(|each| each.eq_ignore_ascii_case(&name)) {
            return Err(Cause::new(403, format!("The domain {name} is not allowed here")));
        }
        let route = provider_route(account, &domain)?;
        let next_hop = route.as_ref().and_then(Uri::as_sip).unwrap_or(&domain);
        if next_hop.host.ip().is_some_and(|address| self.is_forbidden(address)) {
            return Err(Cause::new(403, "Providers on private addresses are not allowed here"));
        }
        let credentials = Credentials {
            username: account.authentication_name.clone(),
            secret: Secret::Password(account.password.clone()),
            realm: None,
        };
        Ok(ProviderAccount {
            uri: SipUri::new(Some(&account.login), domain.host, None),
            route,
            credentials,
            contact_user: self.token(),
            registers: false,
            port: None,
            registration: None,
            is_registered: false,
            balance: None,
        })
    }
}

/// Where a provider's requests go first: the outbound proxy, or the domain where it has a port.
fn provider_route(account: &wcs::Account, domain: &SipUri) -> Result<Option<Uri>, Cause> {
    let mut hop = match &account.outbound_proxy {
        Some(proxy) => {
            let has_scheme = proxy.starts_with("sip:") || proxy.starts_with("sips:");
            let text = if has_scheme { proxy.clone() } else { format!("sip:{proxy}") };
            match text.parse() {
                Ok(Uri::Sip(uri)) => uri,
                _ => return Err(Cause::new(478, "The outbound proxy is malformed")),
            }
        }
        None => domain.clone(),
    };
    hop.port = hop.port.or(account.port);
    if account.outbound_proxy.is_none() && hop.port.is_none_or(|port| port == 5060) {
        return Ok(None);
    }
    hop.params.set("lr", None);
    Ok(Some(Uri::Sip(hop)))
}
