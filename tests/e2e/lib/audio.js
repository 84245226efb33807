// Tones: how much of a recording is a given frequency, in windows of 100 ms.
import { readFileSync, writeFileSync } from 'node:fs';

const WINDOW_SECONDS = 0.1;
/** Of a window's energy, what must be at the frequency. Opus and G.711 leave above 0.95. */
const TONE_SHARE = 0.7;
/** Mean power below which a window is silence. */
const SILENCE = 1e-5;

/**
 * The share of the energy of `samples` that is at `frequency`: a one-bin Fourier transform.
 * @returns {number} 0 to 1
 */
export function toneShare(samples, rate, frequency) {
  let energy = 0;
  let cosine = 0;
  let sine = 0;
  for (let n = 0; n < samples.length; n += 1) {
    const phase = (2 * Math.PI * frequency * n) / rate;
    energy += samples[n] * samples[n];
    cosine += samples[n] * Math.cos(phase);
    sine += samples[n] * Math.sin(phase);
  }
  if (energy / samples.length < SILENCE) return 0;
  return (2 * (cosine * cosine + sine * sine)) / (samples.length * energy);
}

/** The samples cut into windows; a rest is left out. */
export function windows({ samples, rate }) {
  const length = Math.round(rate * WINDOW_SECONDS);
  const count = Math.floor(samples.length / length);
  return Array.from({ length: count }, (_, index) => samples.subarray(index * length, (index + 1) * length));
}

/** For each window whether it is the tone. */
export function toneWindows(recording, frequency) {
  return windows(recording).map((samples) => toneShare(samples, recording.rate, frequency) > TONE_SHARE);
}

/** The longest time without a break in which the tone is heard, in seconds. */
export function longestTone(recording, frequency) {
  let longest = 0;
  let current = 0;
  for (const heard of toneWindows(recording, frequency)) {
    current = heard ? current + 1 : 0;
    longest = Math.max(longest, current);
  }
  return longest * WINDOW_SECONDS;
}

const DTMF_ROWS = [697, 770, 852, 941];
const DTMF_COLUMNS = [1209, 1336, 1477, 1633];
const DTMF_KEYS = ['123A', '456B', '789C', '*0#D'];
const DTMF_WINDOW_SECONDS = 0.03;
/**
 * Half windows without a tone that make a pause. ITU-T Q.24 takes 40 ms for one; a shorter interruption, as a busy
 * machine's sound has it, does not make two digits of one.
 */
const DTMF_PAUSE = 3;

/** The digits in a recording, by ear. */
export function digitsHeard({ samples, rate }) {
  const length = Math.round(rate * DTMF_WINDOW_SECONDS);
  let digits = '';
  let last = '';
  let silent = 0;
  for (let start = 0; start + length <= samples.length; start += length / 2) {
    const digit = digitIn(samples.subarray(start, start + length), rate);
    silent = digit ? 0 : silent + 1;
    if (silent >= DTMF_PAUSE) last = '';
    if (digit && digit !== last) digits += digit;
    last = digit || last;
  }
  return digits;
}

function digitIn(samples, rate) {
  const strongest = (frequencies) => frequencies
    .map((frequency, index) => ({ index, share: toneShare(samples, rate, frequency) }))
    .reduce((best, one) => (one.share > best.share ? one : best));
  const row = strongest(DTMF_ROWS);
  const column = strongest(DTMF_COLUMNS);
  const clear = row.share + column.share > 0.6 && Math.min(row.share, column.share) > 0.12;
  return clear ? DTMF_KEYS[row.index][column.index] : '';
}

/** Reads a 16-bit WAV file, also one whose header was never finished; the first channel. */
export function readWav(path) {
  const file = readFileSync(path);
  let rate = 8000;
  let channels = 1;
  for (let at = 12; at + 8 <= file.length;) {
    const id = file.toString('latin1', at, at + 4);
    const size = file.readUInt32LE(at + 4);
    if (id === 'fmt ') {
      channels = file.readUInt16LE(at + 10);
      rate = file.readUInt32LE(at + 12);
    }
    if (id === 'data') return { rate, samples: firstChannel(file.subarray(at + 8), channels) };
    at += 8 + size + (size % 2);
  }
  return { rate, samples: new Float32Array(0) };
}

function firstChannel(data, channels) {
  const frames = Math.floor(data.length / 2 / channels);
  return Float32Array.from({ length: frames }, (_, frame) => data.readInt16LE(2 * frame * channels) / 32768);
}

/** Writes a tone as a 16-bit mono WAV file. */
export function writeToneWav(path, { frequency, seconds, rate }) {
  writeWav(path, Int16Array.from({ length: rate * seconds }, (_, n) => sampleOf(frequency, rate, n)), rate);
}

/**
 * Writes key presses as a 16-bit mono WAV file: each digit's tones for `length`, then silence for `gap`; silence around all.
 * @param {{digits: string, length: number, gap: number, lead: number, rate: number}} options in milliseconds and Hz
 */
export function writeDigitsWav(path, { digits, length, gap, lead, rate }) {
  const tone = (digit) => {
    const row = DTMF_KEYS.findIndex((keys) => keys.includes(digit));
    const frequencies = [DTMF_ROWS[row], DTMF_COLUMNS[DTMF_KEYS[row].indexOf(digit)]];
    const samples = Array.from({ length: (rate * length) / 1000 }, (_, n) => (
      frequencies.reduce((sum, frequency) => sum + Math.round(sampleOf(frequency, rate, n) / 2), 0)));
    return [...samples, ...silence(gap)];
  };
  const silence = (milliseconds) => new Array((rate * milliseconds) / 1000).fill(0);
  writeWav(path, Int16Array.from([...silence(lead), ...[...digits].flatMap(tone), ...silence(lead)]), rate);
}

function writeWav(path, data, rate) {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + data.byteLength, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28);
  header.writeUInt16LE(2, 32); // bytes a frame
  header.writeUInt16LE(16, 34); // bits
  header.write('data', 36);
  header.writeUInt32LE(data.byteLength, 40);
  writeFileSync(path, Buffer.concat([header, Buffer.from(data.buffer)]));
}

function sampleOf(frequency, rate, n) {
  return Math.round(12000 * Math.sin((2 * Math.PI * frequency * n) / rate));
}

/** Writes a raw A-law tone for SIPp's rtp_stream; for its first second it may be another one. */
export function writeAlawTone(path, frequency, seconds, first = frequency) {
  const rate = 8000;
  const sample = (_, n) => alaw(sampleOf(n < rate ? first : frequency, rate, n));
  writeFileSync(path, Uint8Array.from({ length: rate * seconds }, sample));
}

/** ITU-T G.711, A-law: a sign, 3 bits of segment, 4 of mantissa, every other bit inverted. */
function alaw(sample) {
  const sign = sample >= 0 ? 0x80 : 0;
  const magnitude = (sample >= 0 ? sample : -sample - 1) >> 3;
  const segment = Math.max(0, 27 - Math.clz32(magnitude));
  const mantissa = (magnitude >> Math.max(1, segment)) & 0x0f;
  return (sign | (segment << 4) | mantissa) ^ 0x55;
}
