//! A network of our own: Janus offers no loopback address, so both gateways and the load live in a namespace with one
//! address on a pair of virtual Ethernet interfaces. It vanishes with this process and its children.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

/// The one address.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 88, 0, 1));
const COMMANDS: [&str; 5] = [
    "link set lo up",
    "link add bench0 type veth peer name bench1",
    "addr add 10.88.0.1/24 dev bench0",
    "link set bench0 up",
    "link set bench1 up",
];
/// Until the interfaces have a carrier.
const CARRIER: Duration = Duration::from_millis(300);

/// Moves this process into a network namespace of its own. Only before other threads are there.
///
/// # Errors
/// Without the privilege (CAP_SYS_ADMIN and CAP_NET_ADMIN: root), or without iproute2.
pub(crate) fn enter() -> io::Result<()> {
    // SAFETY: unshare takes a plain integer, and CLONE_NEWNET changes nothing but this thread's network.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        let error = io::Error::last_os_error();
        return Err(io::Error::other(format!("a network namespace needs root: {error}")));
    }
    for command in COMMANDS {
        if !Command::new("ip").args(command.split(' ')).status()?.success() {
            return Err(io::Error::other(format!("ip {command} failed")));
        }
    }
    std::thread::sleep(CARRIER);
    Ok(())
}
