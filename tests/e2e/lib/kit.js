// Runs inside the pages under test, before their own scripts. It changes nothing that the pages do; it only gives them
// a tone for a microphone, holds them to some codecs if asked, and records what they hear.

/**
 * Playwright sends the source of this function to the page, so it must not use anything from outside.
 * @param {{tone: number, codecs?: string[], colour?: string}} options `codecs`: the only audio codecs to speak, for example
 *   `opus`; `colour`: what the camera sees
 */
export function installKit({ tone, codecs, colour = 'rgb(40, 90, 160)' }) {
  const RATE = 48000;
  const FRAMES_PER_SECOND = 15;
  const KEEP_CHUNKS = 60 * (RATE / 128);
  const recorderSource = `registerProcessor('recorder', class extends AudioWorkletProcessor {
    process([[channel]]) { if (channel) this.port.postMessage(channel.slice()); return true; }
  });`;
  const kit = { connections: [], chunks: [], wanted: [] };
  window.kit = kit;

  let audio;
  let recording;
  const heard = new Map();
  const context = () => {
    if (!audio) {
      audio = new AudioContext({ sampleRate: RATE });
      const module = URL.createObjectURL(new Blob([recorderSource], { type: 'text/javascript' }));
      audio.ready = audio.audioWorklet.addModule(module);
    }
    return audio;
  };

  const nativeGetUserMedia = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (nativeGetUserMedia) {
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      kit.wanted.push(constraints);
      // The browser's own microphone is opened as well, so that permission is asked for and may be refused.
      const microphone = await nativeGetUserMedia(constraints);
      microphone.getTracks().forEach((track) => track.stop());
      return new MediaStream([...constraints.audio ? microphoneTracks() : [], ...constraints.video ? cameraTracks() : []]);
    };
    // Its older form, with callbacks, which webrtc-adapter uses.
    navigator.webkitGetUserMedia = (constraints, success, failure) => {
      navigator.mediaDevices.getUserMedia(constraints).then(success, failure);
    };
  }

  function microphoneTracks() {
    const oscillator = new OscillatorNode(context(), { frequency: tone });
    const destination = context().createMediaStreamDestination();
    oscillator.connect(new GainNode(context(), { gain: 0.4 })).connect(destination);
    oscillator.start();
    return destination.stream.getAudioTracks();
  }

  /** One colour, with a mark that moves, so that each frame is another one. */
  function cameraTracks() {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const picture = canvas.getContext('2d');
    let frame = 0;
    const draw = () => {
      frame += 1;
      picture.fillStyle = colour;
      picture.fillRect(0, 0, canvas.width, canvas.height);
      picture.fillStyle = 'white';
      picture.fillRect((frame * 8) % canvas.width, 0, 16, 16);
    };
    draw();
    const timer = setInterval(draw, 1000 / FRAMES_PER_SECOND);
    const tracks = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks();
    for (const track of tracks) {
      const stop = track.stop.bind(track);
      track.stop = () => { clearInterval(timer); stop(); };
    }
    return tracks;
  }

  async function record(track) {
    const stream = new MediaStream([track]);
    // Chromium decodes a remote track only while a media element plays it.
    const element = new Audio();
    element.srcObject = stream;
    element.muted = true;
    element.play().catch(() => {});
    await context().ready;
    // A track that comes again after a hold is the same one; the tracks of several calls are heard together.
    heard.get(track.id)?.disconnect();
    heard.set(track.id, context().createMediaStreamSource(stream));
    heard.get(track.id).connect(recorder());
  }

  function recorder() {
    if (!recording) {
      recording = new AudioWorkletNode(context(), 'recorder', { channelCount: 1, channelCountMode: 'explicit' });
      recording.port.onmessage = ({ data }) => {
        kit.chunks.push(data);
        if (kit.chunks.length > KEEP_CHUNKS) kit.chunks.shift();
      };
      recording.connect(new GainNode(context(), { gain: 0 })).connect(context().destination);
    }
    return recording;
  }

  function holdToCodecs(connection) {
    if (!codecs) return;
    const wanted = ({ mimeType }) => [...codecs, 'telephone-event'].includes(mimeType.split('/')[1].toLowerCase());
    const preferred = RTCRtpReceiver.getCapabilities('audio').codecs.filter(wanted);
    connection.getTransceivers()
      .filter(({ receiver }) => receiver.track.kind === 'audio')
      .forEach((transceiver) => transceiver.setCodecPreferences(preferred));
  }

  // Preferences rule what Chromium receives; what it sends it takes from the other side's description.
  function withoutOtherCodecs(sdp) {
    const wanted = [...codecs, 'telephone-event'];
    const payloads = [...sdp.matchAll(/a=rtpmap:(\d+) ([^/\s]+)/g)]
      .filter(([, , name]) => !wanted.includes(name.toLowerCase())).map(([, payload]) => payload);
    const lines = sdp.split('\r\n').filter((line) => !payloads.includes(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/.exec(line)?.[1]));
    return lines.map((line) => (line.startsWith('m=audio')
      ? line.split(' ').filter((word, index) => index < 3 || !payloads.includes(word)).join(' ') : line)).join('\r\n');
  }

  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...options) {
      super(...options);
      kit.connections.push(this);
      this.addEventListener('track', ({ track }) => { if (track.kind === 'audio') record(track); });
    }

    createOffer(...options) {
      holdToCodecs(this);
      return super.createOffer(...options);
    }

    setRemoteDescription(description) {
      if (!codecs || description.type !== 'offer') return super.setRemoteDescription(description);
      return super.setRemoteDescription({ type: 'offer', sdp: withoutOtherCodecs(description.sdp) });
    }

    createAnswer(...options) {
      holdToCodecs(this);
      return super.createAnswer(...options);
    }
  };

  /** Forgets what was recorded so far. */
  kit.forget = () => { kit.chunks.length = 0; };

  /** The last seconds of what was heard: 16-bit samples in base64. */
  kit.recording = (seconds) => {
    const chunks = kit.chunks.slice(-Math.ceil((seconds * RATE) / 128));
    const samples = new Int16Array(chunks.length * 128);
    chunks.forEach((chunk, index) => samples.set(chunk.map((value) => value * 32767), index * 128));
    const bytes = new Uint8Array(samples.buffer);
    let text = '';
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return { rate: RATE, base64: btoa(text) };
  };

  /** The codecs in use on the last connection, and its counters. */
  kit.stats = async () => {
    const reports = new Map(await kit.connections.at(-1).getStats());
    const stats = { state: kit.connections.at(-1).connectionState };
    for (const report of reports.values()) {
      if (report.type === 'outbound-rtp' && report.kind === 'audio') {
        stats.sent = { codec: reports.get(report.codecId)?.mimeType, packets: report.packetsSent };
      }
      if (report.type === 'inbound-rtp' && report.kind === 'audio') {
        stats.received = {
          codec: reports.get(report.codecId)?.mimeType, packets: report.packetsReceived, lost: report.packetsLost,
          ssrc: report.ssrc,
        };
      }
      if (report.type === 'remote-inbound-rtp') stats.reportedLost = report.packetsLost;
      if (report.type === 'transport') stats.transport = { dtls: report.dtlsState, srtp: report.srtpCipher };
    }
    return stats;
  };
}
