//! Words in lists: flags, and what stands in `replace`, `ICE`, `rtcp-mux`, `SDES`, `codec` and `supports`.

use super::codecs::{CodecSpec, MAX_CODECS};
use super::fields::Fields;
use super::options::{IceMode, TransportProtocol};
use super::read::{each, sdes};
use super::tokens::{after, normal, same};
use super::{Flag, flags};
use crate::ng::{Fault, Value};

impl Fields {
    /// One word of `flags`: a flag, or another key's value with that key before it, as OpenSIPS sends what it does not
    /// know itself.
    pub(super) fn token(&mut self, token: &str) -> Result<(), Fault> {
        if let Some((key, value)) = token.split_once('=').filter(|(key, _)| !key.contains('/')) {
            return self.entry(key, &Value::text(value));
        }
        if let Some(flag) = flags::find(token) {
            self.options.flags.insert(flag);
            return Ok(());
        }
        if same(token, "webrtc") {
            return self.webrtc();
        }
        if same(token, "record-call") {
            self.options.record_call = Some(true);
            return Ok(());
        }
        if same(token, "pad-crypto") {
            self.options.sdes.pad = true;
            return Ok(());
        }
        if let Some(rest) = after(token, "sdes-") {
            return self.sdes(rest);
        }
        if let Some(rest) = after(token, "osrtp-") {
            return self.osrtp(rest);
        }
        if let Some(rest) = after(token, "rtcp-mux-") {
            return self.rtcp_mux(rest);
        }
        if let Some(rest) = after(token, "ice-") {
            return self.ice(rest);
        }
        if let Some(rest) = after(token, "replace-") {
            return self.replace(rest);
        }
        let codec = after(token, "codec-").or_else(|| after(token, "transcode-").map(|_| token));
        match codec.and_then(|rest| rest.split_once('-')) {
            Some((list, codec)) => self.codec(list, codec),
            None => {
                self.note_unknown(token);
                Ok(())
            }
        }
    }

    /// What one flag stands for that talks to browsers.
    pub(super) fn webrtc(&mut self) -> Result<(), Fault> {
        self.options.transport_protocol = Some(TransportProtocol::TlsSavpf);
        self.options.ice = Some(IceMode::Force);
        self.options.rtcp_mux.offer = true;
        self.options.rtcp_mux.require = true;
        self.options.sdes.off = true;
        for flag in [Flag::TrickleIce, Flag::NoRtcpAttribute, Flag::GenerateMid] {
            self.options.flags.insert(flag);
        }
        Ok(())
    }

    pub(super) fn replace(&mut self, word: &str) -> Result<(), Fault> {
        let replace = &mut self.options.replace;
        match normal(word).as_str() {
            "origin" => replace.origin = true,
            "origin-full" => replace.origin_full = true,
            "session-connection" => replace.session_connection = true,
            "session-name" => replace.session_name = true,
            "sdp-version" => replace.sdp_version = true,
            "force-increment-sdp-ver" => replace.force_sdp_version = true,
            "username" => replace.username = true,
            "zero-address" => replace.zero_address = true,
            _ => self.note_unknown(&format!("replace={word}")),
        }
        Ok(())
    }

    pub(super) fn supports(&mut self, word: &str) -> Result<(), Fault> {
        if same(word, "load-limit") {
            self.options.supports_load_limit = true;
        } else {
            self.note_unknown(&format!("supports={word}"));
        }
        Ok(())
    }

    pub(super) fn ice(&mut self, word: &str) -> Result<(), Fault> {
        let mode = match normal(word).as_str() {
            "remove" => IceMode::Remove,
            "force" => IceMode::Force,
            "default" => IceMode::Default,
            "force-relay" => IceMode::ForceRelay,
            "optional" => IceMode::Optional,
            "trickle" => {
                self.options.flags.insert(Flag::TrickleIce);
                return Ok(());
            }
            _ => {
                self.note_unknown(&format!("ICE={word}"));
                return Ok(());
            }
        };
        self.options.ice = Some(mode);
        Ok(())
    }

    pub(super) fn rtcp_mux(&mut self, word: &str) -> Result<(), Fault> {
        let mux = &mut self.options.rtcp_mux;
        match normal(word).as_str() {
            "offer" => mux.offer = true,
            "require" => mux.require = true,
            "demux" => mux.demux = true,
            "accept" => mux.accept = true,
            "reject" => mux.reject = true,
            _ => self.note_unknown(&format!("rtcp-mux={word}")),
        }
        Ok(())
    }

    pub(super) fn sdes(&mut self, word: &str) -> Result<(), Fault> {
        if !sdes(&mut self.options.sdes, word) {
            self.note_unknown(&format!("SDES={word}"));
        }
        Ok(())
    }

    pub(super) fn osrtp(&mut self, word: &str) -> Result<(), Fault> {
        match normal(word).as_str() {
            "offer" | "offer-rfc" => self.options.osrtp.offer = true,
            "accept" | "accept-rfc" => self.options.osrtp.accept = true,
            _ => self.note_unknown(&format!("OSRTP={word}")),
        }
        Ok(())
    }

    /// `codec`: a dictionary of lists.
    pub(super) fn codecs(&mut self, value: &Value<'_>) -> Result<(), Fault> {
        let Value::Dictionary(lists) = value else {
            return Err(Fault::WrongType { key: "codec", wanted: "a dictionary of lists" });
        };
        for (list, codecs) in lists.iter() {
            let list = String::from_utf8_lossy(list);
            each("codec", codecs, |codec| self.codec(&list, codec))?;
        }
        Ok(())
    }

    pub(super) fn codec(&mut self, list: &str, codec: &str) -> Result<(), Fault> {
        let spec = CodecSpec::parse(codec);
        match (self.options.codecs.list(&normal(list)), spec) {
            (Some(codecs), Some(spec)) if codecs.len() < MAX_CODECS => codecs.push(spec),
            (Some(_), Some(_)) => return Err(Fault::WrongType { key: "codec", wanted: "at most 64 codecs" }),
            _ => self.note_unknown(&format!("codec-{list}-{codec}")),
        }
        Ok(())
    }
}
