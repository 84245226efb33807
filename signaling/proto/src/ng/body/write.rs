//! What the other party is told: the lines that came, with the relay's own in the place of those that speak of
//! transport.

use super::formats::numbered;
use super::text::LOOP_MARK;
use super::{Added, Kind, Line, Relayed, RtcpLines, Section, SectionPlan, SessionPlan, Text};
use crate::sdp::candidate::HOST_PRIORITY;
use crate::sdp::{codecs, fingerprint};
use std::fmt::Write;
use std::net::IpAddr;
use tandem_control::LocalPorts;

/// A description that lacks nothing but our ports, which the dataplane may yet have to give.
#[derive(Clone, Debug, Default, Hash)]
pub(in crate::ng) struct Draft {
    text: String,
    holes: Vec<Hole>,
}

/// Where a port is missing.
#[derive(Clone, Copy, Debug, Hash)]
struct Hole {
    at: usize,
    section: usize,
    is_rtcp: bool,
}

impl Draft {
    /// Writes what the other party is told. There is a plan for each section.
    pub(crate) fn write(text: &Text<'_>, session: &SessionPlan<'_>, sections: &[SectionPlan<'_>]) -> Draft {
        let mut draft = Draft { text: String::with_capacity(1_024), holes: Vec::with_capacity(4) };
        draft.session(text, session);
        for (index, (section, plan)) in text.sections.iter().zip(sections).enumerate() {
            let lines = text.lines(section);
            match plan {
                SectionPlan::Refused => draft.refused(section, lines),
                SectionPlan::Relayed(plan) => draft.relayed(index, section, lines, plan),
            }
        }
        draft
    }

    /// The description, once the ports of each section are known.
    pub(crate) fn fill(&self, ports: impl Fn(usize) -> Option<LocalPorts>) -> String {
        let mut filled = String::with_capacity(self.text.len() + 8 * self.holes.len());
        let mut from = 0;
        for hole in &self.holes {
            filled.push_str(self.text.get(from..hole.at).unwrap_or_default());
            from = hole.at;
            let port = ports(hole.section)
                .map_or(0, |ports| if hole.is_rtcp { ports.rtcp.port() } else { ports.rtp.port() });
            // Writing to a String cannot fail.
            let _ = write!(filled, "{port}");
        }
        filled.push_str(self.text.get(from..).unwrap_or_default());
        filled
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.end();
    }

    fn end(&mut self) {
        self.text.push_str("\r\n");
    }

    fn hole(&mut self, section: usize, is_rtcp: bool) {
        self.holes.push(Hole { at: self.text.len(), section, is_rtcp });
    }

    fn connection(&mut self, address: IpAddr) {
        let _ = write!(self.text, "c=IN {} {address}", family(address));
        self.end();
    }

    fn session(&mut self, text: &Text<'_>, plan: &SessionPlan<'_>) {
        for line in text.session() {
            match line.kind {
                Kind::Origin => match &plan.origin {
                    Some(origin) => {
                        self.text.push_str("o=");
                        self.line(origin);
                    }
                    None => self.line(line.text),
                },
                Kind::Connection => match plan.connection {
                    Some(address) => self.connection(address),
                    None => self.line(line.text),
                },
                Kind::Other if plan.name.is_some() && line.text.starts_with("s=") => {
                    self.text.push_str("s=");
                    self.line(plan.name.unwrap_or("-"));
                }
                Kind::Extmap if plan.strip_extmap => {}
                Kind::Other | Kind::Direction | Kind::Extmap | Kind::Mid | Kind::Ptime => {
                    self.line(line.text);
                }
                _ => {}
            }
        }
        if plan.ice_lite {
            self.line("a=ice-lite");
        }
        if plan.mark {
            let _ = write!(self.text, "a={LOOP_MARK}");
            self.end();
        }
    }

    fn refused(&mut self, section: &Section<'_>, lines: &[Line<'_>]) {
        let _ = write!(self.text, "m={} 0 {} {}", section.media, section.protocol, section.formats);
        self.end();
        for line in lines {
            let stays = matches!(
                line.kind,
                Kind::Other
                    | Kind::Rtpmap
                    | Kind::Fmtp
                    | Kind::RtcpFeedback
                    | Kind::Mid
                    | Kind::Direction
                    | Kind::Extmap
                    | Kind::Ptime
            );
            if stays {
                self.line(line.text);
            }
        }
    }

