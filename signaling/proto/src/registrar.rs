//! Where the users of local domains can be reached: a registrar (RFC 3261 section 10.3) whose bindings remember the
//! flow that registered them (RFC 5626), because a browser or a telephone behind a NAT has no other address.

use crate::sip::{Contacts, HeaderName, NameAddr, Request, Response, SipUri, Uri, default_reason, reply};
use crate::transport::{ConnectionId, Flow};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// An address of record: a user of a local domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressOfRecord {
    /// The user's name, without escapes.
    pub user: String,
    /// The domain's name, in lower case.
    pub domain: String,
}

impl AddressOfRecord {
    /// Reads `user@domain`, as it is displayed.
    pub fn of_name(name: &str) -> Option<AddressOfRecord> {
        let (user, domain) = name.rsplit_once('@')?;
        Some(AddressOfRecord { user: user.to_owned(), domain: domain.to_owned() })
    }

    /// As a URI.
    pub fn uri(&self) -> Option<SipUri> {
        Some(SipUri::new(Some(&self.user), self.domain.parse().ok()?, None))
    }
}

impl std::fmt::Display for AddressOfRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.domain)
    }
}

/// Where a user can be reached.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What the client calls itself; the Request-URI of calls to it.
    pub contact: NameAddr,
    /// The path to it.
    pub flow: Flow,
    /// When it lapses.
    pub expires: Instant,
    /// `+sip.instance` and `reg-id` (RFC 5626 section 4.2), where it has both.
    outbound: Option<(String, String)>,
    call_id: String,
    cseq: u32,
}

/// Bounds of a binding's life, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct RegistrarLimits {
    /// Shorter ones are refused (423).
    pub min: Duration,
    /// What is given where nothing or more is asked for.
    pub max: Duration,
    /// Bindings of one user. A further one takes the place of the one that lapses first.
    pub contacts: usize,
}

/// The bindings of all users. Only known users come here, so that their number is the bound of the table.
#[derive(Debug)]
pub struct Registrar {
    limits: RegistrarLimits,
    bindings: HashMap<AddressOfRecord, Vec<Binding>>,
}

/// One change of a REGISTER, checked.
struct Change {
    contact: NameAddr,
    expires: Duration,
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(limits: RegistrarLimits) -> Registrar {
        Registrar { limits, bindings: HashMap::new() }
    }

    /// Carries out an authenticated REGISTER, wholly or not at all, and returns the response to it.
    pub fn register(
        &mut self,
        now: Instant,
        aor: &AddressOfRecord,
        flow: Flow,
        request: &Request,
    ) -> Response {
        self.expire(now);
        let refuse = |status| reply(request, status, default_reason(status));
        let (Ok(contacts), Ok(call_id), Ok((cseq, _))) =
            (request.headers.contacts(), request.headers.call_id(), request.headers.cseq())
        else {
            return refuse(400);
        };
        let default = match request.headers.expires() {
            Ok(seconds) => seconds.map(u64::from).map(Duration::from_secs),
            // RFC 3261 section 20.19: a malformed value counts as if it were absent.
            Err(_) => None,
        };
        let bindings = self.bindings.get(aor).cloned().unwrap_or_default();
        let changed = match contacts {
            Contacts::All if default == Some(Duration::ZERO) => Ok(Vec::new()),
            Contacts::All => Err(refuse(400)),
            Contacts::List(list) => self.check(request, list, default).and_then(|changes| {
                self.apply(now, bindings, changes, flow, (call_id, cseq)).ok_or(refuse(500))
            }),
        };
        match changed {
            Ok(bindings) => {
                let response = accepted(now, request, &bindings);
                if bindings.is_empty() {
                    self.bindings.remove(aor);
                } else {
                    self.bindings.insert(aor.clone(), bindings);
                }
                response
            }
            Err(response) => response,
        }
    }

