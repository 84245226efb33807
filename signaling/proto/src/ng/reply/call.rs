//! What is told of one call.

use super::{Traffic, integer, set_recordings};
use crate::ng::{Dictionary, Value};
use std::net::SocketAddr;

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
    /// The files that it is recorded into.
    pub recordings: Vec<String>,
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
    pub kind: &'static str,
    /// `RTP/AVP` ...
    pub protocol: &'static str,
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

/// What is known of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SsrcReport {
    /// Its identifier.
    pub ssrc: u32,
    /// Packets that never came.
    pub lost: u64,
    /// How well it is heard, where that is known.
    pub quality: Option<SsrcQuality>,
    /// What came of it.
    pub traffic: Traffic,
}

/// How well a source is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SsrcQuality {
    /// The mean opinion score in tenths, 10 to 45.
    pub mos_x10: u16,
    /// Interarrival jitter in milliseconds.
    pub jitter_ms: u32,
    /// The share of lost packets, in percent.
    pub packet_loss_percent: u32,
    /// Round-trip time in microseconds, where RTCP told it.
    pub round_trip_us: Option<u32>,
    /// When that was so, in seconds since 1970.
    pub reported_at: u64,
}

impl CallReport {
    pub(super) fn write<'a>(&'a self, reply: &mut Dictionary<'a>) {
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
        set_recordings(reply, &self.recordings);
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
        media.set("type", Value::text(self.kind));
        media.set("protocol", Value::text(self.protocol));
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
        ssrc.set("packets", integer(self.traffic.packets));
        ssrc.set("bytes", integer(self.traffic.bytes));
        if let Some(quality) = self.quality {
            let mut average = quality.dictionary();
            average.set("samples", integer(1));
            ssrc.set("average MOS", Value::Dictionary(average));
            // There is one score, which stands for the whole stream: it is the lowest and the highest too.
            for key in ["lowest MOS", "highest MOS"] {
                let mut extreme = quality.dictionary();
                extreme.set("reported at", integer(quality.reported_at));
                ssrc.set(key, Value::Dictionary(extreme));
            }
        }
        ssrc
    }
}

impl SsrcQuality {
    fn dictionary(self) -> Dictionary<'static> {
        let mut quality = Dictionary::new();
        // In tenths, as there are no fractions in bencode.
        quality.set("MOS", integer(self.mos_x10.into()));
        if let Some(round_trip) = self.round_trip_us {
            quality.set("round-trip time", integer(round_trip.into()));
            quality.set("round-trip time leg", integer(round_trip.into()));
        }
        quality.set("jitter", integer(self.jitter_ms.into()));
        quality.set("packet loss", integer(self.packet_loss_percent.into()));
        quality
    }
}

fn family(address: SocketAddr) -> Value<'static> {
    Value::text(if address.is_ipv4() { "IPv4" } else { "IPv6" })
}

fn words(words: &[&'static str]) -> Value<'static> {
    Value::List(words.iter().map(|word| Value::text(word)).collect())
}
