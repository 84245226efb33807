//! One TCP or TLS connection that carries SIP.

use crate::connection::{Frame, deadline_after_read, fail, fail_queued, write};
use crate::events::{Drop, Events};
use crate::limits;
use tandem_sip::sip::{Frame as Cut, StreamBuffer, StreamError};
use tandem_sip::switch::Input;
use tandem_sip::transport::Flow;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Bytes read at once.
const READ_CHUNK: usize = 16 * 1024;

/// Reads and writes a connection until either side closes it, then tells the switch.
pub(crate) async fn run<S>(stream: S, flow: Flow, mut frames: mpsc::Receiver<Frame>, events: Events)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = exchange(stream, flow, &mut frames, &events).await;
    if let Some(reason) = end {
        reason.count();
        tracing::debug!(remote = %flow.remote, ?reason, "SIP connection dropped");
    }
    fail_queued(frames, &events).await;
    if let Some(connection) = flow.connection {
        let _ = events.send(Input::Closed { connection }.into()).await;
    }
}

/// Returns why the connection was dropped; `None`: closed in order, or broken by the peer.
async fn exchange<S>(
    mut stream: S,
    flow: Flow,
    frames: &mut mpsc::Receiver<Frame>,
    events: &Events,
) -> Option<Drop>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = StreamBuffer::new();
    let mut chunk = vec![0; READ_CHUNK];
    let mut deadline = Instant::now() + limits::FIRST_MESSAGE;
    loop {
        tokio::select! {
            read = stream.read(&mut chunk) => {
                let length = read.ok().filter(|length| *length > 0)?;
                let had_partial = buffer.is_partial();
                buffer.push(chunk.get(..length).unwrap_or_default());
                loop {
                    match buffer.next_frame() {
                        Ok(Some(Cut::Message(bytes))) => {
                            events.send(Input::Sip { flow, bytes }.into()).await.ok()?;
                        }
                        // RFC 5626 section 4.4.1: a single CRLF is the pong.
                        Ok(Some(Cut::KeepAlivePing)) => write(&mut stream, b"\r\n").await.ok()?,
                        Ok(None) => break,
                        Err(StreamError::TooLarge) => return Some(Drop::Framing),
                        Err(StreamError::NoLength(bytes)) => {
                            // It is answered before the connection closes.
                            events.send(Input::Sip { flow, bytes }.into()).await.ok()?;
                            write_answer(&mut stream, frames).await;
                            return Some(Drop::Framing);
                        }
                    }
                }
                deadline = deadline_after_read(deadline, had_partial, buffer.is_partial());
            }
            frame = frames.recv() => {
                let frame = frame?;
                let Frame::Sip { bytes, .. } = &frame else { continue };
                if let Err(reason) = write(&mut stream, bytes).await {
                    fail(frame, events).await;
                    return reason;
                }
                if !buffer.is_partial() {
                    deadline = Instant::now() + limits::STREAM_IDLE;
                }
            }
            () = tokio::time::sleep_until(deadline) => return Some(Drop::Deadline),
        }
    }
}

/// Writes the switch's answer to what it was last given, if it has one.
async fn write_answer<S: AsyncWrite + Unpin>(stream: &mut S, frames: &mut mpsc::Receiver<Frame>) {
    if let Ok(Some(Frame::Sip { bytes, .. })) = timeout(limits::LAST_ANSWER, frames.recv()).await {
        // The connection ends whether it arrives or not.
        let _ = write(stream, &bytes).await;
    }
}
