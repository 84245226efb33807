//! An ICE-lite agent (RFC 8445 section 2.5) for one leg with one component: it answers checks, never sends any.
//!
//! The peer is a full agent and controls. What it nominates last is [`IceLite::selected`]; see
//! [`IceLite::receive`] for several nominations at once. Consent (RFC 7675) is what a lite agent can have of it:
//! the peer's authenticated checks on the pair in use.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tandem_control::{Ice, IceCredentials};

use crate::stun::{Answer, Request, Role, StunError};

/// How many source addresses are remembered as validated; the one unheard for longest makes room.
pub const MAX_VALIDATED: usize = 8;
/// Consent lasts this long after a check (RFC 7675 section 5.1).
pub const CONSENT: Duration = Duration::from_secs(30);
/// How long a nomination keeps pairs of lower priority out, see [`IceLite::receive`].
const NOMINATION_HOLD: Duration = Duration::from_secs(3);

/// What a check meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IceOutcome {
    /// So many bytes of the reply buffer go back to the source; never 0.
    pub reply_len: usize,
    /// The source is validated now.
    pub validated: bool,
    /// [`IceLite::selected`] is another address than before.
    pub selected_changed: bool,
    /// The check was answered with an error, for this reason.
    pub rejected: Option<StunError>,
}

/// Which credentials a check used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    /// Those of before the last restart.
    Previous,
    Current,
}

/// An address from which an authenticated check came.
struct Validated {
    address: SocketAddr,
    generation: Generation,
    heard: Instant,
}

/// The pair in use.
struct Nominated {
    address: SocketAddr,
    generation: Generation,
    /// PRIORITY of the nominating check.
    priority: u32,
    /// When the peer last said so.
    at: Instant,
}

/// The agent.
pub struct IceLite {
    local: IceCredentials,
    /// The credentials of before a restart, until the new generation has a nominated pair (RFC 8445 section 9).
    previous: Option<IceCredentials>,
    /// In the order of their first check.
    validated: Vec<Validated>,
    nominated: Option<Nominated>,
    /// The last check on the pair in use, or the last restart.
    consented: Instant,
}

impl IceLite {
    /// An agent with the local credentials of `ice`.
    pub fn new(now: Instant, ice: &Ice) -> IceLite {
        IceLite {
            local: ice.local.clone(),
            previous: None,
            validated: Vec::with_capacity(MAX_VALIDATED),
            nominated: None,
            consented: now,
        }
    }

    /// Takes the leg's new description. Other local credentials are a restart (RFC 8445 section 9): the pair in
    /// use goes on, with a fresh consent period, until one of the new generation is nominated.
    pub fn update(&mut self, now: Instant, ice: &Ice) {
        if ice.local == self.local {
            return;
        }
        let before = std::mem::replace(&mut self.local, ice.local.clone());
        // Restarted twice before a nomination: the oldest generation still carries the media.
        if self.previous.is_none() {
            self.previous = Some(before);
            self.nominated.iter_mut().for_each(|pair| pair.generation = Generation::Previous);
            self.validated.iter_mut().for_each(|source| source.generation = Generation::Previous);
        } else {
            self.validated.retain(|source| source.generation == Generation::Previous);
        }
        self.consented = now;
    }

    /// Whether checks for this local user fragment belong here: that of now, or of before a restart.
    pub fn has_local_ufrag(&self, ufrag: &str) -> bool {
        self.credentials(ufrag).is_some()
    }

