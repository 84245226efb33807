//! Reads `[video]`, `[hold]` and `[streams]`: how the video of each side is described, what is heard on hold, and whether
//! browsers may publish what others play.

use super::reader::Section;
use tandem_sip::settings::{VideoCodecName, VideoProfile};

/// The limits that can be set, in kbit/s.
const KILOBITS: std::ops::RangeInclusive<u64> = 30..=50_000;

/// The keys of one side.
pub(super) struct Keys {
    pub(super) codecs: &'static str,
    pub(super) max_kbits: &'static str,
    pub(super) parameter_sets: &'static str,
}

/// The video of telephones and providers.
pub(super) const SIP: Keys =
    Keys { codecs: "sip", max_kbits: "sip_max_kbits", parameter_sets: "sip_repeat_parameter_sets" };
/// That of browsers.
pub(super) const BROWSER: Keys = Keys {
    codecs: "browser",
    max_kbits: "browser_max_kbits",
    parameter_sets: "browser_repeat_parameter_sets",
};

/// One side of `[video]`.
pub(super) fn side(section: &Section<'_>, keys: &Keys) -> VideoProfile {
    let usual = VideoProfile::default();
    VideoProfile {
        codecs: codec_list(section, keys.codecs).unwrap_or(usual.codecs),
        max_bitrate: bitrate(section, keys.max_kbits).unwrap_or(usual.max_bitrate),
        repeat_parameter_sets: section.boolean(keys.parameter_sets).unwrap_or(usual.repeat_parameter_sets),
    }
}

/// The codecs that a side may have, none at all if it shall have no video; `None` where nothing is said.
pub(super) fn codec_list(section: &Section<'_>, key: &'static str) -> Option<Vec<VideoCodecName>> {
    let parse = |text: &str| {
        let known = VideoCodecName::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, codec)| *codec)
    };
    let names = VideoCodecName::ALL.map(|(name, _)| format!("\"{name}\"")).join(" and ");
    let list = section.list(key, &format!("one of {names}"), parse)?;
    for (index, codec) in list.iter().enumerate() {
        if list.iter().take(index).any(|earlier| earlier.value == codec.value) {
            section.problem(codec.offset, format!("`{key}` names a codec twice"));
        }
    }
    Some(list.into_iter().map(|codec| codec.value).collect())
}

/// A limit in bits per second.
pub(super) fn bitrate(section: &Section<'_>, key: &'static str) -> Option<u32> {
    let kilobits = section.integer(key, KILOBITS)?;
    u32::try_from(kilobits.value * 1_000).ok()
}

/// Whether there are streams.
pub(super) fn streams(root: &Section<'_>) -> bool {
    let section = root.section("streams");
    let enabled = section.boolean("enabled").unwrap_or(true);
    section.finish();
    enabled
}

/// A file of announcements that those hear whom a side holds.
pub(super) fn hold_music(root: &Section<'_>, section: &Section<'_>, key: &'static str) -> Option<String> {
    let file = section.string(key)?;
    if !root.section("media").has("announcements") {
        let text =
            format!("{} needs the directory of its file: `announcements` in [media]", section.title(key));
        section.problem(file.offset, text);
    }
    Some(file.value)
}
