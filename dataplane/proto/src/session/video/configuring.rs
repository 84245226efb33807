//! How the video of a session is configured.

use tandem_control::{LegConfig, Refusal, Side, Video as Config, VideoTransport};

use super::{FromVideoPorts, Routes, Session, Video};
use crate::Now;
use crate::leg::{Io, Leg, Prepared as PreparedLeg};
use crate::session::{Half, Outbox};

/// What the ports of a leg's video need, made before anything is changed; `None` where it has none of its own.
pub(in crate::session) struct Prepared(Option<Transport>);

struct Transport {
    /// Where there was none before.
    fresh: Option<Box<Leg>>,
    config: LegConfig,
    prepared: PreparedLeg,
}

/// Checks the video of a configuration of `here` and makes what it needs. Its leg has checked the payload types.
///
/// # Errors
/// [`Refusal::Invalid`] says what is wrong with it.
pub(in crate::session) fn prepare(
    now: Now,
    here: &Half,
    there: &Half,
    config: Option<&LegConfig>,
) -> Result<Prepared, Refusal> {
    let Some((config, video)) = config.and_then(|config| Some((config, config.video.as_deref()?))) else {
        return Ok(Prepared(None));
    };
    let audio = Some(config.audio.ssrc).filter(|ssrc| *ssrc != 0).unwrap_or(there.bridge.output.ssrc());
    // With one key the same numbers would be protected by the same key stream.
    if [video.ssrc, video.rtx_ssrc].contains(&audio) {
        return Err(Refusal::Invalid("an SSRC of the video is that of the audio".into()));
    }
    let Some(transport) = &video.transport else { return Ok(Prepared(None)) };
    let config = leg_config(video, transport);
    let own = here.video.as_ref().and_then(|video| video.transport.as_deref());
    let fresh = own.is_none().then(|| Box::new(here.leg.beside(now.instant)));
    let prepared = own.or(fresh.as_deref()).map(|leg| leg.prepare(&config)).transpose()?;
    Ok(Prepared(prepared.map(|prepared| Transport { fresh, config, prepared })))
}

/// The ports of video are a leg that has nothing else.
fn leg_config(video: &Config, transport: &VideoTransport) -> LegConfig {
    LegConfig {
        security: transport.security.clone(),
        rtcp_mux: transport.rtcp_mux,
        remote: transport.remote,
        latch: transport.latch,
        asymmetric: transport.asymmetric,
        video: Some(Box::new(Config { transport: None, ..video.clone() })),
        ..LegConfig::idle()
    }
}

impl Session {
    /// Goes on as prepared, once the legs have their configurations. `legs`: which of them have new ones.
    pub(in crate::session) fn configure_video(
        &mut self,
        now: Now,
        legs: [bool; 2],
        prepared: [Prepared; 2],
        out: &mut dyn Outbox,
    ) {
        for ((half, _), Prepared(transport)) in
            self.sides.iter_mut().zip(legs).zip(prepared).filter(|((_, is_new), _)| *is_new)
        {
            let Some(config) = half.leg.config().video.as_deref() else {
                half.video.iter_mut().for_each(|video| video.sizes.forget());
                continue;
            };
            let video = half
                .video
                .get_or_insert_with(|| Box::new(Video::new(now.instant, config.ssrc, &mut self.random)));
            video.outgoing.rename(config.ssrc, &mut self.random);
            let Some(Transport { fresh, config, prepared }) = transport else {
                video.transport = None;
                continue;
            };
            if let Some(fresh) = fresh {
                video.transport = Some(fresh);
            }
            if let Some(own) = &mut video.transport {
                let io = &mut Io { out: &mut FromVideoPorts(out), events: &mut video.untold };
                own.configure(now.instant, &config, prepared, io);
                video.untold.clear();
            }
        }
        self.route_video(now);
    }

    /// Finds out anew where what the peers may send goes, and how it is repaired.
    pub(in crate::session) fn route_video(&mut self, now: Now) {
        for side in [Side::A, Side::B] {
            let (here, there) = self.split(side);
            let [from, to] = [&here.leg, &there.leg].map(|leg| leg.config().video.as_deref());
            // A leg without video keeps the numbers that it had: what still comes under them is no audio.
            if let (Some(video), Some(_)) = (&mut here.video, from) {
                video.routes = Routes::new(from, to);
            }
        }
        self.configure_repair(now);
    }
}
