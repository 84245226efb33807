//! The names of files in requests, and those that the dataplane is told: relative to its directories.

use crate::ng::request::RecordingNames;
use crate::ng::settings::Files;
use std::path::{Component, Path, PathBuf};
use tandem_control::{MAX_PATH, RecordingFormat};

/// Letters of a call-id that a file's name keeps.
const MAX_STEM: usize = 100;

/// The path below `root` of a file that a request names, in full or below `root`.
///
/// # Errors
/// Why there is none; the dataplane also refuses what leads out of its directory by links.
pub(super) fn below(root: Option<&Path>, name: &str, what: &'static str) -> Result<String, String> {
    let root = root.ok_or_else(|| format!("no directory of {what} is configured"))?;
    let path = Path::new(name);
    let path = match path.is_absolute() {
        true => {
            path.strip_prefix(root).map_err(|_| format!("the file is not below the directory of {what}"))?
        }
        false => path,
    };
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => plain.push(part),
            Component::CurDir => {}
            _ => return Err(format!("the file is not below the directory of {what}")),
        }
    }
    let plain = plain.into_os_string().into_string().unwrap_or_default();
    if plain.is_empty() || plain.len() > MAX_PATH {
        return Err("a file must have a name, of at most 1024 bytes with its directories".to_owned());
    }
    Ok(plain)
}

/// Where a call's recording goes: the first session's file has this name, those of others have their number in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordingPath {
    /// Without the extension.
    stem: String,
    extension: String,
    pub format: RecordingFormat,
}

impl RecordingPath {
    /// As the request wants it, else after the call-id; `unique` tells calls with the same one apart.
    ///
    /// # Errors
    /// Why that cannot be.
    pub(super) fn new(
        files: &Files,
        naming: &RecordingNames,
        call_id: &str,
        unique: u32,
    ) -> Result<RecordingPath, String> {
        let root = files.recordings.as_deref();
        let of_call = || {
            let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
            let stem: String = call_id.chars().take(MAX_STEM).map(plain).collect();
            format!("{stem}-{unique:08x}.{}", extension(files.format))
        };
        let path = match (&naming.file, &naming.directory) {
            (Some(file), _) => below(root, file, "recordings")?,
            (None, Some(directory)) => {
                let path = Path::new(directory).join(of_call());
                below(root, &path.to_string_lossy(), "recordings")?
            }
            (None, None) => below(root, &of_call(), "recordings")?,
        };
        let (stem, extension) = match path.rsplit_once('.').filter(|(_, end)| !end.contains('/')) {
            Some((stem, extension)) => (stem.to_owned(), format!(".{extension}")),
            None => (path, String::new()),
        };
        let format = match extension.to_ascii_lowercase().as_str() {
            ".wav" => RecordingFormat::Wav,
            ".ogg" | ".opus" => RecordingFormat::OggOpus,
            _ => files.format,
        };
        Ok(RecordingPath { stem, extension, format })
    }

    /// The path for the dataplane. `number`: how many files the recording has before this one.
    pub(super) fn file(&self, number: usize) -> String {
        match number {
            0 => format!("{}{}", self.stem, self.extension),
            number => format!("{}-{}{}", self.stem, number + 1, self.extension),
        }
    }
}

fn extension(format: RecordingFormat) -> &'static str {
    match format {
        RecordingFormat::OggOpus => "ogg",
        RecordingFormat::Wav => "wav",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files() -> Files {
        Files {
            announcements: Some("/sounds".into()),
            recordings: Some("/var/rec".into()),
            format: RecordingFormat::OggOpus,
        }
    }

    fn recording(naming: &RecordingNames) -> Result<RecordingPath, String> {
        RecordingPath::new(&files(), naming, "a1@[::1]", 7)
    }

    #[test]
    fn files_are_named_in_full_or_from_the_directory_on() {
        let sounds = |name| below(Some(Path::new("/sounds")), name, "announcements");
        for name in ["/sounds/en/hello.wav", "en/hello.wav", "./en//hello.wav"] {
            assert_eq!(sounds(name).as_deref(), Ok("en/hello.wav"), "{name}");
        }
        for name in ["/etc/passwd", "../x", "en/../../x", "/sounds/../x", "/soundsx/a", "", "/sounds", "."] {
            assert!(sounds(name).is_err(), "{name}");
        }
        assert!(below(None, "hello.wav", "announcements").unwrap_err().contains("is configured"));
    }

    #[test]
    fn a_recording_is_named_by_the_request_or_after_the_call() {
        let of_call = recording(&RecordingNames::default()).unwrap();
        assert_eq!(of_call.file(0), "a1____1_-00000007.ogg");
        assert_eq!(of_call.format, RecordingFormat::OggOpus);
        let named =
            RecordingNames { file: Some("/var/rec/d.x/call.WAV".into()), ..RecordingNames::default() };
        let named = recording(&named).unwrap();
        assert_eq!((named.file(0).as_str(), named.file(1).as_str()), ("d.x/call.WAV", "d.x/call-2.WAV"));
        assert_eq!(named.format, RecordingFormat::Wav);
        let plain = RecordingNames { file: Some("d.x/call".into()), ..RecordingNames::default() };
        assert_eq!(recording(&plain).unwrap().file(1), "d.x/call-2");
        let directory =
            RecordingNames { directory: Some("/var/rec/today".into()), ..RecordingNames::default() };
        assert!(recording(&directory).unwrap().file(0).starts_with("today/a1_"));
        let elsewhere = RecordingNames { directory: Some("/tmp".into()), ..RecordingNames::default() };
        assert!(recording(&elsewhere).is_err());
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_the_directory(name in "[a-z./]{0,40}|.{0,40}", call_id in ".{0,200}") {
            let naming = RecordingNames { file: Some(name), ..RecordingNames::default() };
            for naming in [naming, RecordingNames::default()] {
                if let Ok(path) = RecordingPath::new(&files(), &naming, &call_id, 1) {
                    let file = path.file(0);
                    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
                    prop_assert!(Path::new(&file).components().all(is_plain), "{file}");
                }
            }
        }
    }
}
