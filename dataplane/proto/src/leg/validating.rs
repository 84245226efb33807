//! What a leg's configuration must be like.

use tandem_control::{
    LegConfig, MAX_FINGERPRINTS, MAX_PAYLOAD_TYPES, MAX_VIDEO_PAYLOAD_TYPES, PayloadType, Refusal, Security,
    Video, VideoCodec, VideoPayloadType,
};

/// Checks what can be checked of a configuration without the leg.
///
/// # Errors
/// [`Refusal::Invalid`] says what is wrong with it.
pub(super) fn validate(config: &LegConfig) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::Invalid(text.into()));
    let audio = &config.audio;
    if audio.receive.len() > MAX_PAYLOAD_TYPES || audio.send.len() > MAX_PAYLOAD_TYPES {
        return refuse("too many payload types");
    }
    let is_bad = |payload_type: &PayloadType| payload_type.number > 127 || payload_type.clock < 1000;
    if audio.receive.iter().chain(&audio.send).any(is_bad) {
        return refuse("a payload type above 127 or a clock below 1000 Hz");
    }
    if config.ice.is_some() && !config.rtcp_mux {
        return refuse("ICE without multiplexed RTCP");
    }
    if let Some(video) = &config.video {
        validate_video(config, video)?;
    }
    match &config.security {
        Security::Dtls { fingerprints, .. } if fingerprints.len() > MAX_FINGERPRINTS => {
            refuse("too many fingerprints")
        }
        _ => Ok(()),
    }
}

fn validate_video(config: &LegConfig, video: &Video) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::Invalid(text.into()));
    let lists = [&video.receive, &video.send];
    if lists.iter().any(|types| types.len() > MAX_VIDEO_PAYLOAD_TYPES) {
        return refuse("too many payload types of video");
    }
    let audio = [&config.audio.receive, &config.audio.send];
    for (types, audio) in lists.into_iter().zip(audio) {
        // RFC 9143 section 9.2: bundled streams are told apart by their payload types.
        let others = audio.iter().filter(|_| video.transport.is_none());
        let mut taken = others.fold(0, |taken, audio| taken | bit(audio.number));
        for number in types.iter().flat_map(|of| [Some(of.number), of.rtx]).flatten() {
            if number > 127 || taken & bit(number) != 0 {
                return refuse("a payload type of video above 127, or one that is taken");
            }
            taken |= bit(number);
        }
        let interleaves = |of: &VideoPayloadType| matches!(of.codec, VideoCodec::H264 { packetization_mode, .. } if packetization_mode > 1);
        if types.iter().any(interleaves) {
            return refuse("a packetization mode of H.264 above 1");
        }
    }
    if video.ssrc == video.rtx_ssrc {
        return refuse("video and its retransmissions have one SSRC");
    }
    match &video.transport {
        Some(_) if config.ice.is_some() => refuse("video on ports of its own beside ICE"),
        Some(transport) => match &transport.security {
            Security::Dtls { fingerprints, .. } if fingerprints.len() > MAX_FINGERPRINTS => {
                refuse("too many fingerprints")
            }
            _ => Ok(()),
        },
        None => Ok(()),
    }
}

fn bit(number: u8) -> u128 {
    1 << (number & 127)
}