    fn relayed(&mut self, index: usize, section: &Section<'_>, lines: &[Line<'_>], plan: &Relayed<'_>) {
        let _ = write!(self.text, "m={} ", section.media);
        self.hole(index, false);
        let _ = write!(self.text, " {}", plan.protocol.name());
        for number in &plan.formats {
            let _ = write!(self.text, " {number}");
        }
        self.end();
        for line in lines {
            self.section_line(line, plan);
        }
        for Added { payload, parameters } in &plan.added {
            let _ = write!(self.text, "a=rtpmap:{} {}", payload.number, codecs::rtpmap(payload));
            self.end();
            if let Some(parameters) = parameters.clone().or_else(|| codecs::fmtp(payload)) {
                let _ = write!(self.text, "a=fmtp:{} {parameters}", payload.number);
                self.end();
            }
        }
        if let Some(ptime) = plan.ptime {
            let _ = write!(self.text, "a=ptime:{ptime}");
            self.end();
        }
        if let Some(mid) = &plan.mid {
            let _ = write!(self.text, "a=mid:{mid}");
            self.end();
        }
        self.rtcp(index, plan);
        self.security(plan);
        self.ice(index, plan);
    }

    fn section_line(&mut self, line: &Line<'_>, plan: &Relayed<'_>) {
        match line.kind {
            Kind::Connection => match plan.connection {
                Some(address) => self.connection(address),
                None => self.line(line.text),
            },
            Kind::Rtpmap | Kind::Fmtp => self.numbered(line, plan),
            Kind::RtcpFeedback if plan.protocol.feedback => self.numbered(line, plan),
            Kind::Ptime if plan.ptime.is_none() => self.line(line.text),
            Kind::Extmap if !plan.strip_extmap => self.line(line.text),
            Kind::Direction | Kind::Other => self.line(line.text),
            _ => {}
        }
    }

    /// A line that speaks of one payload type, with its new number; `rtcp-fb` may speak of all (RFC 4585 section 4.2).
    fn numbered(&mut self, line: &Line<'_>, plan: &Relayed<'_>) {
        let Some((from, rest)) = numbered(line.value) else {
            if line.value.starts_with('*') {
                self.line(line.text);
            }
            return;
        };
        match plan.numbers.iter().find(|(number, _)| *number == from) {
            Some((_, to)) if *to == from => self.line(line.text),
            Some((_, to)) => {
                let name = line.text.split(':').next().unwrap_or_default();
                let _ = write!(self.text, "{name}:{to} {rest}");
                self.end();
            }
            None => {}
        }
    }

    fn rtcp(&mut self, index: usize, plan: &Relayed<'_>) {
        let RtcpLines { mux, one_port, no_attribute, full_attribute } = plan.rtcp;
        if !no_attribute {
            self.text.push_str("a=rtcp:");
            self.hole(index, !one_port);
            if let Some(address) = plan.connection.filter(|_| full_attribute) {
                let _ = write!(self.text, " IN {} {address}", family(address));
            }
            self.end();
        }
        if mux {
            self.line("a=rtcp-mux");
        }
    }

    fn security(&mut self, plan: &Relayed<'_>) {
        for crypto in &plan.crypto {
            self.text.push_str("a=crypto:");
            self.text.push_str(&crypto.write_as(plan.key_form.pad, plan.key_form.lifetime));
            self.end();
        }
        if let Some((digest, setup)) = &plan.dtls {
            self.text.push_str("a=setup:");
            self.line(setup);
            self.text.push_str("a=fingerprint:");
            let value = fingerprint::write(digest);
            self.line(&value);
        }
    }

    fn ice(&mut self, index: usize, plan: &Relayed<'_>) {
        let Some((credentials, address)) = &plan.ice else { return };
        let _ =
            write!(self.text, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", credentials.ufrag, credentials.password);
        if plan.trickle {
            self.line("a=ice-options:trickle");
        }
        // RFC 8839 section 5.1; one component: with ICE, RTCP is always multiplexed here.
        let _ = write!(self.text, "a=candidate:1 1 udp {HOST_PRIORITY} {address} ");
        self.hole(index, false);
        self.line(" typ host");
        self.line("a=end-of-candidates");
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}

/// The value of `o=` with another address (RFC 8866 section 5.2).
pub(in crate::ng) fn origin_at(value: &str, address: IpAddr) -> String {
    let mut fields = value.split_ascii_whitespace();
    let mut next = |usual: &'static str| fields.next().unwrap_or(usual);
    let (user, id, version) = (next("-"), next("0"), next("0"));
    format!("{user} {id} {version} IN {} {address}", family(address))
}
