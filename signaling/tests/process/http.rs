//! The page, the caps on connections, and the certificate.

use crate::support::Process;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_page_is_served_with_its_guards() {
    let process = Process::start("").await;
    let (head, body) = process.get("/", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(body.starts_with("<!doctype html>"));
    for wanted in
        ["content-type: text/html", "content-security-policy: default-src 'none'", "nosniff", "DENY"]
    {
        assert!(head.contains(wanted), "{wanted} in {head}");
    }
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let (head, body) = process.get("/", &format!("If-None-Match: {tag}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{head}");
}

#[tokio::test]
async fn scripts_are_for_other_pages_too_the_phone_page_is_not() {
    let process = Process::start("").await;
    for (path, is_shared) in
        [("/widget.js", true), ("/widget/element.js", true), ("/", false), ("/index.html", false)]
    {
        let (head, _) = process.get(path, "").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        for header in ["access-control-allow-origin: *", "cross-origin-resource-policy: cross-origin"] {
            assert_eq!(head.contains(header), is_shared, "{header} of {path}: {head}");
        }
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let process = Process::start("").await;
    for path in ["/nothing", "/../Cargo.toml", "//", "/%2e%2e/", "/index.html/"] {
        let (head, _) = process.get(path, "").await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
    }
}

#[tokio::test]
async fn metrics_are_for_the_allowed_only() {
    let open = Process::start("").await;
    let (head, body) = open.get("/metrics", "").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("tandem_dataplane_up 0"), "{head}{body}");
    let closed = Process::start_with("metrics = [\"192.0.2.1\"]", "").await;
    assert!(closed.get("/metrics", "").await.0.starts_with("HTTP/1.1 403 "));
}

#[tokio::test]
async fn a_flood_of_websockets_from_one_source_is_cut_off() {
    let process = Process::start("connections_per_source = 3").await;
    let url = format!("ws://127.0.0.1:{}/", process.http);
    let mut sockets = Vec::new();
    let mut refused = 0;
    for _ in 0..10 {
        match tokio_tungstenite::connect_async(&url).await {
            Ok((socket, _)) => sockets.push(socket),
            Err(_) => refused += 1,
        }
    }
    // The connection that asked whether the process listens may still be counted.
    assert!(sockets.len() <= 3 && refused >= 7, "{} open, {refused} refused", sockets.len());
    sockets.clear();
    let again = async { while tokio_tungstenite::connect_async(&url).await.is_err() {} };
    timeout(DEADLINE, again).await.expect("freed places are given again");
}

#[tokio::test]
async fn a_websocket_frame_above_the_limit_ends_that_websocket_only() {
    let process = Process::start("").await;
    let url = format!("ws://127.0.0.1:{}/", process.http);
    let (mut bad, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    // The process may close it before all is written.
    let _ = send_raw(&mut bad, &vec![b'a'; 70_000]).await;
    let mut rest = Vec::new();
    let ended = timeout(DEADLINE, bad.get_mut().read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it is closed");
    let (_, body) = process.get("/metrics", "").await;
    assert!(body.contains("tandem_signaling_drops_total{reason=\"websocket\"} 1"), "{body}");
    assert!(tokio_tungstenite::connect_async(&url).await.is_ok());
}

/// One masked text frame with a mask of zeros (RFC 6455 section 5.2).
async fn send_raw<S>(
    socket: &mut tokio_tungstenite::WebSocketStream<S>,
    payload: &[u8],
) -> std::io::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    socket.get_mut().write_all(&frame).await?;
    socket.get_mut().flush().await
}

#[tokio::test]
async fn the_sub_protocol_sip_is_chosen_when_it_is_offered() {
    let process = Process::start("").await;
    let mut request = format!("ws://127.0.0.1:{}/sip", process.http).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "sip".parse().unwrap());
    let (_socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
}

#[tokio::test]
async fn half_a_handshake_harms_nobody() {
    let process = Process::start("").await;
    let mut half = TcpStream::connect(process.address(process.https)).await.unwrap();
    half.write_all(&[22, 3, 1, 0, 200, 1]).await.unwrap();
    let mut garbage = TcpStream::connect(process.address(process.http)).await.unwrap();
    garbage.write_all(&[0xFF; 4096]).await.unwrap();
    assert!(process.get("/", "").await.0.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_old_connections_stay() {
    let other = Process::start("").await;
    let process = Process::start("").await;
    let own = process.directory.join("certificate.pem");
    let mut before = process.connect_tls(process.https, &own).await.unwrap();
    // The other process's certificate takes the place of this one's.
    let trusted = process.directory.join("shown.pem");
    std::fs::copy(other.directory.join("certificate.pem"), &trusted).unwrap();
    for name in ["certificate.pem", "key.pem"] {
        std::fs::copy(other.directory.join(name), process.directory.join(name)).unwrap();
    }
    process.hang_up();
    let changed = async { while process.connect_tls(process.https, &trusted).await.is_err() {} };
    timeout(DEADLINE, changed).await.expect("the new certificate is shown");
    before.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Hyper closes TCP behind close_notify.
    before.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}
