//! Tandem with a local domain of many users.

use super::{HTTP_PORT, Place, SIP_PORT};
use std::fmt::Write;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

/// The configuration of a Tandem that `users` callers and as many callees can load from one address.
pub(crate) fn configuration(address: IpAddr, domain: &str, password: &str, users: usize) -> String {
    let mut text = format!(
        "ip = \"{address}\"\nip_local = \"{address}\"\n\
         [sip]\nudp = {SIP_PORT}\ntcp = false\ntls = false\nconnections = 20000\nconnections_per_source = 20000\n\
         [http]\nport = {HTTP_PORT}\ntls_port = false\n\
         [media]\nports = \"20000-35999\"\nworkers = 1\npin = false\nsessions = 4000\n\
         [limits]\ncalls = 4000\ncalls_per_user = 4000\ncontacts_per_user = 100\nrequests_per_source = 1000000\n\
         [[domain]]\nname = \"{domain}\"\n"
    );
    for role in ["caller", "callee"] {
        for index in 0..users {
            // Writing to a string cannot fail.
            write!(text, "[[domain.user]]\nname = \"{role}{index}\"\npassword = \"{password}\"\n").ok();
        }
    }
    text
}

/// Both processes, without the launcher, so that each is measured.
pub(super) fn commands(
    programs: &Path,
    directory: &Path,
    place: &Place<'_>,
    users: usize,
) -> io::Result<Vec<(&'static str, Command)>> {
    let control = directory.join("control");
    let config = directory.join("tandem.toml");
    let text = configuration(place.address, place.domain, place.password, users);
    let media = format!("[media]\ncontrol = \"{}\"\n", control.display());
    fs::write(&config, text.replacen("[media]\n", &media, 1))?;
    let mut dataplane = Command::new(programs.join("tandem-dataplane"));
    dataplane.arg("--control").arg(&control).arg("--ip-local").arg(place.address.to_string());
    dataplane.args(["--media-ports", "20000-35999", "--workers", "1", "--max-sessions", "4000"]);
    dataplane.args(["--log", "warn"]);
    let mut signaling = Command::new(programs.join("tandem-signaling"));
    signaling.arg("--config").arg(&config).arg("--state").arg(directory.join("state"));
    signaling.args(["--log", "warn"]);
    Ok(vec![("dataplane", dataplane), ("signaling", signaling)])
}
