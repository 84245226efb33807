//! The ports of legs: lent with a session, or in its life, and given back with it.

use super::Worker;
use super::sessions::{LegPorts, VideoPorts, index};
use crate::demux::{Leg, SharedEntries};
use crate::driver::{Driver, SocketId};
use crate::ports::PortPair;
use std::net::IpAddr;
use tandem_control::{LocalPorts, PortKind, PortRequest, Refusal, Reply, SessionId, Side};
use tandem_media::session::Component;

/// How many pairs of ports are tried for one stream when the system says that they are taken.
const PORT_TRIES: usize = 8;

impl<D: Driver> Worker<D> {
    /// Opens what a leg needs.
    pub(super) fn open_leg(&mut self, request: PortRequest, leg: Leg) -> Result<LegPorts, Refusal> {
        let local = self.local_address(request.address).ok_or(Refusal::NoAddress)?;
        if request.kind == PortKind::Shared {
            let (address, socket) = (local.ports.shared(), local.shared);
            return Ok(LegPorts {
                local: LocalPorts { rtp: address, rtcp: address, video: None },
                rtp: socket,
                rtcp: socket,
                pair: None,
                connected: None,
                shared: SharedEntries::default(),
                video: None,
            });
        }
        let (pair, rtp, rtcp) = self.open_pair(request.address, leg, [Component::Rtp, Component::Rtcp])?;
        let mut ports = LegPorts {
            local: LocalPorts { rtp: pair.rtp(), rtcp: pair.rtcp(), video: None },
            rtp,
            rtcp,
            pair: Some(pair),
            connected: None,
            shared: SharedEntries::default(),
            video: None,
        };
        if request.video {
            match self.open_video(request.address, leg) {
                Ok(video) => ports.video = Some(video),
                Err(refusal) => {
                    self.close_leg(ports, leg);
                    return Err(refusal);
                }
            }
        }
        Ok(ports)
    }

    /// Gives a leg on ports of its own two more for video, unless it has them.
    ///
    /// # Errors
    /// As [`tandem_control::Request::AddVideo`] says.
    pub(super) fn add_video(&mut self, id: SessionId, side: Side) -> Result<Reply, Refusal> {
        let (session, entry) = self.entry(id)?;
        let ports = &entry.legs[index(side)];
        if let Some(video) = &ports.video {
            return Ok(Reply::VideoAdded(video.ports()));
        }
        if ports.pair.is_none() {
            return Err(Refusal::Invalid(
                "on the shared port video is bundled and needs no ports".to_owned(),
            ));
        }
        let address = ports.local.rtp.ip();
        let video = self.open_video(address, Leg { session, side })?;
        let added = video.ports();
        self.entry(id)?.1.legs[index(side)].video = Some(video);
        Ok(Reply::VideoAdded(added))
    }

    fn open_video(&mut self, address: IpAddr, leg: Leg) -> Result<Box<VideoPorts>, Refusal> {
        let components = [Component::VideoRtp, Component::VideoRtcp];
        let (pair, rtp, rtcp) = self.open_pair(address, leg, components)?;
        Ok(Box::new(VideoPorts { rtp, rtcp, pair }))
    }

    /// Borrows a pair of ports and opens both.
    fn open_pair(
        &mut self,
        address: IpAddr,
        leg: Leg,
        [of_rtp, of_rtcp]: [Component; 2],
    ) -> Result<(PortPair, SocketId, SocketId), Refusal> {
        for _ in 0..PORT_TRIES {
            let local = self.local.iter().find(|local| local.ports.address() == address);
            let pair =
                local.and_then(|local| local.ports.lend(&mut self.random)).ok_or(Refusal::OutOfPorts)?;
            // A port that another program holds: its pair rests and the next one is tried.
            let Ok(rtp) = self.driver.open(pair.rtp(), false) else { continue };
            let Ok(rtcp) = self.driver.open(pair.rtcp(), false) else {
                self.driver.close(rtp);
                continue;
            };
            self.demux.own(rtp, leg, of_rtp);
            self.demux.own(rtcp, leg, of_rtcp);
            return Ok((pair, rtp, rtcp));
        }
        Err(Refusal::OutOfPorts)
    }

    /// Closes all that a leg has, and gives its ports back.
    pub(super) fn close_leg(&mut self, mut ports: LegPorts, leg: Leg) {
        self.demux.remove(leg, &mut ports.shared);
        for (socket, _) in ports.own_sockets() {
            self.demux.disown(socket);
            self.driver.close(socket);
        }
    }
}
