/**
 * The tones a telephone makes by itself: ring tone, ring-back tone and key tones, from WebAudio oscillators.
 * @module
 */

/** ITU-T Q.23: the row and column frequency of each key, in Hz. @type {Record<string, number[]>} */
const KEY_TONES = {
  1: [697, 1209], 2: [697, 1336], 3: [697, 1477],
  4: [770, 1209], 5: [770, 1336], 6: [770, 1477],
  7: [852, 1209], 8: [852, 1336], 9: [852, 1477],
  '*': [941, 1209], 0: [941, 1336], '#': [941, 1477],
};

/** Rhythms: on, off, on, off ... */
const RINGING = { frequencies: [620, 780], rhythm: [0.35, 0.15, 0.35, 2.15], volume: 0.12 };
const WAITING = { frequencies: [425], rhythm: [0.2, 0.2, 0.2, 5], volume: 0.05 };
const RING_BACK = { frequencies: [425], rhythm: [1, 4], volume: 0.05 };

const KEY_SECONDS = 0.12;
const KEY_VOLUME = 0.04;
/** A ramp this long keeps the edges of a tone from clicking. */
const EDGE_SECONDS = 0.012;

/** @type {AudioContext | undefined} */
let context;
let stopCurrent = () => {};

/** Frequencies in Hz, and the rhythm in seconds. @typedef {{frequencies: number[], rhythm: number[], volume: number}} Cadence */

/**
 * Wakes the audio output. Browsers allow it only while a click or key press is handled.
 * @returns {AudioContext}
 */
export function wake() {
  context ??= new AudioContext();
  if (context.state === 'suspended') context.resume().catch(() => {});
  return context;
}

/**
 * @param {GainNode} gain
 * @param {number[]} frequencies
 * @param {number} volume
 * @param {number} start
 * @param {number} seconds
 */
function burst(gain, frequencies, volume, start, seconds) {
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(volume, start + EDGE_SECONDS);
  gain.gain.setValueAtTime(volume, start + seconds - EDGE_SECONDS);
  gain.gain.linearRampToValueAtTime(0, start + seconds);
  for (const frequency of frequencies) {
    const oscillator = new OscillatorNode(gain.context, { frequency });
    oscillator.connect(gain);
    oscillator.start(start);
    oscillator.stop(start + seconds);
  }
}

/** @param {Cadence} cadence */
function repeat({ frequencies, rhythm, volume }) {
  silence();
  const output = wake();
  const gain = new GainNode(output, { gain: 0 });
  gain.connect(output.destination);
  const period = rhythm.reduce((sum, seconds) => sum + seconds, 0);
  const round = () => {
    let at = output.currentTime;
    rhythm.forEach((seconds, index) => {
      if (index % 2 === 0) burst(gain, frequencies, volume, at, seconds);
      at += seconds;
    });
  };
  round();
  const timer = setInterval(round, period * 1000);
  stopCurrent = () => {
    clearInterval(timer);
    gain.disconnect();
  };
}

/** Rings until {@link silence}: somebody calls. */
export function ring() {
  repeat(RINGING);
}

/** Knocks softly until {@link silence}: somebody calls during a call. */
export function callWaiting() {
  repeat(WAITING);
}

/** Plays the ring-back tone until {@link silence}: the far end rings. */
export function ringBack() {
  repeat(RING_BACK);
}

/** Ends whatever sounds until then. */
export function silence() {
  stopCurrent();
  stopCurrent = () => {};
}

/**
 * Plays one key's tone, so that a press is heard.
 * @param {string} key a digit, `*` or `#`
 */
export function key(key) {
  const frequencies = KEY_TONES[key];
  if (!frequencies) return;
  const output = wake();
  const gain = new GainNode(output, { gain: 0 });
  gain.connect(output.destination);
  burst(gain, frequencies, KEY_VOLUME, output.currentTime, KEY_SECONDS);
}
