//! The directories that announcements are read from and recordings are written to, and nothing outside of them.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};
use tandem_control::MAX_PATH;
use thiserror::Error;

/// Why a file was not opened.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    /// There is no directory for it.
    #[error("no directory is configured for it")]
    NoDirectory,
    /// The path leads out of the directory, or is none.
    #[error("not a path below the directory")]
    BadPath,
    /// It is a directory, a device or the like.
    #[error("not a plain file")]
    NotAFile,
    /// What the system says.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A directory, opened once: what its own path leads to later is of no concern.
#[derive(Debug)]
pub(super) struct Directory(File);

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(path: &Path) -> io::Result<Directory> {
        let directory = File::open(path)?;
        if directory.metadata()?.is_dir() { Ok(Directory(directory)) } else { Err(Errno::ENOTDIR.into()) }
    }

    /// Opens a file in it, or below it, for reading.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn read(&self, path: &str) -> Result<File, OpenError> {
        // Without O_NONBLOCK the opening of a FIFO would wait for a writer.
        let file = self.resolve(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(OpenError::NotAFile) }
    }

    /// Makes a new file in it, or below it. One that exists is never written over.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn create(&self, path: &str) -> Result<File, OpenError> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        self.resolve(path, flags, Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP)
    }

    /// The kernel itself walks the path, and refuses to leave the directory: by `..`, by an absolute path, or by a
    /// link to somewhere else, whatever happens to the tree meanwhile (openat2(2), `RESOLVE_BENEATH`).
    fn resolve(&self, path: &str, flags: OFlag, mode: Mode) -> Result<File, OpenError> {
        check(path)?;
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY)
            .mode(mode)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        match openat2(&self.0, path, how) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::EXDEV | Errno::ELOOP) => Err(OpenError::BadPath),
            Err(error) => Err(OpenError::System(error.into())),
        }
    }
}

/// Whether a path can be one below a directory at all; whether its links stay there shows when it is opened.
///
/// # Errors
/// [`OpenError::BadPath`].
pub(super) fn check(path: &str) -> Result<(), OpenError> {
    let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let is_good = is_plain && !path.is_empty() && path.len() <= MAX_PATH && !path.contains('\0');
    if is_good { Ok(()) } else { Err(OpenError::BadPath) }
}

/// What tells one file's content from another's, as far as the system knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Identity {
    pub(super) fn of(file: &File) -> io::Result<Identity> {
        let about = file.metadata()?;
        Ok(Identity {
            device: about.dev(),
            inode: about.ino(),
            size: about.size(),
            modified: (about.mtime(), about.mtime_nsec()),
        })
    }

    /// The file's size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::Scratch;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_are_found_below_the_directory_and_nowhere_else() {
        let scratch = Scratch::new("directories");
        let inside = scratch.path().join("inside");
        fs::create_dir_all(inside.join("deeper")).unwrap();
        fs::write(scratch.path().join("secret"), "secret").unwrap();
        fs::write(inside.join("deeper/plain"), "plain").unwrap();
        symlink("deeper/plain", inside.join("link")).unwrap();
        symlink("../secret", inside.join("out")).unwrap();
        symlink(scratch.path(), inside.join("up")).unwrap();
        let directory = Directory::open(&inside).unwrap();
        let mut text = String::new();
        for good in ["deeper/plain", "link"] {
            text.clear();
            directory.read(good).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "plain");
        }
        let absolute = scratch.path().join("secret").display().to_string();
        for bad in ["../secret", "out", "up/secret", &absolute, "", ".", "deeper/../../secret", "a\0b"] {
            assert!(matches!(directory.read(bad), Err(OpenError::BadPath)), "{bad:?}");
            assert!(directory.create(&format!("{bad}/x")).is_err(), "{bad:?}");
        }
        assert!(matches!(directory.read("deeper"), Err(OpenError::NotAFile)));
        assert!(matches!(directory.read("nothing"), Err(OpenError::System(_))));
        assert!(matches!(directory.read(&"x".repeat(MAX_PATH + 1)), Err(OpenError::BadPath)));
    }

    #[test]
    fn what_exists_is_not_written_over() {
        let scratch = Scratch::new("create");
        let directory = Directory::open(scratch.path()).unwrap();
        directory.create("new").unwrap();
        assert!(
            matches!(directory.create("new"), Err(OpenError::System(error)) if error.kind() == io::ErrorKind::AlreadyExists)
        );
        symlink("/tmp/tandem-no-such-file", scratch.path().join("dangling")).unwrap();
        assert!(directory.create("dangling").is_err());
    }
}