    /// RFC 3261 section 10.3, step 7: the lifetime of each contact.
    fn check(
        &self,
        request: &Request,
        contacts: Vec<NameAddr>,
        default: Option<Duration>,
    ) -> Result<Vec<Change>, Response> {
        let RegistrarLimits { min, max, .. } = self.limits;
        let mut changes = Vec::with_capacity(contacts.len());
        for contact in contacts {
            let asked = contact.expires().map(u64::from).map(Duration::from_secs).or(default);
            let expires = asked.unwrap_or(max).min(max);
            if !expires.is_zero() && expires < min {
                let mut response = reply(request, 423, default_reason(423));
                response.headers.push(HeaderName::MinExpires, min.as_secs());
                return Err(response);
            }
            if !matches!(contact.uri, Uri::Sip(_)) && !expires.is_zero() {
                return Err(reply(request, 400, "Contact is no SIP URI"));
            }
            changes.push(Change { contact, expires });
        }
        Ok(changes)
    }

    /// `None`: a binding was changed by a later request already (step 7: "it aborts and returns an error").
    fn apply(
        &self,
        now: Instant,
        mut bindings: Vec<Binding>,
        changes: Vec<Change>,
        flow: Flow,
        (call_id, cseq): (&str, u32),
    ) -> Option<Vec<Binding>> {
        for Change { contact, expires } in changes {
            let outbound = outbound_of(&contact);
            let known = bindings.iter().position(|binding| match (&binding.outbound, &outbound) {
                (Some(known), Some(new)) => known == new,
                _ => binding.contact.uri == contact.uri,
            });
            if let Some(known) = known {
                let before = bindings.remove(known);
                if before.call_id == call_id && before.cseq >= cseq {
                    return None;
                }
            }
            if expires.is_zero() {
                continue;
            }
            if bindings.len() >= self.limits.contacts {
                let first =
                    (0..bindings.len()).min_by_key(|index| bindings.get(*index).map(|each| each.expires));
                first.map(|index| bindings.remove(index));
            }
            let call_id = call_id.to_owned();
            bindings.push(Binding { contact, flow, expires: now + expires, outbound, call_id, cseq });
        }
        Some(bindings)
    }

    /// Where a user can be reached now.
    pub fn bindings(&self, now: Instant, aor: &AddressOfRecord) -> impl Iterator<Item = &Binding> {
        self.bindings.get(aor).into_iter().flatten().filter(move |binding| binding.expires > now)
    }

    /// A connection closed: what was reached over it no longer can be (RFC 5626 section 5.3).
    pub fn closed(&mut self, connection: ConnectionId) {
        self.retain(|binding| binding.flow.connection != Some(connection));
    }

    /// Forgets what has lapsed.
    pub fn expire(&mut self, now: Instant) {
        self.retain(|binding| binding.expires > now);
    }

    fn retain(&mut self, keep: impl Fn(&Binding) -> bool) {
        self.bindings.retain(|_, bindings| {
            bindings.retain(&keep);
            !bindings.is_empty()
        });
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.bindings.values().map(Vec::len).sum()
    }

    /// Whether nobody is registered.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }
}

fn outbound_of(contact: &NameAddr) -> Option<(String, String)> {
    let parameter = |name| contact.params.get(name).map(str::to_owned);
    Some((parameter("+sip.instance")?, parameter("reg-id")?))
}

