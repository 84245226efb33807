//! What a controller is answered.

use super::{Dictionary, Encoding, Value, Verb};
use std::net::SocketAddr;

/// A reply, to be written in the encoding of its request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To `ping`.
    Pong,
    /// Done; there is nothing to say but perhaps a warning.
    Done {
        /// What was not as it should be, though it is no error: an unknown call that is deleted.
        warning: Option<String>,
    },
    /// To `offer` and `answer`.
    Sdp {
        /// The rewritten description.
        sdp: Vec<u8>,
        /// What was not carried out of the request.
        warning: Option<String>,
    },
    /// To `query` and `delete`.
    Call(Box<CallReport>),
    /// To `list`: call-ids.
    Calls(Vec<String>),
    /// To `statistics`.
    Statistics(Box<Statistics>),
    /// The request is not carried out; the reason. Kamailio sends an offer to the next engine on exactly
    /// [`Reply::SESSION_LIMIT`] and [`Reply::NO_PORTS`].
    Error(String),
    /// As an error, for controllers that know it ([`super::request::Options::supports_load_limit`]): they send the offer
    /// to another engine.
    LoadLimit(String),
}

impl Reply {
    /// The reason of an error when there are as many calls as may be.
    pub const SESSION_LIMIT: &str = "Parallel session limit reached";
    /// The reason of an error when all ports are taken.
    pub const NO_PORTS: &str = "Ran out of ports";

    /// The body.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let mut reply = Dictionary::new();
        match self {
            Reply::Pong => reply.set("result", Value::text("pong")),
            Reply::Done { warning } => ok(&mut reply, warning.as_deref()),
            Reply::Sdp { sdp, warning } => {
                ok(&mut reply, warning.as_deref());
                reply.set("sdp", Value::Bytes(sdp.into()));
            }
            Reply::Call(report) => {
                ok(&mut reply, None);
                report.write(&mut reply);
            }
            Reply::Calls(calls) => {
                ok(&mut reply, None);
                reply.set("calls", Value::List(calls.iter().map(|call| Value::text(call)).collect()));
            }
            Reply::Statistics(statistics) => {
                ok(&mut reply, None);
                reply.set("statistics", Value::Dictionary(statistics.dictionary()));
            }
            Reply::Error(reason) => {
                reply.set("result", Value::text("error"));
                reply.set("error-reason", Value::text(reason));
            }
            Reply::LoadLimit(reason) => {
                reply.set("result", Value::text("load limit"));
                reply.set("message", Value::text(reason));
            }
        }
        reply.encode(encoding)
    }
}

fn ok<'a>(reply: &mut Dictionary<'a>, warning: Option<&'a str>) {
    reply.set("result", Value::text("ok"));
    if let Some(warning) = warning {
        reply.set("warning", Value::text(warning));
    }
}

/// The figures of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallReport {
    /// When its first offer came, in seconds since 1970.
    pub created: u64,
    /// When the last request about it came.
    pub last_signal: u64,
    /// Its parties.
    pub tags: Vec<TagReport>,
    /// Its streams' sources.
    pub ssrcs: Vec<SsrcReport>,
    /// All that was received from its parties as RTP.
    pub rtp: Traffic,
    /// And as RTCP.
    pub rtcp: Traffic,
}

/// A party.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagReport {
    /// Its SIP tag; empty as long as it is not known.
    pub tag: String,
    /// The name that an offer or answer gave it.
    pub label: Option<String>,
    /// When it was first seen, in seconds since 1970.
    pub created: u64,
    /// The tag of the other side.
    pub in_dialogue_with: Option<String>,
    /// Its media sections, in the order of its SDP.
    pub medias: Vec<MediaReport>,
}

/// A media section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaReport {
    /// Counts from 1.
    pub index: usize,
    /// `audio`, `video` ...
    pub kind: String,
    /// `RTP/AVP` ...
    pub protocol: String,
    /// Of `initialized`, `rtcp-mux`, `DTLS-SRTP`, `SDES`, `passthrough` and `ICE` those that hold.
    pub flags: Vec<&'static str>,
    /// RTP, and RTCP where it has a port of its own.
    pub streams: Vec<StreamReport>,
}

/// Packets from one party on one port.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamReport {
    /// Our address.
    pub local: Option<SocketAddr>,
    /// Where we send.
    pub endpoint: Option<SocketAddr>,
    /// Where the party's SDP asked us to send.
    pub advertised_endpoint: Option<SocketAddr>,
    /// As SDES names it; `None`: not encrypted.
    pub crypto_suite: Option<&'static str>,
    /// When the last packet came, in seconds since 1970; 0: none came.
    pub last_packet: u64,
    /// `RTP` or `RTCP`, and of `filled` and `confirmed` those that hold.
    pub flags: Vec<&'static str>,
    /// The source of the last packet that came.
    pub ssrc: Option<u32>,
    /// What came.
    pub received: Traffic,
    /// What we sent to the party.
    pub sent: Traffic,
}

