//! A dataplane that comes, answers, goes, and comes again.

use crate::support::Process;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{Read, Write};
use std::path::Path;
use tandem_control::{
    Hello, MAX_RECORD, Message, Refusal, Reply, Request, RequestFrame, VERSION, encode, take,
};

/// Listens where the process looks for the dataplane.
fn listen(path: &Path) -> Socket {
    let _ = std::fs::remove_file(path);
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    socket.bind(&SockAddr::unix(path).unwrap()).unwrap();
    socket.listen(1).unwrap();
    socket
}

/// Answers one connection's requests; ends with it, or after `count` records of them.
fn serve(listener: &Socket, count: usize) {
    let (mut connection, _) = listener.accept().unwrap();
    let mut buffer = vec![0; MAX_RECORD];
    for _ in 0..count {
        let length = connection.read(&mut buffer).unwrap();
        if length == 0 {
            return;
        }
        let mut record = &buffer[..length];
        while let Some(RequestFrame { id, request }) = take(&mut record).unwrap() {
            let reply = Message::Reply { id, result: answer(request) };
            connection.write_all(&encode(&reply).unwrap()).unwrap();
        }
    }
}

fn answer(request: Request) -> Result<Reply, Refusal> {
    match request {
        Request::Hello { version: VERSION, .. } => {
            let (workers, sessions, fingerprint) = (2, 0, [7; 32]);
            let addresses = vec!["127.0.0.1".parse().unwrap()];
            Ok(Reply::Hello(Hello { version: VERSION, workers, sessions, fingerprint, addresses }))
        }
        Request::Counters => Ok(Reply::Counters(vec![("drops.replay".to_owned(), 3)])),
        Request::List { .. } => Ok(Reply::Sessions { sessions: Vec::new(), more: false }),
        _ => Err(Refusal::UnknownSession),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_the_dataplane() {
    let process = Process::start("").await;
    process.wait_for("/health", "HTTP/1.1 503 ").await;
    let path = process.directory.join("control.sock");
    let (go, wait) = std::sync::mpsc::channel();
    let dataplane = std::thread::spawn({
        let path = path.clone();
        move || {
            let listener = listen(&path);
            serve(&listener, 1);
            // Without the path nobody comes back before it is time.
            std::fs::remove_file(&path).unwrap();
            drop(listener);
            wait.recv().unwrap();
            serve(&listen(&path), usize::MAX);
        }
    });
    process.wait_for("/health", "HTTP/1.1 503 ").await;
    go.send(()).unwrap();
    process.wait_for("/health", "HTTP/1.1 200 ").await;
    let (_, figures) = process.get("/metrics", "").await;
    assert!(figures.contains("tandem_dataplane_drops{reason=\"replay\"} 3"), "{figures}");
    assert!(figures.contains("tandem_dataplane_up 1"), "{figures}");
    drop(process);
    dataplane.join().unwrap();
}
