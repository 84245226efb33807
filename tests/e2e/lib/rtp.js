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
    const coded = join(directory, `${name}.coded`);
    await encodeFile(codec, file, coded);
    await sendFrames({ frames: chunks(readFileSync(coded), packetTime * G729_BYTES_PER_MS), payloadType, from, to, packetTime });
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

/** Sends payloads, one in each packet time. `clock`: ticks of RTP time in a millisecond. */
export async function sendFrames({ frames, payloadType, from, to, packetTime, clock = 8 }) {
  const socket = createSocket('udp4');
  await new Promise((resolve) => { socket.bind(from.port, from.address, resolve); });
  const start = Date.now();
  const header = Buffer.alloc(HEADER);
  header[0] = 0x80;
  header[1] = payloadType;
  header.writeUInt32BE(randomInt(2 ** 32), 8);
  for (const [index, frame] of frames.entries()) {
    await pause(Math.max(0, start + index * packetTime - Date.now()));
    header.writeUInt16BE(index & 0xffff, 2);
    header.writeUInt32BE((index * packetTime * clock) >>> 0, 4);
    socket.send(Buffer.concat([header, frame]), to.port, to.address);
  }
  socket.close();
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
