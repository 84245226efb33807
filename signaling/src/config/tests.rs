use super::*;
use tandem_control::RecordingFormat;
use tandem_sip::settings::{CodecName, DtmfMethod, OfferSecurity, VideoCodecName};
use tandem_sip::tones::Country;
use tandem_sip::transport::Transport;

const DOMAIN: &str = "[[domain]]\nname = \"example.org\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("t.toml"), &Overrides::default())
}

fn problems(text: &str) -> String {
    parse(&format!("{text}\n{DOMAIN}")).expect_err("it is wrong").to_string()
}

#[test]
fn no_setting_is_needed() {
    let config = parse(DOMAIN).unwrap();
    assert_eq!(config.sip.udp, Some(5060));
    assert_eq!(config.http.tls_port, Some(8443));
    assert_eq!(config.media.ports, (31001, 32000));
    assert!(!config.advertised.is_empty());
    assert!(config.settings.sip.iter().any(|(transport, address)| {
        *transport == Transport::Udp && address.port() == 5060 && address.ip() == config.advertised[0]
    }));
}

#[test]
fn the_example_says_the_defaults() {
    let example = parse(include_str!("../../tandem.example.toml")).unwrap();
    let default = parse(DOMAIN).unwrap();
    let told = |config: &Config| {
        let Config { sip, http, ng, media, name_servers, log_level, settings, .. } = config.clone();
        let settings = Settings { domains: Vec::new(), ..settings };
        format!("{sip:?} {http:?} {ng:?} {media:?} {name_servers:?} {log_level:?} {settings:?}")
    };
    assert_eq!(told(&example), told(&default));
}

#[test]
fn every_setting_that_is_commented_out_in_the_example_is_known() {
    let lines = include_str!("../../tandem.example.toml").lines();
    let text: Vec<&str> = lines
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
                .unwrap_or(line)
        })
        .collect();
    let config = parse(&text.join("\n")).unwrap();
    assert_eq!(config.media.workers, Some(4));
    assert_eq!(config.ng.settings.interfaces.len(), 2);
    assert_eq!(config.settings.providers.media.len(), 1);
}

#[test]
fn everything_about_the_server_can_be_set() {
    let text = r#"
        ip = "203.0.113.5"
        ip_local = ["192.0.2.5"]
        state_directory = "/var/lib/tandem"
        [sip]
        udp = 5070
        tls = false
        [http]
        port = 80
        [media]
        ports = "20000-20999"
        workers = 2
        timeout = 30
        recordings = "/rec"
        recording_format = "wav"
        announcements = "/announcements"
        [[domain]]
        name = "Example.org"
        [[domain.user]]
        name = "alice"
        password = "secret"
        srtp = "sdes"
        [timers]
        ring = 60
    "#;
    let config = parse(text).unwrap();
    assert_eq!(config.listen, config.local);
    assert_eq!((config.sip.udp, config.sip.tls, config.http.port), (Some(5070), None, Some(80)));
    assert_eq!((config.media.ports, config.media.workers), ((20000, 20999), Some(2)));
    let files = config.ng.settings.files;
    assert_eq!((files.recordings, files.format), (Some("/rec".into()), RecordingFormat::Wav));
    let timers = &config.settings.timers;
    assert_eq!((timers.media.as_secs(), timers.ring.as_secs()), (30, 60));
    let domain = &config.settings.domains[0];
    assert_eq!(domain.name, "example.org");
    assert_eq!(domain.users[0].offer_security, OfferSecurity::Sdes);
    assert!(config.settings.sip.iter().all(|(transport, _)| *transport != Transport::Tls));
}

