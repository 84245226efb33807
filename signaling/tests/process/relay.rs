//! Calls over NG through a real dataplane: what an offer, an answer and a delete do to packets.

use crate::ng::{Relay, receive};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tandem_dataplane::dataplane::Dataplane;
use tandem_dataplane::files::FileSettings;
use tandem_dataplane::ports::PortRange;
use tandem_dataplane::settings::Settings;
use tandem_media::dtls::Identity;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);
/// The most files that a test's dataplane may open.
const OPEN_FILES: u64 = 1_000;

/// A dataplane on loopback addresses, which the relay finds by itself.
async fn start_dataplane(relay: &Relay) -> Dataplane {
    static NEXT: AtomicU16 = AtomicU16::new(42_000);
    let first = NEXT.fetch_add(100, Ordering::Relaxed);
    let settings = Settings {
        control: relay.process.directory.join("control.sock"),
        addresses: vec!["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()],
        media_ports: PortRange::new(first, first + 99).unwrap(),
        workers: 1,
        max_sessions: 10,
        pin: false,
        gather: Duration::ZERO,
        files: FileSettings::default(),
    };
    let dataplane = Dataplane::start(&settings, Arc::new(Identity::generate().unwrap()), OPEN_FILES).unwrap();
    relay.process.wait_for("/health", "HTTP/1.1 200 ").await;
    dataplane
}

/// A telephone: a socket for its RTP.
struct Telephone {
    socket: UdpSocket,
    description: String,
}

impl Telephone {
    async fn new() -> Telephone {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let description = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        );
        Telephone { socket, description }
    }

    /// Sends one packet of PCMU.
    async fn send(&self, to: SocketAddr, sequence: u8) {
        let mut packet = vec![0x80, 0, 0, sequence, 0, 0, 0, 160, 0, 0, 0, 7];
        packet.extend([0x55; 160]);
        self.socket.send_to(&packet, to).await.unwrap();
    }

    /// The length of the next packet, and its payload.
    async fn receive(&self) -> (usize, Vec<u8>) {
        let mut buffer = vec![0; 2_048];
        let length = timeout(DEADLINE, self.socket.recv(&mut buffer)).await.expect("a packet").unwrap();
        (length, buffer[12..length].to_vec())
    }
}

/// A bencoded dictionary of strings; `more` stands behind them as it is.
fn request(cookie: &str, fields: &[(&str, &str)], more: &str) -> String {
    let pair = |(key, value): &(&str, &str)| format!("{}:{key}{}:{value}", key.len(), value.len());
    format!("{cookie} d{}{more}e", fields.iter().map(pair).collect::<String>())
}

/// The address in the description that a reply carries.
fn address_of(reply: &str) -> SocketAddr {
    let after = |start: &str| reply.split(start).nth(1).unwrap_or_else(|| panic!("{start} in {reply}"));
    let ip = after("c=IN IP4 ").lines().next().unwrap();
    let port = after("m=audio ").split(' ').next().unwrap();
    SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap())
}

/// Sends a request and gives its reply.
async fn ask(socket: &UdpSocket, request: &str) -> String {
    socket.send(request.as_bytes()).await.unwrap();
    receive(socket).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_an_answer_and_a_delete_make_a_call_and_end_it() {
    let relay = Relay::start("").await;
    let dataplane = start_dataplane(&relay).await;
    let ng = relay.socket().await;
    let (caller, callee) = (Telephone::new().await, Telephone::new().await);
    let names = [("call-id", "one"), ("from-tag", "a")];

    let offer = [&[("command", "offer"), ("sdp", caller.description.as_str())], names.as_slice()].concat();
    let offer = request("1", &offer, "");
    let offered = ask(&ng, &offer).await;
    assert!(offered.starts_with("1 ") && offered.contains("6:result2:ok"), "{offered}");
    assert_eq!(ask(&ng, &offer).await, offered, "a retransmission gets the same reply");
    assert_eq!(relay.figure("tandem_ng_calls_made").await, 1);
    let answer = [("command", "answer"), ("sdp", callee.description.as_str()), ("to-tag", "b")];
    let answered = ask(&ng, &request("2", &[answer.as_slice(), &names].concat(), "")).await;
    assert!(answered.contains("6:result2:ok"), "{answered}");

    let (towards_caller, towards_callee) = (address_of(&answered), address_of(&offered));
    caller.send(towards_caller, 1).await;
    assert_eq!(callee.receive().await, (172, vec![0x55; 160]));
    callee.send(towards_callee, 1).await;
    assert_eq!(caller.receive().await, (172, vec![0x55; 160]));

    let query = [&[("command", "query")], names.as_slice()].concat();
    let figures = ask(&ng, &request("3", &query, "")).await;
    assert!(figures.contains("6:totals") && figures.contains("7:packetsi2e"), "{figures}");
    let delete = [&[("command", "delete")], names.as_slice()].concat();
    let deleted = ask(&ng, &request("4", &delete, "12:delete delayi0e")).await;
    assert!(deleted.contains("6:result2:ok"), "{deleted}");
    let gone = async { while relay.figure("tandem_dataplane_sessions").await != 0 {} };
    timeout(DEADLINE, gone).await.expect("the session is gone");
    assert_eq!(relay.figure("tandem_ng_calls").await, 0);
    dataplane.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_is_told_the_address_of_its_interface() {
    let interfaces = "[[interface]]\nname = \"in\"\nlocal = \"127.0.0.1\"\n\
                      [[interface]]\nname = \"out\"\nlocal = \"127.0.0.2\"\nadvertised = \"203.0.113.5\"\n";
    let relay = Relay::start(interfaces).await;
    let dataplane = start_dataplane(&relay).await;
    let ng = relay.socket().await;
    let (caller, callee) = (Telephone::new().await, Telephone::new().await);
    let names = [("call-id", "two"), ("from-tag", "a")];
    let direction = "9:directionl2:in3:oute";
    let offer = [&[("command", "offer"), ("sdp", caller.description.as_str())], names.as_slice()].concat();
    let offered = ask(&ng, &request("1", &offer, direction)).await;
    assert_eq!(address_of(&offered).ip().to_string(), "203.0.113.5", "{offered}");
    let answer = [("command", "answer"), ("sdp", callee.description.as_str()), ("to-tag", "b")];
    let answered = ask(&ng, &request("2", &[answer.as_slice(), &names].concat(), "")).await;
    assert_eq!(address_of(&answered).ip().to_string(), "127.0.0.1", "{answered}");
    dataplane.stop();
}

#[tokio::test]
async fn without_a_dataplane_an_offer_is_refused_and_not_lost() {
    let relay = Relay::start("").await;
    let ng = relay.socket().await;
    let description = Telephone::new().await.description;
    let offer = [("command", "offer"), ("sdp", &description), ("call-id", "x"), ("from-tag", "a")];
    let refused = ask(&ng, &request("1", &offer, "")).await;
    assert!(refused.contains("6:result5:error") && refused.contains("error-reason"), "{refused}");
    assert_eq!(relay.figure("tandem_ng_calls").await, 0);
}
