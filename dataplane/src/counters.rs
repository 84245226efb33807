//! What a worker counts. Plain numbers of one thread; the control server asks for a copy.

use crate::driver::DriverCounters;
use tandem_media::drops::DropCounters;

/// The figures of one worker, or the sum of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams received.
    pub packets_received: u64,
    /// Their bytes, without UDP and IP headers.
    pub bytes_received: u64,
    /// Datagrams given to the driver.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Datagrams dropped, by reason.
    pub drops: DropCounters,
    /// Datagrams made here that found no buffer.
    pub no_buffer: u64,
    /// Datagrams not sent because media never goes to such an address (attacks.md row 7).
    pub destination_refused: u64,
    /// Events that the control server had no room for.
    pub events_lost: u64,
    /// Sessions made since the start.
    pub sessions_created: u64,
    /// Sessions alive.
    pub sessions: u64,
    /// Rooms.
    pub rooms: u64,
    /// Sides of sessions that are in a room.
    pub room_members: u64,
    /// Sessions that watch another one.
    pub watchers: u64,
    /// Sockets open.
    pub sockets: u64,
    /// Packet buffers that nobody holds.
    pub buffers_spare: u64,
    /// Pairs of ports that may be lent.
    pub port_pairs_free: u64,
    /// Pairs of ports that rest after their use.
    pub port_pairs_resting: u64,
    /// Packets that recordings have lost, because their file was not written in time.
    pub recording_packets_lost: u64,
    /// How often what is played was not read in time.
    pub play_underruns: u64,
    /// What went wrong in the driver.
    pub driver: DriverCounters,
}

impl Counters {
    /// Every figure with its name; the name of a drop has its reason after a dot.
    pub fn named(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        let plain = [
            ("packets_received", self.packets_received),
            ("bytes_received", self.bytes_received),
            ("packets_sent", self.packets_sent),
            ("bytes_sent", self.bytes_sent),
            ("no_buffer", self.no_buffer),
            ("destination_refused", self.destination_refused),
            ("events_lost", self.events_lost),
            ("sessions_created", self.sessions_created),
            ("sessions", self.sessions),
            ("rooms", self.rooms),
            ("room_members", self.room_members),
            ("watchers", self.watchers),
            ("sockets", self.sockets),
            ("buffers_spare", self.buffers_spare),
            ("port_pairs_free", self.port_pairs_free),
            ("port_pairs_resting", self.port_pairs_resting),
            ("recording_packets_lost", self.recording_packets_lost),
            ("play_underruns", self.play_underruns),
            ("receive_malformed", self.driver.malformed),
            ("receive_starved", self.driver.receive_starved),
            ("receive_errors", self.driver.receive_errors),
            ("send_errors", self.driver.send_errors),
            ("queue_full", self.driver.queue_full),
        ];
        let drops = self.drops.iter().map(|(reason, count)| (format!("dropped.{}", reason.name()), count));
        plain.into_iter().map(|(name, count)| (name.to_owned(), count)).chain(drops)
    }
}

/// Adds up the figures of several workers, by name.
pub fn sum(workers: &[Counters]) -> Vec<(String, u64)> {
    let mut total: Vec<(String, u64)> = Vec::new();
    for worker in workers {
        for (index, (name, count)) in worker.named().enumerate() {
            match total.get_mut(index) {
                Some((_, sum)) => *sum += count,
                None => total.push((name, count)),
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tandem_media::drops::DropReason;

    #[test]
    fn workers_add_up_by_name() {
        let mut first = Counters { packets_sent: 3, ..Counters::default() };
        first.drops.count(DropReason::NoSession);
        let second = Counters { packets_sent: 4, ..first.clone() };
        let total = sum(&[first, second]);
        assert!(total.contains(&("packets_sent".to_owned(), 7)));
        assert!(total.contains(&("dropped.no_session".to_owned(), 2)));
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = Counters::default().named().map(|(name, _)| name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
}