#[test]
fn everything_that_is_heard_and_seen_can_be_set() {
    let text = r#"
        [codecs]
        sip = ["pcma", "speex/16000"]
        [audio]
        sip_ptime = 30
        sip_maxptime = 60
        [opus]
        complexity = 9
        bitrate = 16000
        dtx = true
        [dtmf]
        sip = "info"
        [tones]
        country = "GB"
        browser_ring_back = true
        sip_failure_seconds = 5
        [hold]
        browser_music = "waltz.ogg"
        [video]
        sip = ["h264"]
        browser = []
        sip_max_kbits = 1500
        [media]
        announcements = "/announcements"
        [streams]
        enabled = false
        [limits]
        players_per_stream = 8
        [providers]
        allowed = ["voip.example"]
        [[provider]]
        domain = "VoIP.example"
        codecs = ["G729"]
    "#;
    let config = parse(text).unwrap();
    let (sip, browser) = (&config.settings.sip_media, &config.settings.browser_media);
    assert_eq!(sip.codecs, [CodecName::Pcma, CodecName::SpeexWide]);
    assert_eq!((sip.ptime, sip.maxptime, browser.ptime), (Some(30), Some(60), None));
    assert_eq!((sip.dtmf, browser.dtmf), (DtmfMethod::Info, DtmfMethod::Auto));
    assert_eq!((sip.opus.complexity, sip.opus.bitrate, browser.opus.dtx), (9, 16_000, true));
    assert!(browser.ring_back && !sip.ring_back);
    assert_eq!(sip.failure_tone.as_secs(), 5);
    assert_eq!((sip.hold_music.as_deref(), browser.hold_music.as_deref()), (None, Some("waltz.ogg")));
    assert_eq!(sip.video.codecs, [VideoCodecName::H264]);
    assert!(browser.video.codecs.is_empty() && sip.video.repeat_parameter_sets);
    assert_eq!((sip.video.max_bitrate, browser.video.max_bitrate), (1_500_000, 0));
    assert_eq!(Some(config.settings.tones), Country::find("uk"));
    let provider = &config.settings.providers.media["voip.example"];
    assert_eq!((&provider.codecs[..], provider.dtmf), (&[CodecName::G729][..], DtmfMethod::Info));
    assert_eq!((config.settings.streams, config.settings.limits.players_per_stream), (false, 8));
}

#[test]
fn a_misspelt_setting_is_named_with_its_line_and_what_was_meant() {
    assert_eq!(
        problems("\nip_locl = \"::1\""),
        "t.toml:2: unknown setting `ip_locl`; did you mean `ip_local`?"
    );
    assert_eq!(problems("[sip]\nupd = 1"), "t.toml:2: unknown setting `upd` in [sip]; did you mean `udp`?");
    let user = "[[domain]]\nname = \"x\"\n[[domain.user]]\nname = \"a\"\npasword = \"geheim\"\npassword = \"geheim\"";
    let text = parse(user).expect_err("misspelt").to_string();
    assert_eq!(text, "t.toml:5: unknown setting `pasword` in [domain.user]; did you mean `password`?");
}

