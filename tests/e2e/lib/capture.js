// The RTP on the wire, as dumpcap captures it: to and from telephones in the clear; the browser's, under SRTP, still
// has its headers in the clear (RFC 3711 section 3.1).
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Process } from './process.js';

const KEYS = '0123456789*#ABCD';
const HEADER = 12;
const FIELDS = ['frame.time_epoch', 'ip.src', 'udp.srcport', 'ip.dst', 'udp.dstport', 'udp.payload'];

/** Everything that UDP brings to and from Tandem's address. */
export class Capture {
  /** @param {import('./world.js').World} world */
  static async start({ network, directory }) {
    const capture = new Capture();
    capture.file = join(directory, `wire-${Date.now()}.pcapng`);
    // The telephones are behind the bridge, the browser is on this host.
    capture.process = new Process('dumpcap', directory, [
      'dumpcap', '-i', network.bridge, '-i', 'lo', '-f', `udp and host ${network.address}`, '-w', capture.file,
    ]);
    await capture.process.printed(/^File: /m);
    return capture;
  }

  /** Ends the capture. @returns {Promise<object[]>} the RTP packets in it, in order */
  async rtp() {
    await this.stop();
    const text = execFileSync('tshark', [
      '-n', '-r', this.file, '-T', 'fields', ...FIELDS.flatMap((field) => ['-e', field]),
    ], { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
    return text.split('\n').map((line) => line.split('\t'))
      .filter((values) => values.length === FIELDS.length)
      .map(([time, source, sourcePort, destination, destinationPort, payload]) => ({
        at: Number(time), from: `${source}:${sourcePort}`, to: `${destination}:${destinationPort}`, bytes: Buffer.from(payload, 'hex'),
      }))
      .filter(({ bytes }) => isRtp(bytes))
      .map(({ bytes, ...packet }) => ({
        ...packet,
        payloadType: bytes[1] & 0x7f,
        timestamp: bytes.readUInt32BE(4),
        source: bytes.readUInt32BE(8),
        payload: bytes.subarray(HEADER),
      }));
  }

  stop() {
    return this.process.stop('SIGINT');
  }
}

/** RFC 7983 section 7, RFC 5761 section 4. */
function isRtp(bytes) {
  return bytes.length > HEADER && bytes[0] >> 6 === 2 && !(bytes[1] >= 192 && bytes[1] <= 223);
}

/**
 * The telephone events among RTP packets: all packets with one time stamp are one event (RFC 4733 section 2.5.1.2).
 * `digit`, `durations` and `ends` mean something where the packets are in the clear.
 */
export function eventsOf(packets, payloadTypes) {
  const events = new Map();
  for (const { payloadType, timestamp, payload } of packets) {
    if (!payloadTypes.includes(payloadType)) continue;
    const event = events.get(timestamp) ?? { digit: KEYS[payload[0]], durations: [], ends: 0 };
    event.durations.push(payload.readUInt16BE(2));
    event.ends += payload[1] >> 7;
    events.set(timestamp, event);
  }
  return [...events.values()];
}
