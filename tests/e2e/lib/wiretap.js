// What a telephone is sent, heard on the wire while the call goes on: after a re-INVITE that stops its player for a while
// baresip 1.0 no longer records.
import { longestTone } from './audio.js';
import { Process } from './process.js';
import { until } from './wait.js';

const HEADER = 12;
const PCMA = 8;
const RATE = 8000;

/** RTP with A-law to one host, from everybody. */
export class WireTap {
  #samples = [];
  #read = 0;

  /** @param {import('./world.js').World} world @param {import('./network.js').Host} host */
  static async start({ network, directory }, host) {
    const tap = new WireTap();
    tap.process = new Process(`wire-${host.namespace}`, directory, [
      'tshark', '-n', '-l', '-i', network.bridge, '-f', `udp and dst host ${host.address}`, '-T', 'fields', '-e', 'udp.payload',
    ]);
    await tap.process.printed(/Capturing on/);
    return tap;
  }

  /** Takes what tshark has printed since. */
  #listen() {
    const text = this.process.output();
    const end = text.lastIndexOf('\n') + 1;
    for (const line of text.slice(this.#read, end).split('\n')) {
      const bytes = Buffer.from(line.trim(), 'hex');
      if (bytes.length > HEADER && bytes[0] === 0x80 && (bytes[1] & 0x7f) === PCMA) {
        for (const byte of bytes.subarray(HEADER)) this.#samples.push(decode(byte));
      }
    }
    this.#read = end;
    return this.#samples;
  }

  /** The seconds of this tone that came after a certain sample. */
  #heard(frequency, from) {
    return longestTone({ rate: RATE, samples: Float32Array.from(this.#listen().slice(from)) }, frequency);
  }

  /** Waits until a second of this tone has come, counted from now. */
  async hears(frequency, options) {
    const from = this.#listen().length;
    await until(`${frequency} Hz on the wire`, () => this.#heard(frequency, from) >= 1, { interval: 200, ...options });
  }

  /** How many seconds come within the next milliseconds. */
  async secondsWithin(frequency, milliseconds) {
    const from = this.#listen().length;
    await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
    return this.#heard(frequency, from);
  }

  stop() {
    return this.process.stop('SIGINT');
  }
}

/** ITU-T G.711, A-law, to -1..1. */
function decode(byte) {
  const value = byte ^ 0x55;
  const exponent = (value & 0x70) >> 4;
  const mantissa = ((value & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (value & 0x80 ? magnitude : -magnitude) / 32768;
}