/// Packets, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many.
    pub packets: u64,
    /// The bytes of their UDP payloads.
    pub bytes: u64,
    /// Packets that were dropped as faulty.
    pub errors: u64,
}

/// What is known of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SsrcReport {
    /// Its identifier.
    pub ssrc: u32,
    /// Packets that never came.
    pub lost: u64,
    /// The mean opinion score, 1.0 to 4.4, of its quality.
    pub mos: Option<f32>,
    /// Mean interarrival jitter in milliseconds.
    pub jitter_ms: u32,
    /// Mean share of lost packets, in percent.
    pub packet_loss_percent: u32,
    /// Mean round-trip time in microseconds, where RTCP told it.
    pub round_trip_us: Option<u32>,
    /// What came from it.
    pub received: Traffic,
}

impl CallReport {
    fn write<'a>(&'a self, reply: &mut Dictionary<'a>) {
        reply.set("created", integer(self.created));
        reply.set("last signal", integer(self.last_signal));
        let mut tags = Dictionary::new();
        for tag in &self.tags {
            tags.push(tag.tag.as_bytes(), Value::Dictionary(tag.dictionary()));
        }
        reply.set("tags", Value::Dictionary(tags));
        let mut ssrcs = Dictionary::new();
        for ssrc in &self.ssrcs {
            ssrcs.push(ssrc.ssrc.to_string().into_bytes(), Value::Dictionary(ssrc.dictionary()));
        }
        reply.set("SSRC", Value::Dictionary(ssrcs));
        let mut totals = Dictionary::new();
        totals.set("RTP", self.rtp.value());
        totals.set("RTCP", self.rtcp.value());
        reply.set("totals", Value::Dictionary(totals));
    }
}

impl TagReport {
    fn dictionary(&self) -> Dictionary<'_> {
        let mut tag = Dictionary::new();
        tag.set("tag", Value::text(&self.tag));
        if let Some(label) = &self.label {
            tag.set("label", Value::text(label));
        }
        tag.set("created", integer(self.created));
        if let Some(other) = &self.in_dialogue_with {
            tag.set("in dialogue with", Value::text(other));
        }
        let medias = self.medias.iter().map(|media| Value::Dictionary(media.dictionary()));
        tag.set("medias", Value::List(medias.collect()));
        tag
    }
}

impl MediaReport {
    fn dictionary(&self) -> Dictionary<'_> {
        let mut media = Dictionary::new();
        media.set("index", integer(self.index as u64));
        media.set("type", Value::text(&self.kind));
        media.set("protocol", Value::text(&self.protocol));
        media.set("flags", words(&self.flags));
        let streams = self.streams.iter().map(|stream| Value::Dictionary(stream.dictionary()));
        media.set("streams", Value::List(streams.collect()));
        media
    }
}

impl StreamReport {
    fn dictionary(&self) -> Dictionary<'_> {
        let mut stream = Dictionary::new();
        if let Some(local) = self.local {
            stream.set("local port", integer(local.port().into()));
            stream.set("local address", Value::owned(local.ip().to_string()));
            stream.set("family", family(local));
        }
        for (key, endpoint) in
            [("endpoint", self.endpoint), ("advertised endpoint", self.advertised_endpoint)]
        {
            if let Some(address) = endpoint {
                let mut endpoint = Dictionary::new();
                endpoint.set("family", family(address));
                endpoint.set("address", Value::owned(address.ip().to_string()));
                endpoint.set("port", integer(address.port().into()));
                stream.set(key, Value::Dictionary(endpoint));
            }
        }
        if let Some(suite) = self.crypto_suite {
            stream.set("crypto suite", Value::text(suite));
        }
        stream.set("last packet", integer(self.last_packet));
        stream.set("flags", words(&self.flags));
        if let Some(ssrc) = self.ssrc {
            stream.set("SSRC", integer(ssrc.into()));
        }
        stream.set("stats", self.received.value());
        stream.set("stats_out", self.sent.value());
        stream
    }
}

impl SsrcReport {
    fn dictionary(&self) -> Dictionary<'static> {
        let mut ssrc = Dictionary::new();
        ssrc.set("cumulative loss", integer(self.lost));
        ssrc.set("packets", integer(self.received.packets));
        ssrc.set("bytes", integer(self.received.bytes));
        if let Some(mos) = self.mos {
            let mut average = Dictionary::new();
            // In tenths, as there are no fractions in bencode.
            average.set("MOS", Value::Integer((mos * 10.0).round() as i64));
            average.set("jitter", integer(self.jitter_ms.into()));
            average.set("packet loss", integer(self.packet_loss_percent.into()));
            if let Some(round_trip) = self.round_trip_us {
                average.set("round-trip time", integer(round_trip.into()));
            }
            average.set("samples", integer(1));
            ssrc.set("average MOS", Value::Dictionary(average));
        }
        ssrc
    }
}