#[test]
fn wrong_types_and_ranges_are_refused() {
    for (text, line, wanted) in [
        ("[sip]\nudp = 70000", 2, "from 1 to 65535"),
        ("[sip]\nudp = \"5060\"", 2, "a port from 1 to 65535, or false"),
        ("[sip]\nuser_ports = \"30000\"", 2, "a range like"),
        ("[sip]\nuser_ports = \"5000-6000\"", 1, "udp lies in the range of user_ports"),
        ("[sip]\nuser_ports = \"30000-31001\"", 1, "user_ports and [media] ports overlap"),
        ("[sip]\nudp = false\nuser_ports = \"30000-31000\"", 1, "user_ports needs udp"),
        ("[providers]\nkeep_alive = \"stun\"", 2, "one of \"lines\", \"options\" and \"off\""),
        ("ip = \"300.1.1.1\"", 1, "an IP address"),
        ("ip = [\"192.0.2.1\",\n\"192.0.2.2\"]", 2, "at most one address of each family"),
        ("ip = \"0.0.0.0\"", 1, "they can reach"),
        ("ip_local = \"192.0.2.1\"\nip = \"2001:db8::1\"", 2, "no address"),
        ("[media]\nports = \"5000-4000\"", 2, "a range like"),
        ("[media]\nrecording_format = \"mp3\"", 2, "\"ogg\" or \"wav\""),
        ("[http]\n\ncertificate = \"a.pem\"", 3, "needs its `key`"),
        ("[timers]\nsession_expires = 100\nmin_session_expires = 200", 2, "below `min_session_expires`"),
        ("[codecs]\nsip = [\"g723\"]", 2, "one of \"opus\", \"G722\""),
        ("[codecs]\nsip = []", 1, "at least one codec"),
        ("[audio]\nsip_ptime = 25", 2, "one of 10, 20, 30, 40, 60"),
        ("[audio]\nsip_ptime = 60\nsip_maxptime = 20", 2, "above `sip_maxptime`"),
        ("[audio]\nptime = 20", 2, "unknown setting `ptime` in [audio]; known here: sip_ptime"),
        ("[opus]\ncomplexity = 11", 2, "from 0 to 10"),
        ("[opus]\nbitrate = 5000", 2, "from 6000 to 510000"),
        ("[dtmf]\nbrowser = \"sipinfo\"", 2, "\"info\" and \"inband\""),
        ("[[provider]]\ncodecs = [\"G729\"]", 1, "must have a `domain`"),
        ("[[provider]]\ndomain = \"a.example\"\nptime = 15", 3, "`ptime` in [provider] must be one of 10"),
        ("[[provider]]\ndomain = \"a\"\n[[provider]]\ndomain = \"A\"", 4, "a second [[provider]]"),
        ("[tones]\ncountry = \"xx\"", 2, "the code of a country: de, at"),
        ("[tones]\nsip_failure_seconds = 61", 2, "from 0 to 60"),
        (
            "[hold]\nsip_music = \"waltz.ogg\"",
            2,
            "needs the directory of its file: `announcements` in [media]",
        ),
        ("[video]\nsip = [\"h265\"]", 2, "one of \"H264\" and \"VP8\""),
        ("[video]\nsip_max_kbits = 5", 2, "from 30 to 50000"),
        ("[codecs]\nsip = [\"pcma\", \"pcma\"]", 2, "twice"),
        ("[log]\nlevel = \"info,=,\"", 2, "must be"),
        ("sip = 5060", 1, "a table: [sip]"),
        ("[http]\nport = 5060", 1, "same port"),
        ("[ng]\nudp = 2223", 2, "an address with a port"),
        ("[ng]\nudp = \"127.0.0.1\"", 2, "or false to switch it off"),
        ("[ng]\nudp = \"192.0.2.1:2223\"", 2, "`allowed` in [ng] must name who"),
        ("[ng]\nallowed = [\"192.0.2.0/33\"]", 2, "a network like"),
        ("[ng]\ntcp = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:1\"", 3, "of their own"),
        ("[ng]\ncalls = 0", 2, "from 1 to 1000000"),
        ("[[interface]]\nlocal = \"192.0.2.1\"", 1, "must have a `name`"),
        ("[[interface]]\nname = \"a\"", 1, "must have a `local`"),
        ("[[interface]]\nname = \"a/b\"\nlocal = \"192.0.2.1\"", 2, "made of letters"),
        ("[[interface]]\nname = \"a\"\nlocal = \"0.0.0.0\"", 3, "not a wildcard"),
        ("[[interface]]\nname = \"a\"\nlocal = \"192.0.2.1\"\nadvertised = \"::1\"", 4, "same family"),
        (
            "[[interface]]\nname = \"a\"\nlocal = \"192.0.2.1\"\nadvertized = \"192.0.2.1\"",
            4,
            "`advertised`?",
        ),
    ] {
        let found = problems(text);
        assert!(found.starts_with(&format!("t.toml:{line}: ")) && found.contains(wanted), "{text}: {found}");
    }
}

#[test]
fn several_problems_come_at_once_in_the_order_of_lines() {
    let found = problems("ipp = 1\n[sip]\nudp = 0\ntcp = true");
    let lines: Vec<&str> = found.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(lines, ["t.toml:1", "t.toml:3", "t.toml:4"]);
}

#[test]
fn a_password_never_shows_in_a_problem() {
    let head = "[[domain]]\nname = \"x\"\n[[domain.user]]\nname = \"a\"\n";
    for rest in [
        "password = \"geheim\" geheim",
        "password = [\"geheim\"]",
        "password = \"geheim\"\nha1 = \"geheim\"",
        "ha1 = \"geheim\"",
        "password = \"geheim",
    ] {
        let found = parse(&format!("{head}{rest}")).expect_err("wrong").to_string();
        assert!(!found.contains("geheim"), "{rest}: {found}");
    }
}

