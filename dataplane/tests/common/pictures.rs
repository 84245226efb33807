//! FFmpeg as a camera and as a screen, over RTP and SRTP.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tandem_control::{Latch, Remote, Security, SrtpKey, SrtpSuite, Video, VideoCodec, VideoFeedback};
use tandem_control::{VideoPayloadType, VideoTransport};

/// Pictures a second.
const RATE: u32 = 25;
/// How many pictures a screen shows before it is content.
const SHOWN: usize = 50;
/// Bytes of one picture as the screen gives it: 16 by 16 points, red, green and blue.
const PICTURE: usize = 16 * 16 * 3;

pub(crate) const H264: VideoCodec =
    VideoCodec::H264 { packetization_mode: 1, profile_level_id: [0x42, 0xc0, 0x1f] };
pub(crate) const SINGLE_UNITS: VideoCodec =
    VideoCodec::H264 { packetization_mode: 0, profile_level_id: [0x42, 0xc0, 0x1f] };

/// A process that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The master key of one direction.
pub(crate) fn key(fill: u8) -> SrtpKey {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    SrtpKey { suite, key_and_salt: vec![fill; suite.key_len() + suite.salt_len()] }
}

/// An even port that nobody listens at, with the next one.
pub(crate) fn free_pair() -> SocketAddr {
    let pair = (0..1000).find_map(|_| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let next = UdpSocket::bind((Ipv4Addr::LOCALHOST, address.port().checked_add(1)?));
        (address.port().is_multiple_of(2) && next.is_ok()).then_some(address)
    });
    pair.expect("a pair of ports is free")
}

/// The video of a leg on ports of its own whose peer is at `remote`; `keys` protect what we send and what it sends.
pub(crate) fn video(number: u8, codec: VideoCodec, remote: SocketAddr, keys: Option<[u8; 2]>) -> Box<Video> {
    let rtcp = SocketAddr::new(remote.ip(), remote.port() + 1);
    let security = keys.map_or(Security::None, |[send, receive]| Security::Sdes {
        send: key(send),
        receive: Some(key(receive)),
    });
    let transport = VideoTransport {
        security,
        rtcp_mux: false,
        remote: Some(Remote { rtp: remote, rtcp }),
        latch: Latch::SameAddress,
        asymmetric: false,
    };
    Box::new(Video { transport: Some(transport), ..bundled(number, codec) })
}

/// The video of a leg with its audio on the same ports.
pub(crate) fn bundled(number: u8, codec: VideoCodec) -> Video {
    let types = vec![VideoPayloadType { number, codec, rtx: None }];
    Video {
        receive: types.clone(),
        send: types,
        may_receive: true,
        may_send: true,
        transport: None,
        ssrc: 0x7a00_0000 + u32::from(number),
        rtx_ssrc: 0x7b00_0000 + u32::from(number),
        feedback: VideoFeedback::default(),
        max_bitrate: 0,
        repeat_parameter_sets: false,
    }
}

/// Films a moving picture whose left half is red.
pub(crate) struct Camera {
    _filming: Running,
}

impl Camera {
    /// Sends from `from` to `to`, protected with a key if there is one.
    pub(crate) fn start(
        number: u8,
        codec: VideoCodec,
        from: SocketAddr,
        to: SocketAddr,
        key_fill: Option<u8>,
    ) -> Camera {
        let source = format!("testsrc2=size=640x480:rate={RATE},drawbox=color=red:t=fill:w=320:h=480");
        let encoder: &[&str] = match codec {
            VideoCodec::H264 { .. } => {
                &["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency"]
            }
            VideoCodec::Vp8 => &["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"],
        };
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"]);
        command.args(encoder).args(["-b:v", "800k", "-g", "12", "-payload_type", &number.to_string()]);
        if codec == SINGLE_UNITS {
            // Each slice is a packet then, and must fit one.
            command.args(["-x264-params", "slice-max-size=1100", "-rtpflags", "h264_mode0"]);
        }
        let scheme = if key_fill.is_some() { "srtp" } else { "rtp" };
        if let Some(fill) = key_fill {
            let key = STANDARD.encode(&key(fill).key_and_salt);
            command.args(["-srtp_out_suite", "AES_CM_128_HMAC_SHA1_80", "-srtp_out_params", &key]);
        }
        let (port, rtcp) = (from.port(), from.port() + 1);
        let url = format!("{scheme}://{to}?pkt_size=1200&localrtpport={port}&localrtcpport={rtcp}");
        let child = command.args(["-f", "rtp", &url]).stdout(Stdio::null()).spawn();
        Camera { _filming: Running(child.expect("ffmpeg is installed: `make deps-test`")) }
    }
}

