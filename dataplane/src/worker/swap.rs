//! Two legs of two sessions change places, with all that the worker holds of them.

use super::Worker;
use super::sessions::index;
use crate::demux::Leg;
use crate::driver::Driver;
use std::mem::swap;
use tandem_control::{Refusal, Reply, SessionId, Side};
use tandem_media::Now;

impl<D: Driver> Worker<D> {
    /// Lets two legs change places.
    ///
    /// # Errors
    /// As [`tandem_control::Request::Swap`] says; nothing has changed then.
    pub(super) fn swap(
        &mut self,
        now: Now,
        first: (SessionId, Side),
        second: (SessionId, Side),
    ) -> Result<Reply, Refusal> {
        let places = [first, second].map(|(id, side)| {
            let session = self.sessions.find(id).ok_or(Refusal::UnknownSession)?;
            Ok(Leg { session, side })
        });
        let [first, second] = places;
        let (first, second) = (first?, second?);
        let is_one = || Refusal::Invalid("both legs are of one session".to_owned());
        let (one, other) = self.sessions.get_two_mut(first.session, second.session).ok_or_else(is_one)?;
        one.session.swap(now, first.side, (&mut other.session, second.side))?;
        let (one_ports, other_ports) =
            (&mut one.legs[index(first.side)], &mut other.legs[index(second.side)]);
        self.demux.exchange([first, second], [&one_ports.shared, &other_ports.shared]);
        swap(one_ports, other_ports);
        for (ports, place) in [(one_ports, first), (other_ports, second)] {
            for (socket, component) in ports.own_sockets() {
                self.demux.own(socket, place, component);
            }
        }
        for place in [first, second] {
            self.dismiss_watchers(now, place);
            self.settle_session(place.session);
        }
        Ok(Reply::Done)
    }
}