#[test]
fn a_user_has_exactly_one_kind_of_credentials() {
    let head = "[[domain]]\nname = \"x\"\n[[domain.user]]\nname = \"a\"\n";
    assert!(parse(head).expect_err("none").to_string().contains("t.toml:3: a user must have exactly one"));
    let hash = "0123456789abcdef0123456789abcdef";
    assert!(parse(&format!("{head}ha1 = \"{hash}\"")).is_ok());
    assert!(parse(&format!("{head}password = \"a\"\nha1 = \"{hash}\"")).is_err());
}

#[test]
fn a_missing_password_file_is_named() {
    let text = "[[domain]]\nname = \"x\"\n[[domain.user]]\nname = \"a\"\npassword_file = \"/nonexistent/p\"";
    let found = parse(text).expect_err("missing").to_string();
    assert!(found.starts_with("t.toml:5: `password_file` /nonexistent/p: "), "{found}");
}

#[test]
fn syntax_errors_have_their_line() {
    let found = problems("ip = \"192.0.2.1\"\n[sip\nudp = 1");
    assert!(found.starts_with("t.toml:2: "), "{found}");
}

fn parse_relay(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("t.toml"), &Overrides { relay: true, ..Overrides::default() })
}

#[test]
fn a_relay_listens_for_ng_on_loopback_and_for_nothing_else() {
    let config = parse_relay("ip = \"203.0.113.5\"\nip_local = \"192.0.2.5\"").unwrap();
    assert_eq!(config.ng.udp, [DEFAULT_UDP]);
    assert!(config.ng.tcp.is_empty() && config.ng.http.iter().all(|address| address.ip().is_loopback()));
    assert!(!config.sip.is_on() && !config.http.is_on() && !config.uses_tls());
    assert!(config.settings.domains.is_empty(), "no passwords are made");
    let [interface] = config.ng.settings.interfaces.as_slice() else { panic!("one interface") };
    assert_eq!(
        (interface.local, interface.advertised),
        ("192.0.2.5".parse().unwrap(), "203.0.113.5".parse().unwrap())
    );
    assert!(
        config.ng.allows("127.0.0.1".parse().unwrap()) && !config.ng.allows("192.0.2.5".parse().unwrap())
    );
}

#[test]
fn a_relay_can_be_more_if_it_is_told_so() {
    let config = parse_relay("[sip]\nudp = 5060\n[ng]\nhttp = false\n[http]\nport = 8080").unwrap();
    assert_eq!((config.sip.udp, config.sip.tcp, config.http.port), (Some(5060), None, Some(8080)));
    assert!(config.ng.http.is_empty());
    assert!(parse(DOMAIN).unwrap().ng.udp.is_empty(), "a gateway speaks NG only if it is told to");
}

#[test]
fn the_dataplane_gets_the_addresses_of_all_interfaces_once() {
    let interfaces = "
        [[interface]]
        name = \"internal\"
        local = \"192.0.2.6\"
        [[interface]]
        name = \"internal\"
        local = \"2001:db8::6\"
        [[interface]]
        name = \"external\"
        local = \"192.0.2.5\"
        advertised = \"203.0.113.5\"
        [[interface]]
        name = \"again\"
        local = \"192.0.2.5\"
    ";
    let local = ["192.0.2.6", "2001:db8::6", "192.0.2.5"].map(|ip| ip.parse::<IpAddr>().unwrap());
    assert_eq!(parse_relay(interfaces).unwrap().media_addresses(), local);
    let gateway = parse(&format!("ip_local = \"192.0.2.5\"\n{DOMAIN}{interfaces}")).unwrap();
    assert_eq!(gateway.media_addresses(), [local[2], local[0], local[1]]);
    let twice = interfaces.replace("again", "external");
    let error = parse_relay(&twice).expect_err("two of one family").to_string();
    assert_eq!(error, "t.toml:12: a second address of this family for the [[interface]] of the same `name`");
}
