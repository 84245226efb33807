//! The socket's file.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{Permissions, remove_file, set_permissions, symlink_metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Clients that wait while another is served.
const BACKLOG: i32 = 16;

/// Why the control socket cannot be served.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process serves it.
    #[error("another dataplane already serves {}", .0.display())]
    Live(PathBuf),
    /// The system refuses.
    #[error("cannot serve the control socket: {0}")]
    System(#[from] io::Error),
}

/// Binds and listens. A file left behind by a process that has gone is replaced.
pub(super) fn listen(path: &Path) -> Result<Socket, BindError> {
    let address = SockAddr::unix(path)?;
    let probe = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    match probe.connect(&address) {
        Ok(()) => return Err(BindError::Live(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_socket(path)? => {
            remove_file(path)?
        }
        // Nothing is there, or nothing that is a socket: binding will tell.
        Err(_) => {}
    }
    let listener = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    listener.bind(&address)?;
    // Nobody can connect before the socket listens, so there is no moment with other rights.
    set_permissions(path, Permissions::from_mode(0o600))?;
    listener.listen(BACKLOG)?;
    Ok(listener)
}

/// The system refuses to connect to a file of any other type with the same error.
fn is_socket(path: &Path) -> io::Result<bool> {
    Ok(symlink_metadata(path)?.file_type().is_socket())
}
