//! Accounts at providers: those that the configuration gives to local users, and the ports that accounts have for
//! themselves, whoever logged in with them.

use super::browsers::BrowserId;
use super::calls::{Callee, Plan, Target};
use super::ports::{LINGER, Ports, TAKEN_REST};
use super::{Output, Switch, Timer};
use crate::call::PartyMedia;
use crate::party::{Cause, Shortage};
use crate::registrar::AddressOfRecord;
use crate::settings;
use crate::sip::user_agent::{Register, RegistrationHandle, RequestHandle};
use crate::sip::{NameAddr, Request, SipUri, Uri};
use crate::transport::Flow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Ports that are tried for one account before it is refused: other programs may have some.
const PORT_TRIES: u8 = 16;
/// After a refusal that trying again soon would not change, an account is tried again after so long: RFC 5626 section
/// 4.5's longest. Each time counts as a guess at the password.
const REFUSED_REST: Duration = Duration::from_secs(1_800);
/// While there is no room for it, an account is tried again after so long.
const ROOM_REST: Duration = Duration::from_secs(60);
/// At the start one account follows the other after so long, so that a provider of many is not flooded.
const START_INTERVAL: Duration = Duration::from_millis(20);

/// Whose an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineOwner {
    /// A browser logged in with it.
    Browser(BrowserId),
    /// The configuration's: its index.
    Configured(usize),
}

/// As whom a user calls by an account.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The account's address.
    pub(super) uri: SipUri,
    /// The user part of our Contact, by which the provider's calls find the account.
    pub(super) contact_user: String,
}

/// An account of the configuration.
#[derive(Debug)]
struct Line {
    settings: settings::Line,
    /// Unique and unguessable: only the provider knows it.
    contact_user: String,
    port: Option<u16>,
    registration: Option<RegistrationHandle>,
    is_registered: bool,
}

/// Accounts and ports.
#[derive(Debug, Default)]
pub(super) struct Lines {
    all: Vec<Line>,
    by_contact: HashMap<String, usize>,
    by_registration: HashMap<RegistrationHandle, usize>,
    ports: Ports,
    /// Who has, or waits for, which port, and how many were tried for it.
    by_port: HashMap<u16, (LineOwner, u8)>,
}

impl Lines {
    pub(super) fn new(range: Option<(u16, u16)>) -> Lines {
        Lines { ports: Ports::new(range), ..Lines::default() }
    }

    /// How many accounts of the configuration are registered.
    pub(super) fn registered(&self) -> usize {
        self.all.iter().filter(|line| line.is_registered).count()
    }

    /// Whether accounts have ports of their own.
    pub(super) fn have_ports(&self) -> bool {
        self.ports.are_used()
    }

    /// How many ports are in use or rest.
    pub(super) fn ports(&self) -> usize {
        self.ports.used()
    }

    /// The account that a provider's call is for, by the user part of our Contact.
    pub(super) fn by_contact(&self, contact_user: &str) -> Option<usize> {
        self.by_contact.get(contact_user).copied()
    }
}

impl Switch {
    /// Takes in the accounts of the configuration; each is registered a moment later.
    pub(super) fn add_lines(&mut self, now: Instant) {
        for (index, settings) in self.settings.lines.clone().into_iter().enumerate() {
            let contact_user = self.token();
            self.lines.by_contact.insert(contact_user.clone(), index);
            let line = Line { settings, contact_user, port: None, registration: None, is_registered: false };
            self.lines.all.push(line);
            let turn = START_INTERVAL * u32::try_from(index).unwrap_or(u32::MAX);
            self.timers.insert((now + turn, Timer::Line(index)));
        }
    }

    /// Opens an account of the configuration, which may have been refused before.
    pub(super) fn open_line(&mut self, now: Instant, index: usize) {
        let Some(line) = self.lines.all.get(index) else { return };
        let has_port = line.port.is_some();
        let result = match has_port || !self.lines.have_ports() {
            true => self.register_line(now, index),
            false => self.claim_port(LineOwner::Configured(index)),
        };
        if result.is_err() {
            self.timers.insert((now + ROOM_REST, Timer::Line(index)));
        }
    }

