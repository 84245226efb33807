//! A room on the loopback interface with three clients that nobody here wrote: FFmpeg with PCMU, G.722 and Opus, each
//! saying a tone. Each hears the two others' tones and not its own.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, free_ports, plain_leg, settings, start_with_client};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tandem_control::*;
use tandem_dataplane::dataplane::Dataplane;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long the tones are, and how much of what is heard is looked at, from its end.
const SECONDS: u32 = 6;
const LOOKED_AT: usize = 2;

/// What a client speaks: how FFmpeg encodes it, how SDP calls it, and the size of its packets where FFmpeg would make
/// them too long.
struct Voice {
    hertz: f64,
    payload_type: PayloadType,
    encode: &'static [&'static str],
    map: &'static str,
    packet_size: usize,
}

fn voices() -> [Voice; 3] {
    let voice = |hertz, number, codec, clock, encode, map, packet_size| Voice {
        hertz,
        payload_type: PayloadType { number, codec, clock },
        encode,
        map,
        packet_size,
    };
    let opus = &["-ar", "48000", "-c:a", "libopus", "-b:a", "24k", "-application", "voip"];
    [
        voice(400.0, 0, Codec::Pcmu, 8000, &["-ar", "8000", "-c:a", "pcm_mulaw"], "PCMU/8000", 172),
        voice(700.0, 9, Codec::G722, 8000, &["-ar", "16000", "-c:a", "g722"], "G722/8000", 172),
        voice(1100.0, 111, Codec::opus(false), 48_000, opus, "opus/48000/2", 1400),
    ]
}

/// FFmpeg twice: one process says a tone, the other writes what it hears, as 8000 samples a second.
struct Telephone {
    voice: Voice,
    speaks_at: u16,
    hears_at: SocketAddr,
    files: PathBuf,
}

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ffmpeg(arguments: &[String]) -> Running {
    let quiet = ["-hide_banner", "-nostdin", "-loglevel", "error", "-y"];
    let mut command = Command::new("ffmpeg");
    command.args(quiet).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    Running(command.spawn().expect("ffmpeg, which `make deps-test` installs"))
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(' ').map(str::to_owned)
}

