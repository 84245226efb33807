//! UDP ports that single accounts have for themselves: each at every address that the common port is bound at.

use super::udp::{self, Udp};
use crate::events::Events;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::task::JoinHandle;

/// One port: its sockets, and the tasks that read them.
struct UserPort {
    sockets: Vec<Udp>,
    readers: Vec<JoinHandle<()>>,
}

impl Drop for UserPort {
    fn drop(&mut self) {
        // The reader owns the socket too: it is closed when both are gone.
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

/// The ports that are open. There are no more than the switch's range has.
pub(crate) struct UserPorts {
    addresses: Vec<IpAddr>,
    events: Events,
    open: HashMap<u16, UserPort>,
}

impl UserPorts {
    /// None yet; they are bound beside these sockets.
    pub(crate) fn new(beside: &[Udp], events: Events) -> UserPorts {
        let addresses = beside.iter().map(|udp| udp.local.ip()).collect();
        UserPorts { addresses, events, open: HashMap::new() }
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Binds a port at every address, or at none.
    pub(crate) fn open(&mut self, port: u16) -> io::Result<()> {
        let bind = |ip: &IpAddr| udp::bind(SocketAddr::new(*ip, port));
        let sockets = self.addresses.iter().map(bind).collect::<io::Result<Vec<Udp>>>()?;
        let read = |udp: &Udp| tokio::spawn(udp::receive(udp.clone(), self.events.clone()));
        let readers = sockets.iter().map(read).collect();
        self.open.insert(port, UserPort { sockets, readers });
        Ok(())
    }

    /// Closes a port.
    pub(crate) fn close(&mut self, port: u16) {
        self.open.remove(&port);
    }

    /// The sockets of a port; none if it is not open.
    pub(crate) fn at(&self, port: u16) -> &[Udp] {
        self.open.get(&port).map_or(&[], |each| &each.sockets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Event;
    use std::net::UdpSocket;
    use std::time::Duration;
    use tandem_sip::switch::Input;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    /// A port that nobody has.
    fn free_port() -> u16 {
        UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn a_port_is_read_and_freed_and_one_that_is_taken_is_refused() {
        let (events, mut queue) = mpsc::channel(8);
        let common = udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut ports = UserPorts::new(&[common], events);
        let port = free_port();
        ports.open(port).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let event = timeout(Duration::from_secs(5), queue.recv()).await.unwrap().unwrap();
        assert!(matches!(event, Event::Switch(Input::Sip { flow, .. }) if flow.local.port() == port));
        assert!(UdpSocket::bind(("127.0.0.1", port)).is_err(), "it is bound");
        ports.close(port);
        assert_eq!((ports.len(), ports.at(port).len()), (0, 0));
        // The reader's task ends at its next turn.
        let freed = async {
            while UdpSocket::bind(("127.0.0.1", port)).is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(5), freed).await.unwrap();
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(ports.open(taken.local_addr().unwrap().port()).is_err());
    }
}