    fn register_line(&mut self, now: Instant, index: usize) -> Result<(), Cause> {
        let Some(line) = self.lines.all.get(index).filter(|line| line.settings.register) else {
            return Ok(());
        };
        let register = Register {
            aor: Uri::Sip(line.settings.uri.clone()),
            route: line.settings.route.clone(),
            contact_user: line.contact_user.clone(),
            port: line.port,
            expires: self.settings.providers.register_expires,
            keep_alive: line.settings.keep_alive,
            credentials: line.settings.credentials.clone(),
        };
        let handle = self.register_at_provider(now, register)?;
        self.lines.by_registration.insert(handle, index);
        if let Some(line) = self.lines.all.get_mut(index) {
            line.registration = Some(handle);
        }
        Ok(())
    }

    /// Registers, if there is room for one more.
    ///
    /// # Errors
    /// 503: the limit is reached, or the process is about to end.
    pub(super) fn register_at_provider(
        &mut self,
        now: Instant,
        register: Register,
    ) -> Result<RegistrationHandle, Cause> {
        if self.is_leaving {
            return Err(Cause::new(503, "The server is about to end"));
        }
        if self.user_agent.registrations() >= self.settings.limits.registrations {
            self.counters.registrations_refused += 1;
            return Err(Cause::short_of(
                Shortage::Calls,
                503,
                "The limit of registrations at providers is reached",
            ));
        }
        Ok(self.user_agent.register(now, register))
    }

    /// A registration of the configuration's was made or renewed; false: it is none of these.
    pub(super) fn line_registered(&mut self, handle: RegistrationHandle) -> bool {
        let index = self.lines.by_registration.get(&handle).copied();
        let line = index.and_then(|index| self.lines.all.get_mut(index));
        line.map(|line| line.is_registered = true).is_some()
    }

    /// A registration of the configuration's failed; false: it is none of these.
    pub(super) fn line_failed(&mut self, now: Instant, handle: RegistrationHandle, will_retry: bool) -> bool {
        let Some(index) = self.lines.by_registration.get(&handle).copied() else { return false };
        let Some(line) = self.lines.all.get_mut(index) else { return false };
        line.is_registered = false;
        if !will_retry {
            line.registration = None;
            self.lines.by_registration.remove(&handle);
            self.timers.insert((now + REFUSED_REST, Timer::Line(index)));
        }
        true
    }

    /// Asks for a port for an account. [`Switch::port_opened`] goes on.
    ///
    /// # Errors
    /// 503: all are in use.
    pub(super) fn claim_port(&mut self, owner: LineOwner) -> Result<(), Cause> {
        self.try_port(owner, 1)
    }

    fn try_port(&mut self, owner: LineOwner, tries: u8) -> Result<(), Cause> {
        let port = self.lines.ports.take().filter(|_| tries <= PORT_TRIES);
        let port =
            port.ok_or_else(|| Cause::short_of(Shortage::SipPorts, 503, "All signalling ports are in use"))?;
        self.lines.by_port.insert(port, (owner, tries));
        self.outputs.push_back(Output::OpenPort { port });
        Ok(())
    }

    pub(super) fn port_opened(&mut self, now: Instant, port: u16, is_open: bool) {
        let owner = self.lines.by_port.get(&port).copied();
        if !is_open {
            self.lines.by_port.remove(&port);
            self.timers.insert((now + TAKEN_REST, Timer::Port { port, is_open }));
        }
        match owner {
            Some((LineOwner::Configured(index), tries)) => {
                let result = match is_open {
                    true => {
                        if let Some(line) = self.lines.all.get_mut(index) {
                            line.port = Some(port);
                        }
                        self.register_line(now, index)
                    }
                    false => self.try_port(LineOwner::Configured(index), tries + 1),
                };
                if result.is_err() {
                    self.timers.insert((now + ROOM_REST, Timer::Line(index)));
                }
            }
            Some((LineOwner::Browser(id), tries)) => {
                let result = match is_open {
                    true => self.browser_has_port(now, id, port),
                    false => self.try_port(LineOwner::Browser(id), tries + 1),
                };
                if let Err(cause) = result {
                    self.browser_has_no_port(now, id, &cause);
                }
            }
            // The account was closed before: whatever is open is given back at once.
            None if is_open => self.port_rested(port, true),
            None => {}
        }
    }