impl Telephone {
    fn new(voice: Voice, number: usize) -> Telephone {
        // Four ports in a row that were free a moment ago; two are for RTCP.
        let first = free_ports();
        let files = std::env::temp_dir().join(format!("tandem-room-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&files).unwrap();
        Telephone { voice, speaks_at: first, hears_at: (LOCALHOST, first + 2).into(), files }
    }

    /// It says its tone at one port and hears at another.
    fn leg(&self) -> LegConfig {
        let audio = Audio::both_ways(vec![self.voice.payload_type.clone()]);
        LegConfig { audio, latch: Latch::SameAddress, asymmetric: true, ..plain_leg(self.hears_at) }
    }

    fn hear(&self) -> Running {
        let PayloadType { number, .. } = self.voice.payload_type;
        let (map, port) = (self.voice.map, self.hears_at.port());
        let description = format!(
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {number}\r\na=rtpmap:{number} {map}\r\n"
        );
        let session = self.files.join("session.sdp");
        std::fs::write(&session, description).unwrap();
        let input = format!("-protocol_whitelist file,udp,rtp -i {}", session.display());
        let output = format!("-ac 1 -ar 8000 -f s16le -flush_packets 1 {}", self.heard_file().display());
        ffmpeg(&words(&input).chain(words(&output)).collect::<Vec<_>>())
    }

    fn say(&self, to: SocketAddr) -> Running {
        let Voice { hertz, encode, packet_size, ref payload_type, .. } = self.voice;
        let rate = encode[1].parse::<usize>().unwrap();
        let input = format!("-f lavfi -i sine=frequency={hertz}:sample_rate={rate}:duration={SECONDS}");
        let filter = format!("-af volume=6dB,asetnsamples=n={}:p=0,arealtime -ac 1", rate / 50);
        let output = format!(
            "-f rtp -payload_type {} rtp://{to}?localrtpport={}&pkt_size={packet_size}",
            payload_type.number, self.speaks_at
        );
        let encode = encode.iter().map(|word| (*word).to_owned());
        ffmpeg(&words(&input).chain(words(&filter)).chain(encode).chain(words(&output)).collect::<Vec<_>>())
    }

    fn heard_file(&self) -> PathBuf {
        self.files.join("heard.raw")
    }

    /// The amplitudes of the tones in the last seconds of what it heard.
    fn heard(&self, tones: &[f64]) -> Vec<f64> {
        let bytes = std::fs::read(self.heard_file()).unwrap();
        let pcm: Vec<i16> = bytes.as_chunks().0.iter().map(|&sample| i16::from_le_bytes(sample)).collect();
        assert!(pcm.len() > (LOOKED_AT + 1) * 8000, "only {} samples were heard", pcm.len());
        // The last moment is that in which the others fall silent.
        let pcm = &pcm[pcm.len() - 8000 * LOOKED_AT - 4000..pcm.len() - 4000];
        let windows = pcm.chunks_exact(WINDOW);
        let mean = |hertz: &f64| {
            let sum: f64 = windows.clone().map(|window| amplitude(window, *hertz)).sum();
            sum / windows.len() as f64
        };
        tones.iter().map(mean).collect()
    }
}

/// Samples that are looked at together, 100 ms: a jitter buffer that mends the time line of a busy machine's client shifts
/// the phase, and over longer times a tone would cancel itself.
const WINDOW: usize = 800;

/// How loud a tone is, in samples' units; by a Fourier transform of one frequency.
fn amplitude(pcm: &[i16], hertz: f64) -> f64 {
    let (mut cosine, mut sine) = (0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        let angle = n as f64 * hertz * std::f64::consts::TAU / 8000.0;
        cosine += f64::from(*sample) * angle.cos();
        sine += f64::from(*sample) * angle.sin();
    }
    2.0 * f64::hypot(cosine, sine) / pcm.len() as f64
}

fn start() -> (Dataplane, Client) {
    start_with_client(&settings("room", 2, 8))
}

/// A session for a telephone, on the worker of the room, with the telephone in the room. Returns where it is to send.
fn seat(client: &mut Client, telephone: &Telephone, room: RoomId) -> SocketAddr {
    let ports = [PortRequest { address: LOCALHOST, kind: PortKind::Own, video: false }; 2];
    let legs = Box::new([telephone.leg(), LegConfig::idle()]);
    let near = Some(Near::Room(room));
    let create = Request::Create { ports, legs, note: Vec::new(), media_timeout_seconds: 0, near };
    let Ok(Reply::Created { session, local }) = client.ask(create) else { panic!("not created") };
    assert_eq!(client.ask(Request::Join { session, side: Side::A, room }), Ok(Reply::Done));
    local[0].rtp
}

#[test]
fn three_clients_on_three_codecs_hear_each_other_and_not_themselves() {
    let (dataplane, mut client) = start();
    let create = Request::CreateRoom { near: None, rate: 16_000, loudest: 0 };
    let Ok(Reply::RoomCreated { room }) = client.ask(create) else { panic!("no room") };
    let mut numbers = 0..;
    let telephones = voices().map(|voice| Telephone::new(voice, numbers.next().unwrap_or_default()));
    let hearing = telephones.each_ref().map(Telephone::hear);
    // FFmpeg is ready when its port is taken.
    for telephone in &telephones {
        let is_free = || UdpSocket::bind(telephone.hears_at).is_ok();
        for _ in 0..1000 {
            if !is_free() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let ports = telephones.each_ref().map(|telephone| seat(&mut client, telephone, room));
    let mut ports = ports.into_iter();
    let speaking = telephones.each_ref().map(|telephone| telephone.say(ports.next().unwrap()));
    for mut running in speaking {
        assert!(running.0.wait().unwrap().success());
    }
    drop(hearing);
    let tones: Vec<f64> = telephones.iter().map(|telephone| telephone.voice.hertz).collect();
    let table: Vec<Vec<f64>> = telephones.iter().map(|telephone| telephone.heard(&tones)).collect();
    for (listener, row) in table.iter().enumerate() {
        for (speaker, &amplitude) in row.iter().enumerate() {
            let expected = if speaker == listener { amplitude < 200.0 } else { amplitude > 3000.0 };
            assert!(expected, "{listener} hears {speaker} at {amplitude}: {table:.0?}");
        }
    }
    println!("amplitude of 400, 700 and 1100 Hz at PCMU, G.722 and Opus: {table:.0?}");
    for telephone in &telephones {
        std::fs::remove_dir_all(&telephone.files).unwrap();
    }
    dataplane.stop();
}