/// Step 8: every current binding, with what is left of its life.
fn accepted(now: Instant, request: &Request, bindings: &[Binding]) -> Response {
    let mut response = reply(request, 200, default_reason(200));
    for binding in bindings {
        let mut contact = binding.contact.clone();
        let left = binding.expires.saturating_duration_since(now).as_secs();
        contact.params.set("expires", Some(&left.to_string()));
        response.headers.push(HeaderName::Contact, contact);
    }
    // RFC 5626 section 6: tells the client that the flow is what counts.
    let is_outbound = bindings.iter().any(|binding| binding.outbound.is_some());
    if is_outbound && request.headers.supports("outbound") {
        response.headers.push(HeaderName::Require, "outbound");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Message;
    use crate::transport::Transport;

    fn registrar() -> Registrar {
        Registrar::new(RegistrarLimits {
            min: Duration::from_secs(60),
            max: Duration::from_secs(3_600),
            contacts: 2,
        })
    }

    fn aor() -> AddressOfRecord {
        AddressOfRecord { user: "alice".into(), domain: "tandem.test".into() }
    }

    fn flow(port: u16) -> Flow {
        Flow {
            transport: Transport::Ws,
            local: "10.0.0.1:8080".parse().unwrap(),
            remote: format!("192.0.2.1:{port}").parse().unwrap(),
            connection: Some(ConnectionId(port.into())),
        }
    }

    fn request(cseq: u32, lines: &str) -> Request {
        let text = format!(
            "REGISTER sip:tandem.test SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK{cseq}\r\n\
             From: <sip:alice@tandem.test>;tag=1\r\nTo: <sip:alice@tandem.test>\r\nCall-ID: c\r\n\
             CSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        match Message::parse(text.as_bytes()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a response"),
        }
    }

    #[test]
    fn a_binding_lives_as_long_as_it_was_given() {
        let (mut registrar, now) = (registrar(), Instant::now());
        let response = registrar.register(
            now,
            &aor(),
            flow(1),
            &request(1, "Contact: <sip:a@x.invalid>;expires=90\r\n"),
        );
        assert_eq!(response.status, 200);
        assert!(response.headers.get(HeaderName::Contact).unwrap().contains("expires=90"));
        assert_eq!(registrar.bindings(now + Duration::from_secs(89), &aor()).count(), 1);
        assert_eq!(registrar.bindings(now + Duration::from_secs(90), &aor()).count(), 0);
        registrar.expire(now + Duration::from_secs(90));
        assert!(registrar.is_empty());
    }

    #[test]
    fn too_brief_is_423_and_nothing_changes() {
        let (mut registrar, now) = (registrar(), Instant::now());
        let response =
            registrar.register(now, &aor(), flow(1), &request(1, "Contact: <sip:a@x>\r\nExpires: 5\r\n"));
        assert_eq!((response.status, response.headers.get(HeaderName::MinExpires)), (423, Some("60")));
        assert!(registrar.is_empty());
    }

    #[test]
    fn an_older_request_changes_nothing() {
        let (mut registrar, now) = (registrar(), Instant::now());
        registrar.register(now, &aor(), flow(1), &request(5, "Contact: <sip:a@x>\r\n"));
        let late = request(4, "Contact: <sip:a@x>;expires=0\r\n");
        assert_eq!(registrar.register(now, &aor(), flow(1), &late).status, 500);
        assert_eq!(registrar.len(), 1);
    }

    #[test]
    fn the_same_instance_replaces_its_flow() {
        let (mut registrar, now) = (registrar(), Instant::now());
        let line = |name: &str| {
            format!(
                "Contact: <sip:{name}@x>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\nSupported: outbound\r\n"
            )
        };
        registrar.register(now, &aor(), flow(1), &request(1, &line("a")));
        let response = registrar.register(now, &aor(), flow(2), &request(2, &line("b")));
        assert_eq!(response.headers.get(HeaderName::Require), Some("outbound"));
        let flows: Vec<Flow> = registrar.bindings(now, &aor()).map(|binding| binding.flow).collect();
        assert_eq!(flows, [flow(2)]);
    }

    #[test]
    fn a_star_removes_all_and_only_with_expires_zero() {
        let (mut registrar, now) = (registrar(), Instant::now());
        registrar.register(now, &aor(), flow(1), &request(1, "Contact: <sip:a@x>\r\n"));
        assert_eq!(registrar.register(now, &aor(), flow(1), &request(2, "Contact: *\r\n")).status, 400);
        assert_eq!(
            registrar.register(now, &aor(), flow(1), &request(3, "Contact: *\r\nExpires: 0\r\n")).status,
            200
        );
        assert!(registrar.is_empty());
    }

    #[test]
    fn contacts_are_bounded_and_go_with_their_connection() {
        let (mut registrar, now) = (registrar(), Instant::now());
        for port in 1..=3u16 {
            let line = format!("Contact: <sip:a{port}@x>;expires={}\r\n", 100 + port);
            registrar.register(now, &aor(), flow(port), &request(port.into(), &line));
        }
        let ports: Vec<u16> =
            registrar.bindings(now, &aor()).map(|binding| binding.flow.remote.port()).collect();
        assert_eq!(ports, [2, 3]);
        registrar.closed(ConnectionId(2));
        assert_eq!(registrar.len(), 1);
    }
}