    /// An account is gone: its port is closed when its last requests are answered.
    pub(super) fn release_port(&mut self, now: Instant, port: u16) {
        if self.lines.by_port.remove(&port).is_some() {
            self.timers.insert((now + LINGER, Timer::Port { port, is_open: true }));
        }
    }

    /// A port has rested.
    pub(super) fn port_rested(&mut self, port: u16, is_open: bool) {
        if is_open {
            self.outputs.push_back(Output::ClosePort { port });
        }
        self.lines.ports.free(port);
    }

    /// A provider calls an account of the configuration.
    pub(super) fn invite_for_line(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        flow: &Flow,
        request: &Request,
        index: usize,
    ) {
        let Some(line) = self.lines.all.get(index) else { return };
        let owner = line.settings.owner.clone();
        let callees = self.reachable(now, &owner);
        let plan = match callees.is_empty() {
            true => Err(Cause::new(480, format!("{} is not logged in", owner.user))),
            // The caller is at the provider: only the callee's calls are ours to limit.
            false => self.admit(None, Some(&owner.to_string())).map(|()| {
                let (source, home) = (flow.remote.ip(), &line.settings.uri.host);
                self.plan_from_provider(request, source, home, callees, owner.to_string())
            }),
        };
        self.accept_from_provider(now, handle, request, plan);
    }

    /// How a local user calls somebody who is not here: by the account at the callee's own domain, or by the one whose
    /// prefix was dialled. `None`: it has none for this.
    pub(super) fn by_line(&self, owner: &AddressOfRecord, uri: &Uri) -> Option<(Callee, NameAddr)> {
        let of_owner = || self.lines.all.iter().filter(|line| line.settings.owner == *owner);
        if let Some(called) = uri.as_sip()
            && self.local_domain(&called.host).is_none()
        {
            let line = of_owner().find(|line| line.settings.uri.host == called.host)?;
            return Some((self.line_callee(line, uri.clone()), NameAddr::new(uri.clone())));
        }
        let number = match uri {
            Uri::Tel(tel) => tel.digits(),
            Uri::Sip(uri) => uri.user_name()?,
            Uri::Other(_) => return None,
        };
        let dialled = |line: &&Line| {
            number.len() > line.settings.prefix.len() && number.starts_with(&line.settings.prefix)
        };
        let longest = of_owner().filter(dialled).map(|line| line.settings.prefix.len()).max()?;
        let line = of_owner().filter(dialled).find(|line| line.settings.prefix.len() == longest)?;
        let number = number.get(longest..)?;
        let uri = Uri::Sip(SipUri::new(Some(number), line.settings.uri.host.clone(), None));
        Some((self.line_callee(line, uri.clone()), NameAddr::new(uri)))
    }

    /// Whoever is at the provider of an account may have the account's user call somebody there.
    ///
    /// # Errors
    /// 403: the address is not the provider's.
    pub(super) fn line_destination(
        &self,
        line: usize,
        uri: &Uri,
        caller_media: PartyMedia,
    ) -> Result<Plan, Cause> {
        let elsewhere = || Cause::new(403, "A provider can transfer within its own domain only");
        let line = self.lines.all.get(line).ok_or_else(elsewhere)?;
        if uri.as_sip().is_none_or(|uri| uri.host != line.settings.uri.host) {
            return Err(elsewhere());
        }
        let owner = line.settings.owner.to_string();
        let callees = vec![self.line_callee(line, uri.clone())];
        let from = NameAddr::new(Uri::Sip(line.settings.uri.clone()));
        let made =
            Plan::of_transfer(caller_media, callees, from, NameAddr::new(uri.clone()), [Some(owner), None]);
        Ok(Plan { contact_user: line.contact_user.clone(), ..made })
    }

    fn line_callee(&self, line: &Line, uri: Uri) -> Callee {
        let identity = Identity { uri: line.settings.uri.clone(), contact_user: line.contact_user.clone() };
        let target = Target::Provider {
            uri,
            route: line.settings.route.clone(),
            port: line.port,
            credentials: Box::new(line.settings.credentials.clone()),
            identity: Some(Box::new(identity)),
        };
        Callee { target, media: self.provider_media(&line.settings.uri.host) }
    }
}
