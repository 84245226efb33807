//! Reads `[messages]`, `[presence]` and `[identity]`: messages that wait for users, who may watch whom, and whose word on
//! who calls counts.

use super::reader::Section;
use super::sections::{count, seconds};
use std::time::Duration;
use tandem_sip::settings::{MessageRules, PresenceRules, Trusted};

/// The most messages that may wait: their files are all in one directory.
const MAX_MESSAGES: u64 = 100_000;
/// The most days that one may wait.
const MAX_DAYS: u64 = 365;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Messages to users who are away.
pub(super) fn messages(root: &Section<'_>) -> MessageRules {
    let section = root.section("messages");
    let default = MessageRules::default();
    let total = section.integer("total", 1..=MAX_MESSAGES);
    let days = section.integer("days", 0..=MAX_DAYS);
    let rules = MessageRules {
        per_user: count(&section, "per_user", MAX_MESSAGES, default.per_user),
        total: total.as_ref().and_then(|total| usize::try_from(total.value).ok()).unwrap_or(default.total),
        keep: days
            .and_then(|days| u32::try_from(days.value).ok())
            .map_or(default.keep, |days| DAY.saturating_mul(days)),
    };
    if rules.per_user > rules.total {
        let offset = total.map_or(section.offset(), |total| total.offset);
        section.problem(offset, "`total` in [messages] is below `per_user`; raise it, or lower `per_user`");
    }
    section.finish();
    rules
}

/// Subscriptions.
pub(super) fn presence(root: &Section<'_>) -> PresenceRules {
    let section = root.section("presence");
    let default = PresenceRules::default();
    let rules = PresenceRules {
        busy_lamp: section.boolean("busy_lamp").unwrap_or(default.busy_lamp),
        pickup: section.boolean("pickup").unwrap_or(default.pickup),
        per_user: count(&section, "subscriptions_per_user", 10_000, default.per_user),
        total: count(&section, "subscriptions", 1_000_000, default.total),
        max_expires: seconds(&section, "max_expires", 60, default.max_expires.as_secs()),
    };
    section.finish();
    rules
}

/// The sides that are trusted.
pub(super) fn trusted(root: &Section<'_>) -> Vec<Trusted> {
    let section = root.section("identity");
    let wanted = r#"a provider's domain, an IP address, or a network such as "10.0.0.0/8""#;
    let trusted = section.list("trusted", wanted, Trusted::parse).unwrap_or_default();
    section.finish();
    trusted.into_iter().map(|trusted| trusted.value).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Overrides};
    use std::path::Path;
    use std::time::Duration;
    use tandem_sip::settings::Trusted;

    const DOMAIN: &str = "[[domain]]\nname = \"example.org\"\n";

    fn parse(text: &str) -> Result<Config, String> {
        let text = format!("{text}\n{DOMAIN}");
        Config::parse(&text, Path::new("t.toml"), &Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_read() {
        let text = "[messages]\nper_user = 5\ntotal = 50\ndays = 1\n[presence]\nbusy_lamp = false\n\
                    pickup = true\nsubscriptions = 7\n[identity]\ntrusted = [\"Voip.example\", \"10.0.0.0/8\"]";
        let settings = parse(text).unwrap().settings;
        assert_eq!((settings.messages.per_user, settings.messages.total), (5, 50));
        assert_eq!(settings.messages.keep, Duration::from_secs(86_400));
        assert_eq!((settings.presence.busy_lamp, settings.presence.total), (false, 7));
        assert!(settings.presence.pickup);
        assert_eq!(settings.trusted.first(), Some(&Trusted::Domain("voip.example".to_owned())));
        assert_eq!(settings.trusted.get(1), Trusted::parse("10.0.0.0/8").as_ref());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let problem = |text: &str| parse(text).expect_err("it is wrong");
        assert_eq!(
            problem("[messages]\nper_user = 10\ntotal = 5"),
            "t.toml:3: `total` in [messages] is below `per_user`; raise it, or lower `per_user`"
        );
        assert!(problem("[messages]\ndays = -1").starts_with("t.toml:2: "));
        assert!(problem("[presence]\nbusy_lamp = 1").contains("true or false"));
        let wrong = problem("[identity]\ntrusted = [\"10.0.0.0/40\"]");
        assert!(wrong.starts_with("t.toml:2: ") && wrong.contains("such as"), "{wrong}");
    }
}
