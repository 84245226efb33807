// The codecs of the matrix: how descriptions name them, and how ffmpeg speaks them.

const pcm = (encoder) => (packetTime) => ['-c:a', encoder, '-frame_size', String(8 * packetTime)];
/** As Tandem's encoders are set; the offline scores must be those of the same coding. */
const OPUS_BITRATE = '24k';
const SPEEX_QUALITY = '8';
const speex = (packetTime) => ['-c:a', 'libspeex', '-cbr_quality', SPEEX_QUALITY, '-compression_level', '2', '-frames_per_packet', String(packetTime / 20)];

/**
 * @typedef {object} Codec
 * @property {string} name in tables
 * @property {string} rtpmap
 * @property {number} payloadType
 * @property {number} rate of the sound that it carries, in Hz: what it is fed with and judged at, at most
 * @property {number} octets of RTP payload in one millisecond, where each sample is coded by itself
 * @property {number[]} packetTimes among 20 and 30 ms, which it has
 * @property {(packetTime: number) => string[]} [encode] ffmpeg's arguments; without it ffmpeg cannot encode it
 * @property {string} container in which ffmpeg keeps it
 * @property {string[]} decode more arguments for decoding its stream
 * @property {string} [fmtp]
 */

/** @type {Codec[]} */
export const CODECS = [
  {
    name: 'Opus', rtpmap: 'opus/48000/2', payloadType: 111, rate: 16000, packetTimes: [20], container: 'ogg', decode: [],
    encode: (packetTime) => [
      '-c:a', 'libopus', '-b:a', OPUS_BITRATE, '-application', 'voip', '-compression_level', '5',
      '-frame_duration', String(packetTime),
    ],
  },
  {
    name: 'PCMU', rtpmap: 'PCMU/8000', payloadType: 0, rate: 8000, octets: 8, packetTimes: [20, 30], container: 'wav', decode: [],
    encode: pcm('pcm_mulaw'),
  },
  {
    name: 'PCMA', rtpmap: 'PCMA/8000', payloadType: 8, rate: 8000, octets: 8, packetTimes: [20, 30], container: 'wav', decode: [],
    encode: pcm('pcm_alaw'),
  },
  {
    name: 'G722', rtpmap: 'G722/8000', payloadType: 9, rate: 16000, octets: 8, packetTimes: [20, 30], container: 'g722', decode: [],
    encode: (packetTime) => ['-c:a', 'g722', '-frame_size', String(16 * packetTime)],
  },
  {
    // Its RTP demultiplexer knows the name but not which decoder is meant.
    name: 'G729', rtpmap: 'G729/8000', payloadType: 18, rate: 8000, packetTimes: [20, 30], container: 'g729', decode: ['-c:a', 'g729'],
    fmtp: 'annexb=no',
  },
  {
    name: 'Speex/8000', rtpmap: 'speex/8000', payloadType: 97, rate: 8000, packetTimes: [20], container: 'ogg', decode: [],
    encode: speex,
  },
  {
    name: 'Speex/16000', rtpmap: 'speex/16000', payloadType: 98, rate: 16000, packetTimes: [20], container: 'ogg', decode: [],
    encode: speex,
  },
];

/** @returns {Codec} */
export function codec(name) {
  return CODECS.find((one) => one.name === name);
}

/** The payload type of telephone events (RFC 4733), where a peer has them. */
export const EVENTS = 101;

/** The description of a peer that speaks this codec alone; `events`: and telephone events. */
export function description({ codec, address, port, packetTime = 20, direction = 'sendrecv', events = false }) {
  const { rtpmap, payloadType, fmtp } = codec;
  return [
    'v=0', `o=- 1 1 IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0',
    `m=audio ${port} RTP/AVP ${payloadType}${events ? ` ${EVENTS}` : ''}`,
    `a=rtpmap:${payloadType} ${rtpmap}`, ...(fmtp ? [`a=fmtp:${payloadType} ${fmtp}`] : []),
    ...(events ? [`a=rtpmap:${EVENTS} telephone-event/8000`, `a=fmtp:${EVENTS} 0-15`] : []), `a=ptime:${packetTime}`,
    `a=${direction}`, '',
  ].join('\r\n');
}

/** Where a description says that sound is received, and what payload type it gives `codec`. */
export function described(sdp, { rtpmap, payloadType }) {
  const lines = sdp.split(/\r?\n/);
  const mapped = lines.map((line) => /^a=rtpmap:(\d+) (\S+)$/.exec(line))
    .find((match) => match && `${match[2]}/1`.toLowerCase().startsWith(`${rtpmap}/`.toLowerCase()));
  return {
    address: lines.find((line) => line.startsWith('c=IN IP4 ')).slice(9),
    port: Number(/^m=audio (\d+)/m.exec(sdp)[1]),
    payloadType: Number(mapped?.[1] ?? payloadType),
  };
}
