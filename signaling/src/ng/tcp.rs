//! NG over TCP, framed as rtpengine's `listen-tcp-ng`: messages one behind another, each ends where its dictionary does.

use super::Door;
use super::line::Line;
use crate::connection::{Admission, deadline_after_read, write};
use crate::events::Drop;
use crate::limits;
use crate::sip::listener::accept;
use std::sync::Arc;
use tandem_sip::ng::{Framing, StreamBuffer};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

/// Bytes read at once.
const READ_CHUNK: usize = 16 * 1024;

/// Serves a listener until the process ends.
pub(super) async fn serve(listener: TcpListener, admission: Admission, door: Arc<Door>) {
    loop {
        let (stream, remote, permit) = accept(&listener, &admission).await;
        if !door.admits(remote.ip()) {
            continue;
        }
        let door = door.clone();
        tokio::spawn(async move {
            let Some(mut line) = Line::open(remote, &door.events).await else { return };
            if let Some(reason) = exchange(stream, &mut line).await {
                reason.count();
                tracing::debug!(%remote, ?reason, "NG connection dropped");
            }
            line.close().await;
            drop(permit);
        });
    }
}

/// Returns why the connection was dropped; `None`: closed in order, or broken by the peer.
async fn exchange(mut stream: TcpStream, line: &mut Line) -> Option<Drop> {
    let mut buffer = StreamBuffer::new();
    let mut chunk = vec![0; READ_CHUNK];
    let mut deadline = Instant::now() + limits::STREAM_IDLE;
    loop {
        tokio::select! {
            read = stream.read(&mut chunk) => {
                let length = read.ok().filter(|length| *length > 0)?;
                let had_partial = buffer.is_partial();
                buffer.push(chunk.get(..length).unwrap_or_default());
                loop {
                    match buffer.next_message() {
                        Ok(Some(bytes)) => line.request(Framing::Cookie, bytes.to_vec()).await?,
                        Ok(None) => break,
                        // Where the next message begins is not known any more.
                        Err(_) => return Some(Drop::Framing),
                    }
                }
                deadline = deadline_after_read(deadline, had_partial, buffer.is_partial());
            }
            reply = line.reply() => {
                if let Err(reason) = write(&mut stream, &reply?).await {
                    return reason;
                }
            }
            () = sleep_until(deadline) => return Some(Drop::Deadline),
        }
    }
}
