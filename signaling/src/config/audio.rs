//! Reads `[codecs]`, `[audio]`, `[opus]`, `[dtmf]` and `[tones]`: how the audio of each side is described and made. And
//! `[[provider]]`: how the media of a single provider is.

use super::reader::Section;
use super::{domains, video};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tandem_control::OpusEncoding;
use tandem_sip::settings::{CodecName, DtmfMethod, MediaProfile, PACKET_TIMES, VideoProfile};
use tandem_sip::tones::Country;

/// The longest time that a caller is kept to hear why its call fails, in seconds.
const MAX_FAILURE_TONE: u64 = 60;

/// The audio of both sides, and whose tones are played.
pub(super) struct Audio {
    pub(super) sip: Arc<MediaProfile>,
    pub(super) browser: Arc<MediaProfile>,
    pub(super) tones: Country,
}

/// Each setting of one side has the side's name as its key, or before it.
struct Keys {
    side: &'static str,
    ptime: &'static str,
    maxptime: &'static str,
    comfort_noise: &'static str,
    ring_back: &'static str,
    failure_seconds: &'static str,
    hold_music: &'static str,
    video: video::Keys,
}

const SIP: Keys = Keys {
    side: "sip",
    ptime: "sip_ptime",
    maxptime: "sip_maxptime",
    comfort_noise: "sip_comfort_noise",
    ring_back: "sip_ring_back",
    failure_seconds: "sip_failure_seconds",
    hold_music: "sip_music",
    video: video::SIP,
};
const BROWSER: Keys = Keys {
    side: "browser",
    ptime: "browser_ptime",
    maxptime: "browser_maxptime",
    comfort_noise: "browser_comfort_noise",
    ring_back: "browser_ring_back",
    failure_seconds: "browser_failure_seconds",
    hold_music: "browser_music",
    video: video::BROWSER,
};

pub(super) fn read(root: &Section<'_>) -> Audio {
    let (codecs, audio) = (root.section("codecs"), root.section("audio"));
    let (dtmf, tones) = (root.section("dtmf"), root.section("tones"));
    let (hold, video) = (root.section("hold"), root.section("video"));
    let opus = opus(root);
    let side = |keys: &Keys, usual: &[CodecName]| {
        let (ptime, maxptime) = packet_times(&audio, keys.ptime, keys.maxptime);
        let profile = MediaProfile {
            codecs: codec_list(&codecs, keys.side).unwrap_or_else(|| usual.to_vec()),
            comfort_noise: audio.boolean(keys.comfort_noise).unwrap_or(false),
            ptime,
            maxptime,
            dtmf: dtmf_method(&dtmf, keys.side).unwrap_or_default(),
            opus,
            ring_back: tones.boolean(keys.ring_back).unwrap_or(false),
            failure_tone: Duration::from_secs(
                tones.integer(keys.failure_seconds, 0..=MAX_FAILURE_TONE).map_or(0, |seconds| seconds.value),
            ),
            hold_music: video::hold_music(root, &hold, keys.hold_music),
            video: video::side(&video, &keys.video),
        };
        Arc::new(profile)
    };
    let all = CodecName::ALL.map(|(_, codec)| codec);
    let audio_of = Audio {
        sip: side(&SIP, &all),
        browser: side(&BROWSER, &MediaProfile::default().codecs),
        tones: country(&tones),
    };
    [codecs, audio, dtmf, tones, hold, video].into_iter().for_each(Section::finish);
    audio_of
}

