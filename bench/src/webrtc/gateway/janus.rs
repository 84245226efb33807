//! Janus with nothing but its SIP plugin and its WebSocket.

use super::HTTP_PORT;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/janus";
const OTHER_PLUGINS: [&str; 11] = [
    "audiobridge",
    "duktape",
    "echotest",
    "lua",
    "nosip",
    "recordplay",
    "streaming",
    "textroom",
    "videocall",
    "videoroom",
    "voicemail",
];
const OTHER_TRANSPORTS: [&str; 5] = ["http", "mqtt", "nanomsg", "pfunix", "rabbitmq"];

/// Writes its configuration and gives its command.
pub(super) fn commands(
    program: &Path,
    directory: &Path,
    address: IpAddr,
) -> io::Result<Vec<(&'static str, Command)>> {
    let none = directory.join("none");
    fs::create_dir(&none)?;
    let list =
        |names: &[&str]| names.iter().map(|name| format!("libjanus_{name}.so")).collect::<Vec<_>>().join(",");
    let general = format!(
        "general: {{\n configs_folder = \"{0}\"\n plugins_folder = \"{LIBRARY}/plugins\"\n\
         transports_folder = \"{LIBRARY}/transports\"\n events_folder = \"{1}\"\n loggers_folder = \"{1}\"\n\
         debug_level = 3\n}}\nnat: {{ ice_enforce_list = \"{address}\" }}\nmedia: {{ rtp_port_range = \"20000-39999\" }}\n\
         plugins: {{ disable = \"{2}\" }}\ntransports: {{ disable = \"{3}\" }}\n",
        directory.display(),
        none.display(),
        list(&OTHER_PLUGINS),
        list(&OTHER_TRANSPORTS),
    );
    fs::write(directory.join("janus.jcfg"), general)?;
    let websocket = format!("general: {{\n ws = true\n ws_port = {HTTP_PORT}\n ws_ip = \"{address}\"\n}}\n");
    fs::write(directory.join("janus.transport.websockets.jcfg"), websocket)?;
    let sip = format!("general: {{\n local_ip = \"{address}\"\n rtp_port_range = \"40000-59999\"\n}}\n");
    fs::write(directory.join("janus.plugin.sip.jcfg"), sip)?;
    let mut command = Command::new(program);
    command.arg("--configs-folder").arg(directory).arg("--config").arg(directory.join("janus.jcfg"));
    command.args(["--disable-colors", "--interface"]).arg(address.to_string());
    Ok(vec![("janus", command)])
}