/// Shows what comes to a port.
pub(crate) struct Screen {
    running: Running,
    description: PathBuf,
    times: PathBuf,
}

/// What a screen has shown.
pub(crate) struct Watched {
    /// The colours of the middle of the left half of each picture: red, green, blue.
    pub(crate) left: Vec<[u8; 3]>,
    /// When each picture was to be shown, in units of 1/90,000 seconds.
    pub(crate) times: Vec<i64>,
}

impl Screen {
    /// Listens at `at`, for packets that are protected with a key if there is one.
    pub(crate) fn start(
        name: &str,
        number: u8,
        codec: VideoCodec,
        at: SocketAddr,
        key_fill: Option<u8>,
    ) -> Screen {
        let file = |kind| std::env::temp_dir().join(format!("tandem-{name}-{}.{kind}", std::process::id()));
        let (description, times) = (file("sdp"), file("times"));
        let coding = match codec {
            VideoCodec::H264 { packetization_mode, .. } => {
                format!("H264/90000\r\na=fmtp:{number} packetization-mode={packetization_mode}")
            }
            VideoCodec::Vp8 => "VP8/90000".to_owned(),
        };
        let profile = if key_fill.is_some() { "RTP/SAVP" } else { "RTP/AVP" };
        let crypto = key_fill.map_or(String::new(), |fill| {
            let key = STANDARD.encode(&key(fill).key_and_salt);
            format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n")
        });
        let (ip, port) = (at.ip(), at.port());
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=video {port} {profile} {number}\r\na=rtpmap:{number} {coding}\r\n{crypto}"
        );
        std::fs::write(&description, text).unwrap();
        let mut command = Command::new("ffmpeg");
        // It may begin to look in the middle of the film.
        command.args(["-nostdin", "-v", "fatal", "-y", "-protocol_whitelist", "file,udp,rtp,srtp,crypto"]);
        command.args(["-fflags", "nobuffer", "-i"]).arg(&description);
        let frames = SHOWN.to_string();
        let every_one = ["-fps_mode", "passthrough", "-copyts", "-frames:v", &frames];
        command.args(["-vf", "scale=16:16:flags=area", "-pix_fmt", "rgb24"]).args(every_one);
        command.args(["-f", "rawvideo", "pipe:1", "-enc_time_base", "1:90000"]).args(every_one);
        command.args(["-f", "framecrc"]).arg(&times);
        let child = command.stdout(Stdio::piped()).spawn();
        Screen { running: Running(child.expect("ffmpeg is installed: `make deps-test`")), description, times }
    }

    /// Waits until it has shown enough.
    pub(crate) fn watch(mut self) -> Watched {
        let mut stdout = self.running.0.stdout.take().unwrap();
        let reading = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).map(|_| bytes)
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.running.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the screen stays dark");
            std::thread::sleep(Duration::from_millis(20));
        }
        let bytes = reading.join().unwrap().unwrap();
        // The fourth point of the eighth line.
        let point = (8 * 16 + 4) * 3;
        let left = bytes.chunks_exact(PICTURE).map(|picture| [0, 1, 2].map(|n| picture[point + n])).collect();
        let lines = std::fs::read_to_string(&self.times).unwrap();
        let lines = lines.lines().filter(|line| !line.starts_with('#'));
        let times = lines.map(|line| line.split(',').nth(2).unwrap().trim().parse().unwrap()).collect();
        Watched { left, times }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for file in [&self.description, &self.times] {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Watched {
    /// It has shown all pictures, red on their left, at the rate at which they were filmed, but for what a busy machine
    /// may have lost.
    pub(crate) fn assert_red_and_moving(&self) {
        assert_eq!(self.left.len(), SHOWN);
        let is_red = |[red, green, blue]: &[u8; 3]| *red > 180 && *green < 70 && *blue < 70;
        let red = self.left.iter().filter(|colour| is_red(colour)).count();
        assert!(red >= SHOWN - 5, "{:?}", self.left);
        let step = i64::from(90_000 / RATE);
        let steps = self.times.windows(2).map(|pair| pair[1] - pair[0]);
        let even = steps.clone().filter(|between| *between == step).count();
        assert!(even >= SHOWN - 6, "{:?}", steps.collect::<Vec<_>>());
    }
}
