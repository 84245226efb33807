//! Click-to-call tokens: what each allows, where, and how often (attacks.md row 21).

use super::browsers::BrowserId;
use super::queries::{MAX_QUERIES, Queries};
use crate::party::Cause;
use crate::settings::{Grant, Tokens};
use crate::table::shrink;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tokens whose calls are remembered.
const MAX_USED: usize = 65_536;
/// How far back calls are counted.
const HOUR: Duration = Duration::from_secs(3600);

/// Where a token is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The page, as the client says; `None` in a protocol without a field for it.
    pub(super) page_url: Option<&'a str>,
    /// The `Origin` of the connection, as the browser says.
    pub(super) origin: Option<&'a str>,
    /// Whether the client's protocol has a field for the page.
    pub(super) names_page: bool,
}

/// What became of a look-up.
#[derive(Debug)]
pub(super) enum Found {
    /// It is known.
    Grant(Arc<Grant>),
    /// It is to be asked for, under this id.
    Ask(u64),
}

/// The tokens, and their use.
#[derive(Debug)]
pub(super) struct TokenTable {
    grants: HashMap<String, Arc<Grant>>,
    asks: bool,
    queries: Queries<()>,
    /// When the calls of the last hour began, by token.
    used: HashMap<String, VecDeque<Instant>>,
}

impl TokenTable {
    pub(super) fn new(tokens: &Tokens) -> TokenTable {
        TokenTable {
            grants: tokens.grants.iter().map(|grant| (grant.token.clone(), grant.clone())).collect(),
            asks: tokens.asks,
            queries: Queries::new(MAX_QUERIES),
            used: HashMap::new(),
        }
    }

    /// Looks a token up for a browser.
    pub(super) fn find(&mut self, token: &str, browser: BrowserId) -> Result<Found, Cause> {
        if let Some(grant) = self.grants.get(token) {
            return Ok(Found::Grant(grant.clone()));
        }
        if !self.asks {
            return Err(unknown());
        }
        let full = || Cause::new(503, "Too many calls are being set up; try again in a moment");
        self.queries.begin(browser, ()).map(Found::Ask).ok_or_else(full)
    }

    /// Who waits for this answer.
    pub(super) fn asked_by(&mut self, query: u64) -> Option<BrowserId> {
        self.queries.end(query).map(|(browser, ())| browser)
    }

    /// Counts a call that begins, of a token that has so many at the moment; or says why it may not begin.
    pub(super) fn begin_call(&mut self, now: Instant, grant: &Grant, at_once: usize) -> Result<(), Cause> {
        check_expiry(now, grant)?;
        if at_once >= grant.calls {
            return Err(Cause::new(503, "All lines of this button are busy; try again later"));
        }
        if self.used.len() >= MAX_USED && !self.used.contains_key(&grant.token) {
            return Err(Cause::new(503, "Too many buttons are in use; try again later"));
        }
        let begun = self.used.entry(grant.token.clone()).or_default();
        forget_old(now, begun);
        if begun.len() >= grant.calls_per_hour {
            return Err(Cause::new(
                503,
                "This button has been used too often in the last hour; try again later",
            ));
        }
        begun.push_back(now);
        Ok(())
    }

    /// Forgets what is over.
    pub(super) fn expire(&mut self, now: Instant) {
        self.used.retain(|_, begun| {
            forget_old(now, begun);
            !begun.is_empty()
        });
        shrink(&mut self.used);
        self.queries.shrink();
    }
}

/// Nobody is told whether a token was ever known.
pub(super) fn unknown() -> Cause {
    Cause::new(403, "This call button is not known")
}

/// Whether a token may be used now and there.
pub(super) fn check_use(now: Instant, grant: &Grant, place: Place<'_>) -> Result<(), Cause> {
    check_expiry(now, grant)?;
    // What the client says and what its browser says must both be allowed: a page can say of itself what it likes, and
    // a program can send any header.
    let says_page = place.page_url.map_or(!place.names_page, |url| grant.origins.allow(url));
    if says_page && grant.origins.allow(place.origin.unwrap_or_default()) {
        return Ok(());
    }
    Err(Cause::new(403, "This call button may not be used on this page"))
}

fn check_expiry(now: Instant, grant: &Grant) -> Result<(), Cause> {
    match grant.expires {
        Some(expires) if expires <= now => Err(Cause::new(403, "This call button has expired")),
        _ => Ok(()),
    }
}

fn forget_old(now: Instant, begun: &mut VecDeque<Instant>) {
    while begun.front().is_some_and(|at| now.saturating_duration_since(*at) >= HOUR) {
        begun.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Origin, Origins, TokenAccount};

    fn grant() -> Grant {
        Grant {
            token: "t1".to_owned(),
            callee: "100".to_owned(),
            account: TokenAccount::Local { user: "web".to_owned(), domain: "example.org".to_owned() },
            origins: Origins::Of(vec![Origin::of("https://shop.example").unwrap()]),
            expires: None,
            calls: 2,
            calls_per_hour: 3,
            video: false,
            label: None,
        }
    }

    #[test]
    fn page_and_browser_must_both_say_an_allowed_origin() {
        let (now, grant) = (Instant::now(), grant());
        let may = |page_url: Option<&str>, origin: Option<&str>, names_page| {
            check_use(now, &grant, Place { page_url, origin, names_page }).is_ok()
        };
        let (shop, evil) = (Some("https://shop.example/x"), Some("https://evil.example"));
        assert!(may(shop, Some("https://shop.example"), true));
        assert!(!may(shop, evil, true) && !may(evil, Some("https://shop.example"), true));
        assert!(!may(shop, None, true) && !may(shop, Some("null"), true));
        assert!(!may(None, Some("https://shop.example"), true), "WCS 3 always names the page");
        assert!(may(None, Some("https://shop.example"), false) && !may(None, evil, false));
    }

    #[test]
    fn calls_are_limited_at_once_and_in_an_hour() {
        let (now, grant) = (Instant::now(), grant());
        let mut table = TokenTable::new(&Tokens::default());
        assert!(table.begin_call(now, &grant, 2).is_err());
        for _ in 0..3 {
            table.begin_call(now, &grant, 1).unwrap();
        }
        assert!(table.begin_call(now + HOUR / 2, &grant, 0).is_err());
        table.begin_call(now + HOUR, &grant, 0).unwrap();
        table.expire(now + 3 * HOUR);
        assert!(table.used.is_empty());
    }

    #[test]
    fn an_expired_token_is_refused() {
        let now = Instant::now();
        let grant = Grant { expires: Some(now), origins: Origins::Any, ..grant() };
        let place = Place { page_url: None, origin: None, names_page: false };
        assert!(check_use(now, &grant, place).is_err());
        assert!(check_use(now - Duration::from_secs(1), &grant, place).is_ok());
    }

    #[test]
    fn an_unknown_token_is_asked_for_only_if_there_is_somebody_to_ask() {
        let browser = BrowserId::default();
        let mut table = TokenTable::new(&Tokens::default());
        assert!(table.find("t1", browser).is_err());
        let mut table = TokenTable::new(&Tokens { grants: vec![Arc::new(grant())], asks: true });
        assert!(matches!(table.find("t1", browser), Ok(Found::Grant(_))));
        let Ok(Found::Ask(query)) = table.find("t2", browser) else { panic!("asked for") };
        assert_eq!((table.asked_by(query), table.asked_by(query)), (Some(browser), None));
        for _ in 0..MAX_QUERIES {
            table.find("t2", browser).unwrap();
        }
        assert!(table.find("t2", browser).is_err());
    }
}
