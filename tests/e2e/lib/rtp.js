// Speech as RTP: ffmpeg sends it and receives it. Of G.729, which ffmpeg only decodes, coded frames are sent from here.
import { createSocket } from 'node:dgram';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { description } from './codecs.js';
import { Process } from './process.js';
import { encodeFile } from './quality.js';
import { pause, until } from './wait.js';

const HEADER = 12;
const G729_BYTES_PER_MS = 1;
const FFMPEG = ['ffmpeg', '-hide_banner', '-nostdin', '-loglevel', 'warning', '-y'];
/** A receiver that has got nothing for so long has got everything, in milliseconds. */
const QUIET = 500;

let names = 0;

/**
 * Sends a WAV file once, in real time.
 * @param {object} options
 * @param {string} options.directory for logs
 * @param {import('./codecs.js').Codec} options.codec
 * @param {number} options.payloadType
 * @param {string} options.file
 * @param {{address: string, port: number}} options.from
 * @param {{address: string, port: number}} options.to
 * @param {number} [options.packetTime] in milliseconds
 * @returns {Promise<void>} settled when it is sent
 */
export async function sendSpeech({ directory, codec, payloadType, file, from, to, packetTime = 20 }) {
  names += 1;
  const name = `send-${names}`;
  if (!codec.encode) {
    const frames = await payloads(codec, file, join(directory, `${name}.coded`), packetTime);
    await sendFrames({ frames, payloadType, from, to, packetTime });
    return;
  }
  const samples = (codec.rate / 1000) * packetTime;
  // What is coded sample by sample is cut by the size of a packet, everything else frame by frame.
  const size = codec.octets ? HEADER + codec.octets * packetTime : 1400;
  const sender = new Process(name, directory, [
    ...FFMPEG, '-i', file, '-af', `aresample=${codec.rate},asetnsamples=n=${samples}:p=0,arealtime`, '-ac', '1',
    ...codec.encode(packetTime), '-f', 'rtp', '-payload_type', String(payloadType),
    `rtp://${to.address}:${to.port}?localaddr=${from.address}&localrtpport=${from.port}&localrtcpport=${from.port + 1}&pkt_size=${size}`,
  ]);
  const code = await sender.ended;
  if (code !== 0) throw new Error(`ffmpeg could not send (${code}):\n${sender.output()}`);
}

function chunks(bytes, size) {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

/**
 * The payloads of a WAV file in a codec, one for each packet.
 * @param {string} coded where the coded file goes
 */
export async function payloads(codec, file, coded, packetTime = 20) {
  await encodeFile(codec, file, coded, { packetTime });
  const bytes = readFileSync(coded);
  // The first two packets of Ogg are its headers (RFC 7845 section 3).
  if (codec.container === 'ogg') return oggPackets(bytes).slice(2);
  const data = codec.container === 'wav' ? bytes.subarray(bytes.indexOf('data') + 8) : bytes;
  return chunks(data, packetTime * (codec.octets ?? G729_BYTES_PER_MS));
}

/** The packets in an Ogg file (RFC 3533 section 6): pages of segments, of which one shorter than 255 bytes ends a packet. */
function oggPackets(bytes) {
  const packets = [];
  let parts = [];
  for (let page = 0; page + 27 <= bytes.length;) {
    const segments = bytes.subarray(page + 27, page + 27 + bytes[page + 26]);
    let at = page + 27 + segments.length;
    for (const length of segments) {
      parts.push(bytes.subarray(at, at + length));
      at += length;
      if (length < 255) packets.push(Buffer.concat(parts.splice(0)));
    }
    page = at;
  }
  return packets;
}

/**
 * Sends payloads, one in each packet time.
 * @param {object} options
 * @param {number} [options.clock] ticks of RTP time in a millisecond
 * @param {(index: number) => boolean} [options.isLost] which packets never arrive
 */
export function sendFrames({ frames, payloadType, packetTime, clock = 8, ...options }) {
  const packets = frames.map((payload, index) => ({ payload, payloadType, timestamp: index * packetTime * clock }));
  return sendPackets({ packets, packetTime, ...options });
}

/**
 * Sends RTP packets, one in each packet time.
 * @param {object} options
 * @param {{payload: Buffer, payloadType: number, timestamp: number, marker?: boolean}[]} options.packets
 * @param {(index: number) => boolean} [options.isLost] which packets never arrive
 */
export async function sendPackets({ packets, from, to, packetTime, isLost = () => false }) {
  const socket = createSocket('udp4');
  await new Promise((resolve) => { socket.bind(from.port, from.address, resolve); });
  const start = Date.now();
  const header = Buffer.alloc(HEADER);
  header[0] = 0x80;
  header.writeUInt32BE(randomInt(2 ** 32), 8);
  for (const [index, { payload, payloadType, timestamp, marker }] of packets.entries()) {
    await pause(Math.max(0, start + index * packetTime - Date.now()));
    header[1] = payloadType | (marker ? 0x80 : 0);
    header.writeUInt16BE(index & 0xffff, 2);
    header.writeUInt32BE(timestamp >>> 0, 4);
    if (!isLost(index)) socket.send(Buffer.concat([header, payload]), to.port, to.address);
  }
  socket.close();
}

/** Keeps the RTP packets that come to a port. */
export class Ear {
  packets = [];

  static async open({ address, port }) {
    const ear = new Ear();
    ear.socket = createSocket('udp4');
    ear.socket.on('message', (bytes) => {
      if (bytes.length < HEADER) return;
      ear.packets.push({ payloadType: bytes[1] & 0x7f, timestamp: bytes.readUInt32BE(4), payload: bytes.subarray(HEADER) });
    });
    await new Promise((resolve) => { ear.socket.bind(port, address, resolve); });
    return ear;
  }

  /** Waits until nothing more comes. */
  async finished() {
    for (let before = -1; this.packets.length !== before;) {
      before = this.packets.length;
      await pause(QUIET);
    }
    return this.packets;
  }

  stop() {
    this.socket.close();
  }
}

/** ffmpeg, which writes what it receives into a WAV file. */
export class Recorder {
  /** @param {{directory: string, codec: import('./codecs.js').Codec, payloadType: number, at: {address: string, port: number}}} options */
  static async start({ directory, codec, payloadType, at }) {
    names += 1;
    const recorder = new Recorder();
    const session = join(directory, `receive-${names}.sdp`);
    writeFileSync(session, description({ codec: { ...codec, payloadType }, ...at }));
    recorder.file = join(directory, `received-${names}.wav`);
    recorder.process = new Process(`receive-${names}`, directory, [
      ...FFMPEG, '-protocol_whitelist', 'file,udp,rtp', '-analyzeduration', '0', '-probesize', '32', '-flush_packets', '1',
      ...codec.decode, '-i', session, '-ac', '1', '-flush_packets', '1', recorder.file,
    ]);
    const port = at.port.toString(16).toUpperCase().padStart(4, '0');
    await until('ffmpeg listens', () => {
      if (!recorder.process.alive) throw new Error(`ffmpeg does not receive:\n${recorder.process.output()}`);
      return readFileSync('/proc/net/udp', 'utf8').includes(`:${port} `);
    });
    return recorder;
  }

  get #size() {
    return statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Waits until nothing more comes. @returns {Promise<string>} the WAV file */
  async finished() {
    for (let before = -1; this.#size !== before;) {
      before = this.#size;
      await pause(QUIET);
    }
    await this.process.stop('SIGINT');
    return this.file;
  }

  stop() {
    return this.process.stop('SIGINT');
  }
}