impl Traffic {
    fn value(&self) -> Value<'static> {
        let mut traffic = Dictionary::new();
        traffic.set("packets", integer(self.packets));
        traffic.set("bytes", integer(self.bytes));
        traffic.set("errors", integer(self.errors));
        Value::Dictionary(traffic)
    }
}

/// The figures of the whole relay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Calls at present.
    pub sessions: u64,
    /// Packets a second at present.
    pub packet_rate: u64,
    /// Bytes a second at present.
    pub byte_rate: u64,
    /// Faulty packets a second at present.
    pub error_rate: u64,
    /// Media at present that is transcoded.
    pub transcoded_media: u64,
    /// Seconds since the start.
    pub uptime: u64,
    /// Calls since the start.
    pub managed_sessions: u64,
    /// Offers that were refused for a limit.
    pub rejected_sessions: u64,
    /// Calls that ended because nothing was heard of them.
    pub timeout_sessions: u64,
    /// Calls that ended by `delete`.
    pub regular_terminated_sessions: u64,
    /// Calls that ended by an operator or a fault.
    pub forced_terminated_sessions: u64,
    /// Packets since the start.
    pub relayed: Traffic,
    /// Seconds that ended calls lasted in all.
    pub calls_duration: u64,
    /// Requests since the start.
    pub commands: CommandCounts,
}

/// Requests since the start, by their command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandCounts {
    counts: [u64; Verb::ALL.len()],
    /// Requests that were answered with an error.
    pub errors: u64,
}

impl CommandCounts {
    /// One more.
    pub fn count(&mut self, verb: Verb) {
        if let Some(count) = self.counts.get_mut(verb as usize) {
            *count += 1;
        }
    }

    /// How many there were.
    pub fn of(&self, verb: Verb) -> u64 {
        self.counts.get(verb as usize).copied().unwrap_or(0)
    }

    fn dictionary(&self) -> Dictionary<'static> {
        let mut counts = Dictionary::new();
        for (key, verb) in [
            ("totalpingcount", Verb::Ping),
            ("totaloffercount", Verb::Offer),
            ("totalanswercount", Verb::Answer),
            ("totaldeletecount", Verb::Delete),
            ("totalquerycount", Verb::Query),
            ("totallistcount", Verb::List),
            ("totalblkdtmfcount", Verb::BlockDtmf),
            ("totalunblkdtmfcount", Verb::UnblockDtmf),
            ("totalblkmedia", Verb::BlockMedia),
            ("totalunblkmedia", Verb::UnblockMedia),
            ("totalslncmedia", Verb::SilenceMedia),
            ("totalunslncmedia", Verb::UnsilenceMedia),
            ("totalstatistics", Verb::Statistics),
        ] {
            counts.set(key, integer(self.of(verb)));
        }
        counts.set("totalerrorcount", integer(self.errors));
        counts
    }
}

impl Statistics {
    fn dictionary(&self) -> Dictionary<'static> {
        let mut current = Dictionary::new();
        current.set("sessionsown", integer(self.sessions));
        current.set("sessionsforeign", integer(0));
        current.set("sessionstotal", integer(self.sessions));
        current.set("transcodedmedia", integer(self.transcoded_media));
        current.set("packetrate", integer(self.packet_rate));
        current.set("byterate", integer(self.byte_rate));
        current.set("errorrate", integer(self.error_rate));
        let mut total = Dictionary::new();
        // Text, as there: some readers insist.
        total.set("uptime", Value::owned(self.uptime.to_string()));
        total.set("managedsessions", integer(self.managed_sessions));
        total.set("rejectedsessions", integer(self.rejected_sessions));
        total.set("timeoutsessions", integer(self.timeout_sessions));
        total.set("regularterminatedsessions", integer(self.regular_terminated_sessions));
        total.set("forcedterminatedsessions", integer(self.forced_terminated_sessions));
        total.set("relayedpackets", integer(self.relayed.packets));
        total.set("relayedbytes", integer(self.relayed.bytes));
        total.set("relayedpacketerrors", integer(self.relayed.errors));
        let average =
            self.calls_duration as f64 / self.managed_sessions.saturating_sub(self.sessions).max(1) as f64;
        total.set("avgcallduration", Value::owned(format!("{average:.6}")));
        let mut statistics = Dictionary::new();
        statistics.set("currentstatistics", Value::Dictionary(current));
        statistics.set("totalstatistics", Value::Dictionary(total));
        statistics.set("controlstatistics", Value::Dictionary(self.commands.dictionary()));
        statistics
    }
}

fn integer(number: u64) -> Value<'static> {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn family(address: SocketAddr) -> Value<'static> {
    Value::text(if address.is_ipv4() { "IPv4" } else { "IPv6" })
}

fn words(words: &[&'static str]) -> Value<'static> {
    Value::List(words.iter().map(|word| Value::text(word)).collect())
}