/// What differs from the SIP side at single providers, by their domains.
pub(super) fn read_providers(root: &Section<'_>, sip: &MediaProfile) -> HashMap<String, Arc<MediaProfile>> {
    let mut profiles = HashMap::new();
    for section in root.sections("provider") {
        let domain = section.parsed("domain", "a domain name", domains::host_name);
        let (ptime, maxptime) = packet_times(&section, "ptime", "maxptime");
        let profile = MediaProfile {
            codecs: codec_list(&section, "codecs").unwrap_or_else(|| sip.codecs.clone()),
            ptime: ptime.or(sip.ptime),
            maxptime: maxptime.or(sip.maxptime),
            dtmf: dtmf_method(&section, "dtmf").unwrap_or(sip.dtmf),
            hold_music: video::hold_music(root, &section, "hold_music").or(sip.hold_music.clone()),
            video: VideoProfile {
                codecs: video::codec_list(&section, "video").unwrap_or_else(|| sip.video.codecs.clone()),
                max_bitrate: video::bitrate(&section, "video_max_kbits").unwrap_or(sip.video.max_bitrate),
                ..sip.video
            },
            ..sip.clone()
        };
        match domain {
            Some(domain) if profiles.contains_key(&domain.value) => {
                section.problem(domain.offset, "a second [[provider]] of the same `domain`");
            }
            Some(domain) => drop(profiles.insert(domain.value, Arc::new(profile))),
            None if !section.has("domain") => {
                section.problem(section.offset(), "a [[provider]] must have a `domain`");
            }
            None => {}
        }
        section.finish();
    }
    profiles
}

/// The codecs that a side may have; `None` where nothing is said.
fn codec_list(section: &Section<'_>, key: &'static str) -> Option<Vec<CodecName>> {
    let parse = |text: &str| {
        let known = CodecName::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, codec)| *codec)
    };
    let names = CodecName::ALL.map(|(name, _)| format!("\"{name}\"")).join(", ");
    let list = section.list(key, &format!("one of {names}"), parse)?;
    for (index, codec) in list.iter().enumerate() {
        if list.iter().take(index).any(|earlier| earlier.value == codec.value) {
            section.problem(codec.offset, format!("`{key}` names a codec twice"));
        }
    }
    if section.is_empty_list(key) {
        section.problem(section.offset(), format!("{} must name at least one codec", section.title(key)));
    }
    Some(list.into_iter().map(|codec| codec.value).collect())
}

fn packet_times(
    section: &Section<'_>,
    ptime_key: &'static str,
    maxptime_key: &'static str,
) -> (Option<u8>, Option<u8>) {
    let ptime = section.one_of(ptime_key, &PACKET_TIMES);
    let maxptime = section.one_of(maxptime_key, &PACKET_TIMES);
    if let (Some(ptime), Some(maxptime)) = (&ptime, &maxptime)
        && ptime.value > maxptime.value
    {
        section.problem(ptime.offset, format!("`{ptime_key}` is above `{maxptime_key}`"));
    }
    (ptime.map(|ptime| ptime.value), maxptime.map(|maxptime| maxptime.value))
}

fn dtmf_method(section: &Section<'_>, key: &'static str) -> Option<DtmfMethod> {
    let parse = |text: &str| match text {
        "auto" => Some(DtmfMethod::Auto),
        "rfc4733" => Some(DtmfMethod::Rfc4733),
        "info" => Some(DtmfMethod::Info),
        "inband" => Some(DtmfMethod::Inband),
        _ => None,
    };
    let method = section.parsed(key, r#"one of "auto", "rfc4733", "info" and "inband""#, parse);
    method.map(|method| method.value)
}

/// How Opus is encoded, and asked for.
fn opus(root: &Section<'_>) -> OpusEncoding {
    let section = root.section("opus");
    let usual = OpusEncoding { dtx: false, ..OpusEncoding::default() };
    let small = |key, high, default: u8| {
        let number = section.integer(key, 0..=high).and_then(|number| u8::try_from(number.value).ok());
        number.unwrap_or(default)
    };
    // RFC 7587 section 6.1: the bounds of maxaveragebitrate.
    let bitrate = section.integer("bitrate", 6_000..=510_000);
    let opus = OpusEncoding {
        complexity: small("complexity", 10, usual.complexity),
        expected_loss: small("expected_loss", 100, usual.expected_loss),
        bitrate: bitrate.and_then(|number| u32::try_from(number.value).ok()).unwrap_or(usual.bitrate),
        inband_fec: section.boolean("fec").unwrap_or(usual.inband_fec),
        dtx: section.boolean("dtx").unwrap_or(usual.dtx),
    };
    section.finish();
    opus
}

fn country(section: &Section<'_>) -> Country {
    let wanted = format!("the code of a country: {}", Country::codes().collect::<Vec<_>>().join(", "));
    let country = section.parsed("country", &wanted, Country::find);
    country.map(|country| country.value).unwrap_or_default()
}
