// Runs inside the pages under test, behind kit.js: gives them a picture of one colour for a camera, holds them to one
// video codec or to calls without retransmission if asked, and tells what they see.

/**
 * Playwright sends the source of this function to the page, so it must not use anything from outside.
 * @param {{colour: string, rate: number, width: number, height: number, codec?: string, repair?: boolean,
 *   asksForKeyFrames?: boolean, limit?: number}} options `rate`: pictures a second; `codec`: the only one to speak, for example `H264`;
 *   `repair`: false for neither NACK nor RTX; `asksForKeyFrames`: whether `kit.video.askForKeyFrame` is used;
 *   `limit`: the most kilobits a second that it says it takes
 */
export function installVideoKit({ colour, rate, width, height, codec, repair = true, asksForKeyFrames = false, limit }) {
  const video = { elements: [] };
  window.kit.video = video;

  function camera() {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d');
    setInterval(() => {
      context.fillStyle = video.colour ?? colour;
      context.fillRect(0, 0, width, height);
      // At the edge no two pictures are alike, so that each takes several packets.
      for (let n = 0; n < 60; n += 1) {
        context.fillStyle = `hsl(${Math.random() * 360} 90% 50%)`;
        context.fillRect(Math.random() * width, (Math.random() * height) / 5, 9, 9);
      }
    }, 1000 / rate);
    return canvas.captureStream(rate).getVideoTracks()[0];
  }

  const audioOnly = navigator.mediaDevices?.getUserMedia;
  if (audioOnly) {
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const { video: wantsVideo, ...others } = constraints;
      const stream = others.audio ? await audioOnly.call(navigator.mediaDevices, others) : new MediaStream();
      if (wantsVideo) stream.addTrack(camera());
      return stream;
    };
  }

  function show(track) {
    const element = document.createElement('video');
    Object.assign(element, { srcObject: new MediaStream([track]), muted: true, autoplay: true, playsInline: true });
    element.play().catch(() => {});
    video.elements.push(element);
    video.shown = [];
    const note = (now) => {
      video.shown.push(now);
      element.requestVideoFrameCallback(note);
    };
    element.requestVideoFrameCallback(note);
  }

  // Asks for key frames as a decoder would. It does nothing else: encoded pictures pass as they come.
  const askerSource = `onrtctransform = ({ transformer }) => {
    transformer.readable.pipeTo(transformer.writable);
    onmessage = () => transformer.sendKeyFrameRequest();
  };`;

  function watchKeyFrames(receiver) {
    video.receiver = receiver;
    video.asker = new Worker(URL.createObjectURL(new Blob([askerSource], { type: 'text/javascript' })));
    receiver.transform = new RTCRtpScriptTransform(video.asker, {});
  }

  function holdToCodec(connection) {
    if (!codec && repair) return;
    const helpers = repair ? ['rtx'] : [];
    const isWanted = ({ mimeType }) => {
      const name = mimeType.split('/')[1].toLowerCase();
      if (['rtx', 'red', 'ulpfec', 'flexfec-03'].includes(name)) return helpers.includes(name);
      return !codec || name === codec.toLowerCase();
    };
    const preferred = RTCRtpReceiver.getCapabilities('video').codecs.filter(isWanted);
    connection.getTransceivers()
      .filter(({ receiver }) => receiver.track.kind === 'video')
      .forEach((transceiver) => transceiver.setCodecPreferences(preferred));
  }

  // Preferences rule neither feedback nor what is sent: both are taken out of the descriptions.
  const withoutRepair = ({ type, sdp }) => (
    { type, sdp: repair ? sdp : sdp.replace(/a=rtcp-fb:\d+ nack\r\n/g, '') });

  // RFC 8866 section 5.8: kilobits a second, behind the connection line.
  const withLimit = ({ type, sdp }) => (
    { type, sdp: limit ? sdp.replace(/(m=video [^]*?c=IN [^\r]*\r\n)/, `$1b=AS:${limit}\r\n`) : sdp });

  const Before = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Before {
    constructor(...options) {
      super(...options);
      this.addEventListener('track', ({ track, receiver }) => {
        if (track.kind !== 'video') return;
        if (asksForKeyFrames) watchKeyFrames(receiver);
        show(track);
      });
    }

    createOffer(...options) {
      holdToCodec(this);
      return super.createOffer(...options);
    }

    createAnswer(...options) {
      holdToCodec(this);
      return super.createAnswer(...options);
    }

    setLocalDescription(description) {
      return description ? super.setLocalDescription(withLimit(withoutRepair(description))) : super.setLocalDescription();
    }

    setRemoteDescription(description) {
      return super.setRemoteDescription(withoutRepair(description));
    }
  };

  /** The colour in the middle of what is seen: red, green and blue from 0 to 255. */
  video.seen = () => {
    const element = video.elements.at(-1);
    if (!element?.videoWidth) return null;
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: 3, height: 3 });
    const context = canvas.getContext('2d');
    context.drawImage(element, 0, 0, 3, 3);
    return [...context.getImageData(1, 1, 1, 1).data.slice(0, 3)];
  };

  /** How long nothing new was shown since `from`, where that was longer than `least`; all in milliseconds. */
  video.frozen = (from, least) => {
    const times = [from, ...video.shown.filter((time) => time > from), performance.now()];
    const gaps = times.slice(1).map((time, index) => time - times[index]);
    return gaps.filter((gap) => gap > least).reduce((sum, gap) => sum + gap, 0);
  };

  /** Asks for a key frame. @returns {Promise<number>} milliseconds until one was decoded */
  video.askForKeyFrame = async () => {
    const decoded = async () => [...(await video.receiver.getStats()).values()]
      .find(({ type }) => type === 'inbound-rtp').keyFramesDecoded;
    const before = await decoded();
    const asked = performance.now();
    video.asker.postMessage('ask');
    while (await decoded() === before) await new Promise((resolve) => { setTimeout(resolve, 5); });
    return performance.now() - asked;
  };

  /** The counters of the video that is received and sent, by getStats. */
  video.stats = async () => {
    const reports = new Map(await window.kit.connections.at(-1).getStats());
    const of = (type) => [...reports.values()].filter((report) => report.type === type && report.kind === 'video')
      .map((report) => ({ ...report, codec: reports.get(report.codecId)?.mimeType, fmtp: reports.get(report.codecId)?.sdpFmtpLine }));
    // A stream that was replaced leaves its report behind.
    const newest = (list, key) => list.sort((one, other) => one[key] - other[key]).at(-1) ?? null;
    return {
      received: newest(of('inbound-rtp'), 'lastPacketReceivedTimestamp'), sent: newest(of('outbound-rtp'), 'packetsSent'),
      reported: of('remote-inbound-rtp').at(-1) ?? null,
    };
  };
}