    /// Takes a STUN packet and writes the answer into `reply`, which holds [`crate::stun::MAX_REPLY`] or more.
    ///
    /// Of several nominated pairs the one of the highest priority is selected (RFC 8445 section 8.1.1, for
    /// peers that nominate aggressively). One of a lower priority takes over when the other has not been
    /// nominated again for three seconds: so do browsers move when a network goes away.
    ///
    /// # Errors
    /// What is not answered at all: see [`Request::parse`]. Nothing changed.
    pub fn receive(
        &mut self,
        now: Instant,
        source: SocketAddr,
        packet: &[u8],
        reply: &mut [u8],
    ) -> Result<IceOutcome, StunError> {
        let request = Request::parse(packet)?;
        let transaction = request.transaction;
        let (generation, credentials) = match self.authenticate(&request) {
            Ok(authenticated) => authenticated,
            Err((code, reason)) => {
                let reply_len = Answer::Unauthenticated(code).write(transaction, "", reply)?;
                return Ok(IceOutcome { reply_len, rejected: Some(reason), ..IceOutcome::default() });
            }
        };
        let refusal = if !request.unknown.as_slice().is_empty() {
            Some((Answer::UnknownAttributes(&request.unknown), StunError::UnknownAttribute))
        } else if request.role == Some(Role::Controlled) {
            // RFC 8445 section 7.3.1.1; a lite agent facing a full one stays controlled (section 6.1.1).
            Some((Answer::RoleConflict, StunError::RoleConflict))
        } else {
            None
        };
        if let Some((answer, reason)) = refusal {
            let reply_len = answer.write(transaction, &credentials.password, reply)?;
            return Ok(IceOutcome { reply_len, rejected: Some(reason), ..IceOutcome::default() });
        }
        let reply_len = Answer::Success(source).write(transaction, &credentials.password, reply)?;
        let before = self.selected();
        self.validate(now, source, generation);
        if request.use_candidate {
            self.nominate(now, source, generation, request.priority.unwrap_or(0));
        }
        if self.destination() == Some(source) {
            self.consented = now;
        }
        let selected_changed = self.selected() != before;
        Ok(IceOutcome { reply_len, validated: true, selected_changed, rejected: None })
    }

    /// The address that the peer nominated.
    pub fn selected(&self) -> Option<SocketAddr> {
        self.nominated.as_ref().map(|pair| pair.address)
    }

    /// Where to send: the nominated address, or before any nomination the first validated one (RFC 8445
    /// section 12.1 lets an agent use any valid pair until then).
    pub fn destination(&self) -> Option<SocketAddr> {
        self.selected().or_else(|| self.validated.first().map(|source| source.address))
    }

    /// Whether an authenticated check came from this address.
    pub fn is_validated(&self, source: SocketAddr) -> bool {
        self.validated.iter().any(|validated| validated.address == source)
    }

    /// When consent to send to [`IceLite::destination`] ends, unless another check comes before; `None` before
    /// the first check.
    pub fn consent_expires(&self) -> Option<Instant> {
        self.destination().map(|_| self.consented + CONSENT)
    }

    fn credentials(&self, ufrag: &str) -> Option<(Generation, &IceCredentials)> {
        if self.local.ufrag == ufrag {
            return Some((Generation::Current, &self.local));
        }
        let previous = self.previous.as_ref().filter(|previous| previous.ufrag == ufrag)?;
        Some((Generation::Previous, previous))
    }

    /// RFC 8489 section 9.1.3, RFC 8445 section 7.3: the error code and why, or whose credentials it has.
    fn authenticate(&self, request: &Request<'_>) -> Result<(Generation, &IceCredentials), (u16, StunError)> {
        let Some(username) = request.username.filter(|_| request.has_integrity()) else {
            return Err((400, StunError::Unauthenticated));
        };
        let ufrag = username.split_once(':').map(|(local, _)| local);
        let found = ufrag.and_then(|ufrag| self.credentials(ufrag));
        let (generation, credentials) = found.ok_or((401, StunError::UnknownUser))?;
        request.verify(&credentials.password).map_err(|reason| (401, reason))?;
        Ok((generation, credentials))
    }

    fn validate(&mut self, now: Instant, address: SocketAddr, generation: Generation) {
        if let Some(known) = self.validated.iter_mut().find(|known| known.address == address) {
            known.heard = now;
            if generation == Generation::Current {
                known.generation = generation;
            }
            return;
        }
        if self.validated.len() >= MAX_VALIDATED {
            let selected = self.selected();
            let candidates = self.validated.iter().enumerate();
            let idle = candidates.filter(|(_, known)| Some(known.address) != selected);
            if let Some((place, _)) = idle.min_by_key(|(_, known)| known.heard) {
                self.validated.remove(place);
            }
        }
        self.validated.push(Validated { address, generation, heard: now });
    }

    fn nominate(&mut self, now: Instant, address: SocketAddr, generation: Generation, priority: u32) {
        if let Some(pair) = &mut self.nominated {
            let same_generation = pair.generation == generation;
            let outdated = generation == Generation::Previous && !same_generation;
            let held = now.saturating_duration_since(pair.at) < NOMINATION_HOLD;
            let weaker = same_generation && address != pair.address && priority < pair.priority && held;
            if outdated || weaker {
                return;
            }
        }
        self.nominated = Some(Nominated { address, generation, priority, at: now });
        if generation == Generation::Current && self.previous.take().is_some() {
            self.validated.retain(|source| source.generation == Generation::Current);
        }
    }
}

#[cfg(test)]
mod tests;
