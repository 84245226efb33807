/**
 * How good a call sounds, from the counters of its connection.
 * @module
 */

/**
 * @typedef {'good' | 'fair' | 'poor'} QualityLevel
 * @typedef {object} Quality
 * @property {QualityLevel} level
 * @property {'here' | 'there'} [side] where it is heard, if it is not good: what arrives here, or what arrives there
 */

/** How often the counters are read, in milliseconds. */
const INTERVAL = 2_000;

/** ITU-T G.107: the rating without any impairment, and what it is called (G.109 has more steps than people need). */
const BEST_RATING = 93.2;
const GOOD_RATING = 80;
const FAIR_RATING = 60;
/** G.113: how robust a codec with concealment is against loss, in percent. */
const LOSS_ROBUSTNESS = 10;
/** Coding, packets and play-out take about this long on both ends together, in milliseconds. */
const END_DELAY = 60;

/**
 * The rating of ITU-T G.107, 0 to 93.
 * @param {number} loss share of the sound that was lost or came too late, 0 to 1
 * @param {number} roundTrip in milliseconds
 * @returns {number}
 */
export function rating(loss, roundTrip) {
  const delay = roundTrip / 2 + END_DELAY;
  const delayImpairment = 0.024 * delay + 0.11 * Math.max(0, delay - 177.3);
  const percent = loss * 100;
  const lossImpairment = (95 * percent) / (percent + LOSS_ROBUSTNESS);
  return Math.max(0, BEST_RATING - delayImpairment - lossImpairment);
}

/**
 * @param {number} value a {@link rating}
 * @returns {QualityLevel}
 */
export function level(value) {
  if (value >= GOOD_RATING) return 'good';
  return value >= FAIR_RATING ? 'fair' : 'poor';
}

/** Watches one connection. */
export class QualityMeter {
  #connection;
  #told;
  #timer = 0;
  #heard = 0;
  #concealed = 0;
  #here = BEST_RATING;
  #there = BEST_RATING;
  #last = '';

  /**
   * @param {RTCPeerConnection} connection
   * @param {(quality: Quality) => void} told called whenever it changes
   */
  constructor(connection, told) {
    this.#connection = connection;
    this.#told = told;
  }

  start() {
    this.#timer ||= setInterval(() => this.#measure().catch(() => {}), INTERVAL);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  async #measure() {
    const reports = await this.#connection.getStats();
    let [roundTrip, lossThere] = [0, 0];
    /** @type {any} */
    let inbound;
    for (const [, report] of /** @type {Iterable<[string, any]>} */ (/** @type {unknown} */ (reports))) {
      if (report.type === 'candidate-pair' && report.nominated) roundTrip = (report.currentRoundTripTime ?? 0) * 1000;
      if (report.type === 'remote-inbound-rtp' && report.kind === 'audio') lossThere = report.fractionLost ?? 0;
      if (report.type === 'inbound-rtp' && report.kind === 'audio') inbound = report;
    }
    // One bad moment is smoothed, so that the words do not flicker.
    this.#there = (this.#there + rating(lossThere, roundTrip)) / 2;
    if (inbound) this.#here = (this.#here + rating(this.#lossHere(inbound), roundTrip)) / 2;
    this.#tell();
  }

  /** @param {{totalSamplesReceived?: number, concealedSamples?: number, silentConcealedSamples?: number}} inbound */
  #lossHere({ totalSamplesReceived = 0, concealedSamples = 0, silentConcealedSamples = 0 }) {
    // Silence that was made up is a pause of the sender's: a held call is not a bad one.
    const concealed = concealedSamples - silentConcealedSamples;
    const share = (concealed - this.#concealed) / Math.max(1, totalSamplesReceived - this.#heard);
    this.#heard = totalSamplesReceived;
    this.#concealed = concealed;
    return Math.min(1, Math.max(0, share));
  }

  #tell() {
    const side = this.#here <= this.#there ? 'here' : 'there';
    const worse = level(Math.min(this.#here, this.#there));
    const key = `${worse} ${side}`;
    if (key === this.#last) return;
    this.#last = key;
    this.#told(worse === 'good' ? { level: worse } : { level: worse, side });
  }
}
