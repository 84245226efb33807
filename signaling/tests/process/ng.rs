//! NG over every transport, and who may not speak it. No dataplane is needed for a ping: `relay.rs` has calls.

use crate::support::{Process, free_port};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

const DEADLINE: Duration = Duration::from_secs(30);
const PING: &str = "d7:command4:pinge";
const PONG: &str = "d6:result4:ponge";
const JSON_PING: &str = "{\"command\":\"ping\"}";
const JSON_PONG: &str = "{\"result\":\"pong\"}";

/// A process that speaks NG, and where.
pub(crate) struct Relay {
    pub(crate) process: Process,
    udp: SocketAddr,
    tcp: SocketAddr,
    http: SocketAddr,
}

impl Relay {
    /// With `more` in `[ng]` and behind it.
    pub(crate) async fn start(more: &str) -> Relay {
        let [udp, tcp, http] = std::array::from_fn(|_| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let section = format!("[ng]\nudp = \"{udp}\"\ntcp = \"{tcp}\"\nhttp = \"{http}\"\n{more}");
        Relay { process: Process::start(&section).await, udp, tcp, http }
    }

    pub(crate) async fn socket(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.udp).await.unwrap();
        socket
    }

    /// One POST: the answer's head and body.
    async fn post(&self, path: &str, headers: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The figure of that name in `/metrics`.
    pub(crate) async fn figure(&self, name: &str) -> u64 {
        let (_, figures) = self.process.get("/metrics", "").await;
        let value = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

pub(crate) async fn receive(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let length = timeout(DEADLINE, socket.recv(&mut buffer)).await.expect("a reply").unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn ping_over_udp_in_both_encodings() {
    let relay = Relay::start("").await;
    let socket = relay.socket().await;
    for (request, reply) in [(PING, PONG), (JSON_PING, JSON_PONG)] {
        socket.send(format!("1_{} {request}", request.len()).as_bytes()).await.unwrap();
        assert_eq!(receive(&socket).await, format!("1_{} {reply}", request.len()));
    }
}

#[tokio::test]
async fn ping_over_tcp_in_pieces_and_together() {
    let relay = Relay::start("").await;
    let mut stream = TcpStream::connect(relay.tcp).await.unwrap();
    let requests = format!("a {PING}b {JSON_PING}\nc {PING}");
    let (one, two) = requests.split_at(9);
    stream.write_all(one.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(two.as_bytes()).await.unwrap();
    let wanted = format!("a {PONG}b {JSON_PONG}c {PONG}");
    let mut replies = vec![0; wanted.len()];
    timeout(DEADLINE, stream.read_exact(&mut replies)).await.expect("replies").unwrap();
    assert_eq!(String::from_utf8(replies).unwrap(), wanted);
}

#[tokio::test]
async fn ping_over_http_with_and_without_a_cookie() {
    let relay = Relay::start("").await;
    let ng = "Content-Type: application/x-rtpengine-ng\r\n";
    let json = "Content-Type: application/json; charset=utf-8\r\n";
    for (path, headers, request, reply) in [
        ("/ng", ng, format!("7 {PING}"), format!("7 {PONG}")),
        ("/ng", ng, format!("8 {JSON_PING}"), format!("8 {JSON_PONG}")),
        ("/ng-plain", json, JSON_PING.to_owned(), JSON_PONG.to_owned()),
        ("/ng-plain", ng, PING.to_owned(), PONG.to_owned()),
    ] {
        let (head, body) = relay.post(path, headers, &request).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        assert_eq!(body, reply);
        let wanted = headers.trim_end().to_lowercase();
        let wanted = wanted.split(';').next().unwrap();
        assert!(head.to_lowercase().contains(wanted), "{wanted} in {head}");
    }
    for (path, headers, body, status) in [
        ("/ng", "Content-Type: text/plain\r\n", format!("7 {PING}"), "415"),
        ("/ng", ng, "nocookie".to_owned(), "400"),
        ("/other", ng, format!("7 {PING}"), "404"),
        ("/ng", ng, "x".repeat(70_000), "413"),
    ] {
        let (head, _) = relay.post(path, headers, &body).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {headers}: {head}");
    }
    assert_eq!(relay.figure("tandem_ng_connections").await, 0, "nothing is left of requests");
}

#[tokio::test]
async fn ping_over_websocket_in_the_kind_of_the_request() {
    let relay = Relay::start("").await;
    let mut request = format!("ws://{}/", relay.http).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "ng.rtpengine.com".parse().unwrap());
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "ng.rtpengine.com");
    use futures_util::{SinkExt, StreamExt};
    for (request, reply) in [
        (Message::text(format!("1 {JSON_PING}")), Message::text(format!("1 {JSON_PONG}"))),
        (Message::binary(format!("2 {PING}")), Message::binary(format!("2 {PONG}"))),
    ] {
        socket.send(request).await.unwrap();
        assert_eq!(timeout(DEADLINE, socket.next()).await.expect("a reply").unwrap().unwrap(), reply);
    }
}

#[tokio::test]
async fn a_page_may_not_command_the_relay() {
    let relay = Relay::start("").await;
    let headers = "Content-Type: application/x-rtpengine-ng\r\nOrigin: https://example.org\r\n";
    let (head, _) = relay.post("/ng", headers, &format!("7 {PING}")).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let mut request = format!("ws://{}/", relay.http).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "ng.rtpengine.com".parse().unwrap());
    request.headers_mut().insert("Origin", "http://localhost".parse().unwrap());
    match tokio_tungstenite::connect_async(request).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("refused with 403, not {other:?}"),
    }
    assert_eq!(relay.figure("tandem_signaling_drops_total{reason=\"ng_origin\"}").await, 2);
}

#[tokio::test]
async fn who_is_not_allowed_gets_no_reply() {
    let relay = Relay::start("allowed = [\"192.0.2.0/24\"]").await;
    relay.socket().await.send(format!("1 {PING}").as_bytes()).await.unwrap();
    let mut stream = TcpStream::connect(relay.tcp).await.unwrap();
    assert_eq!(timeout(DEADLINE, stream.read(&mut [0; 1])).await.expect("it is closed").unwrap_or(0), 0);
    let ng = "Content-Type: application/x-rtpengine-ng\r\n";
    assert!(relay.post("/ng", ng, &format!("7 {PING}")).await.0.starts_with("HTTP/1.1 403 "));
    let counted =
        async { while relay.figure("tandem_signaling_drops_total{reason=\"ng_forbidden\"}").await < 3 {} };
    timeout(DEADLINE, counted).await.expect("each of them is counted");
}

#[tokio::test]
async fn garbage_is_answered_or_dropped_and_harms_nobody() {
    let relay = Relay::start("").await;
    let socket = relay.socket().await;
    let deep = format!("3 {}", "d1:a".repeat(10_000));
    for (request, wanted) in [
        ("1 d7:command5:offer".to_owned(), "byte"),
        ("2 d7:commandi1ee".to_owned(), "\"command\" must be"),
        (deep, "nested deeper"),
        ("4 d7:command5:dancee".to_owned(), "dance"),
        ("5 hello".to_owned(), "neither a bencoded dictionary nor a JSON object"),
    ] {
        socket.send(request.as_bytes()).await.unwrap();
        let reply = receive(&socket).await;
        let cookie = request.split_once(' ').unwrap().0;
        assert!(reply.starts_with(&format!("{cookie} ")), "{reply}");
        assert!(reply.contains("error-reason") && reply.contains(wanted), "{wanted} in {reply}");
    }
    for length in [0, 1, 1400, 60_000] {
        socket.send(&vec![b'x'; length]).await.unwrap();
    }
    let mut broken = TcpStream::connect(relay.tcp).await.unwrap();
    broken.write_all(b"1 x").await.unwrap();
    assert_eq!(timeout(DEADLINE, broken.read(&mut [0; 1])).await.expect("it is closed").unwrap_or(0), 0);
    let mut endless = TcpStream::connect(relay.tcp).await.unwrap();
    // The process closes it on the way.
    let _ = endless.write_all(&vec![b'a'; 200_000]).await;
    socket.send(format!("9 {PING}").as_bytes()).await.unwrap();
    assert_eq!(receive(&socket).await, format!("9 {PONG}"));
}
