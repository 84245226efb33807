//! OPTIONS over each transport, and what must not harm them.

use crate::support::Process;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);

fn options(transport: &str, via_host: &str) -> String {
    format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {via_host};branch=z9hG4bKtest{transport};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:tester@example.org>;tag=1\r\nTo: <sip:127.0.0.1>\r\n\
         Call-ID: {transport}@test\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The answer to [`options`], whatever its status: it has its branch and says who answered.
fn check(answer: &str, transport: &str) {
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert!(answer.contains(&format!("z9hG4bKtest{transport}")), "{answer}");
}

/// Reads one message without a body.
async fn read_message<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(DEADLINE, read).await.expect("an answer");
    String::from_utf8(answer).unwrap()
}

/// Sends OPTIONS in two pieces, a keep-alive before it, and reads both answers.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, transport: &str) {
    let message = options(transport, "127.0.0.1:9");
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    timeout(DEADLINE, stream.read_exact(&mut pong)).await.expect("a pong").unwrap();
    assert_eq!(&pong, b"\r\n");
    let (one, two) = message.as_bytes().split_at(40);
    stream.write_all(one).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(two).await.unwrap();
    stream.flush().await.unwrap();
    check(&read_message(&mut stream).await, transport);
}

async fn options_over_udp(process: &Process) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(process.address(process.udp)).await.unwrap();
    let local = socket.local_addr().unwrap().to_string();
    socket.send(options("UDP", &local).as_bytes()).await.unwrap();
    let mut buffer = vec![0; 65_536];
    let length = timeout(DEADLINE, socket.recv(&mut buffer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn options_over_udp_tcp_and_tls() {
    let process = Process::start("").await;
    check(&options_over_udp(&process).await, "UDP");
    exchange(TcpStream::connect(process.address(process.tcp)).await.unwrap(), "TCP").await;
    let certificate = process.directory.join("certificate.pem");
    exchange(process.connect_tls(process.tls, &certificate).await.unwrap(), "TLS").await;
}

#[tokio::test]
async fn options_over_websocket() {
    let process = Process::start("").await;
    let stream = TcpStream::connect(process.address(process.http)).await.unwrap();
    websocket_exchange(stream, "ws", "WS").await;
    let certificate = process.directory.join("certificate.pem");
    websocket_exchange(process.connect_tls(process.https, &certificate).await.unwrap(), "wss", "WSS").await;
}

/// The opening handshake, then OPTIONS as one masked text frame, and its answer in one frame (RFC 6455 section 5.2).
async fn websocket_exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, scheme: &str, transport: &str) {
    let handshake = format!(
        "GET /{scheme} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let head = read_message(&mut stream).await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-protocol: sip"), "{head}");
    let message = options(transport, "browser.invalid");
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(message.as_bytes());
    stream.write_all(&frame).await.unwrap();
    stream.flush().await.unwrap();
    let mut header = [0; 4];
    timeout(DEADLINE, stream.read_exact(&mut header)).await.expect("an answer").unwrap();
    assert_eq!(header[..2], [0x81, 126], "one text frame of 126 bytes or more");
    check(&read_message(&mut stream).await, transport);
}

#[tokio::test]
async fn garbage_on_every_port_harms_nobody() {
    let process = Process::start("").await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in [0, 1, 4, 100, 1400, 60_000] {
        udp.send_to(&vec![0xFF; length], process.address(process.udp)).await.unwrap();
    }
    let mut without_length = TcpStream::connect(process.address(process.tcp)).await.unwrap();
    without_length.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    timeout(DEADLINE, without_length.read_to_end(&mut rest)).await.expect("it is closed").unwrap();
    let mut endless = TcpStream::connect(process.address(process.tcp)).await.unwrap();
    // The process closes it on the way.
    let _ = endless.write_all(&vec![b'a'; 200_000]).await;
    check(&options_over_udp(&process).await, "UDP");
    let (_, figures) = process.get("/metrics", "").await;
    assert!(figures.contains("tandem_signaling_drops_total{reason=\"framing\"} 2"), "{figures}");
}

/// Takes a request that a registrar gets, answers it with the binding that it asks for, and returns its Expires.
async fn register(registrar: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let (length, from) =
        timeout(DEADLINE, registrar.recv_from(&mut buffer)).await.expect("a REGISTER").unwrap();
    let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(request.starts_with("REGISTER "), "{request}");
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"];
    let lines = request.lines().filter(|line| copied.iter().any(|name| line.starts_with(name)));
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    let answer = format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
    registrar.send_to(answer.as_bytes(), from).await.unwrap();
    request.lines().find_map(|line| line.strip_prefix("Expires: ")).unwrap().to_owned()
}

#[tokio::test]
async fn an_account_at_a_provider_is_unregistered_at_a_clean_end() {
    let registrar = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = registrar.local_addr().unwrap();
    let mut process = Process::start(&format!(
        "[providers]\nallow_private = true\n[[domain]]\nname = \"example.org\"\n\
         [[domain.user]]\nname = \"alice\"\npassword = \"secret\"\n\
         [[domain.user.account]]\ndomain = \"voip.example\"\nname = \"1001\"\npassword = \"secret\"\n\
         proxy = \"sip:{address}\"\n"
    ))
    .await;
    assert_ne!(register(&registrar).await, "0");
    process.terminate();
    assert_eq!(register(&registrar).await, "0");
    process.ended().await;
}
