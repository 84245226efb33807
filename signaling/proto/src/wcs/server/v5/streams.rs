//! What clients are told of streams.

use super::frame;
use crate::wcs::stream::{StreamInfo, StreamMessage};
use serde_json::{Value, json};

pub(super) fn stream_frame(message: &StreamMessage<'_>) -> String {
    use StreamMessage as S;
    match message {
        S::Status(stream) => frame("notifyStreamStatusEvent", json!([stream_object(stream)])),
        S::Sdp { id, sdp } => frame("setRemoteSDP", json!([id, sdp, true])),
        S::Available { id, refusal } => {
            // The npm client compares the status with a text.
            let status = if refusal.is_none() { "true" } else { "false" };
            frame("availableStream", json!([{ "id": id, "status": status, "info": refusal }]))
        }
        S::Event { id, event } => stream_event(id, event.kind.word(), json!(event.payload)),
        S::SnapshotFailed { id, info } => stream_event(id, "snapshotFailed", json!({ "info": info })),
        // Without this status the npm client would take another one for the stream's.
        S::PictureSize { id, size } => frame(
            "notifyVideoFormat",
            json!([{
                "mediaSessionId": id,
                "status": "RESIZE",
                "streamerVideoWidth": size.width,
                "streamerVideoHeight": size.height,
            }]),
        ),
    }
}

fn stream_event(id: &str, kind: &str, payload: Value) -> String {
    frame("notifyStreamEvent", json!([{ "mediaSessionId": id, "type": kind, "payload": payload }]))
}

fn stream_object(stream: &StreamInfo) -> Value {
    let [audio, video] = stream.muted;
    json!({
        "mediaSessionId": stream.id,
        "name": stream.name,
        "status": stream.status.word(),
        "published": stream.published,
        "hasAudio": true,
        "hasVideo": stream.has_video,
        "audioState": { "muted": audio },
        "videoState": { "muted": video },
        "mediaProvider": "WebRTC",
        "record": false,
        "info": stream.info,
    })
}
