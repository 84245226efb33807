// Calls between two codecs through the product, and what they score beside the codecs alone.
import { join } from 'node:path';
import { randomInt } from 'node:crypto';
import { described, description } from './codecs.js';
import { atRateOf, modeOf, offline, pesq } from './quality.js';
import { Recorder, sendSpeech } from './rtp.js';

const FIRST_PORT = 40_000;
/** Each end of a call has two ports for what it receives, and two for what it sends. */
const PORTS_OF_AN_END = 4;
const ENDS = 2000;
let ends = 0;
/** The ends send from other ports than those at which they receive. */
const FLAGS = ['trust-address', 'asymmetric'];

function nextPort() {
  ends = (ends + 1) % ENDS;
  return FIRST_PORT + PORTS_OF_AN_END * ends;
}

/** What a request for one call at one engine says, and its reply; an error where that is one. */
async function ask(engine, id, request) {
  const reply = await engine.ng.request({
    'call-id': id, 'from-tag': 'caller', replace: ['origin', 'session-connection'], ICE: 'remove',
    flags: FLAGS, ...request,
  });
  if (reply.result !== 'ok') throw new Error(`${request.command} of ${id}: ${JSON.stringify(reply)}`);
  return reply;
}

/**
 * A call by NG between two ends at `address`, through engines one behind the other, as proxies have it.
 * @param {import('./engine.js').Engine[]} engines
 * @param {import('./codecs.js').Codec[]} codecs the caller's, those between engines, the callee's
 * @param {number[]} packetTimes the caller's and the callee's
 * @returns {Promise<{id: string, ends: object[], close: () => Promise<void>}>} for each end its ports and where it sends to
 */
export async function openChain(engines, address, codecs, packetTimes = [20, 20], { events = [], flags = [], codecs: more = {} } = {}) {
  const sides = [codecs[0], codecs.at(-1)];
  const [caller, callee] = sides.map((codec, side) => (
    { codec, packetTime: packetTimes[side], port: nextPort(), events: events[side] }));
  const id = `${codecs.map(({ name }) => name).join(' to ')} ${randomInt(2 ** 40)}`;
  let offer = description({ ...caller, address });
  for (const [index, engine] of engines.entries()) {
    const [from, to] = [codecs[index], codecs[index + 1]];
    const wanted = from === to ? { transcode: [] } : { mask: [from.rtpmap], transcode: [to.rtpmap] };
    const codec = { ...wanted, ...more, transcode: [...wanted.transcode, ...(more.transcode ?? [])] };
    offer = (await ask(engine, id, { command: 'offer', sdp: offer, flags: [...FLAGS, ...flags], codec })).sdp;
  }
  let answer = description({ ...callee, address });
  for (const engine of [...engines].reverse()) {
    answer = (await ask(engine, id, { command: 'answer', 'to-tag': 'callee', sdp: answer })).sdp;
  }
  return {
    id,
    ends: [{ ...caller, remote: described(answer, caller.codec) }, { ...callee, remote: described(offer, callee.codec) }],
    close: async () => {
      await Promise.all(engines.map((engine) => ask(engine, id, { command: 'delete', 'to-tag': 'callee' })));
    },
  };
}

/**
 * A call through one engine. Sides may have telephone `events`; `flags` and `codecs` are added to the offer's.
 * @see openChain
 */
export function openCall(engine, address, sides, { flags, codecs } = {}) {
  const of = (key) => sides.map((side) => side[key]);
  return openChain([engine], address, of('codec'), of('packetTime'), { events: of('events'), flags, codecs });
}

/**
 * Speech both ways through a call, at once, and its end.
 * @returns {Promise<string[]>} what the callee and what the caller recorded, as WAV files
 */
export async function talkOver({ call, directory, address, file }) {
  const recorders = await Promise.all(call.ends.map(({ codec, port }) => Recorder.start({
    directory, codec, payloadType: codec.payloadType, at: { address, port },
  })));
  try {
    await Promise.all(call.ends.map(({ codec, port, packetTime, remote }) => sendSpeech({
      directory, codec, payloadType: remote.payloadType, file, packetTime, from: { address, port: port + 2 }, to: remote,
    })));
    const [atCaller, atCallee] = await Promise.all(recorders.map((recorder) => recorder.finished()));
    return [atCallee, atCaller];
  } finally {
    await Promise.all(recorders.map((recorder) => recorder.stop()));
    await call.close();
  }
}

/** A call in which both speak. @see openCall @see talkOver */
export async function talk({ engine, directory, address, sides, file }) {
  return talkOver({ call: await openCall(engine, address, sides), directory, address, file });
}

/** Calls `run` for each item, `width` at a time. */
export async function inParallel(items, width, run) {
  const waiting = [...items];
  await Promise.all(Array.from({ length: width }, async () => {
    while (waiting.length) await run(waiting.shift());
  }));
}

/** The codecs' own scores: speech through the one and then the other, offline. */
export class OwnScores {
  #directory;

  #files = new Map();

  constructor(directory) {
    this.#directory = directory;
  }

  /** @returns {Promise<string>} the WAV file that comes out, made once */
  #through(key, make) {
    if (!this.#files.has(key)) {
      const file = join(this.#directory, `own-${key.replaceAll(/\W+/g, '-')}.wav`);
      this.#files.set(key, make(file).then(() => file));
    }
    return this.#files.get(key);
  }

  /**
   * What is left of `clip` after these codecs, one after the other. An encoder is fed at the rate that its side and the one
   * before can use.
   * @param {number} [delay] in milliseconds, before the last: where its frames begin
   */
  async recording(clip, name, codecs, delay = 0) {
    const last = codecs.at(-1);
    const key = [name, ...codecs.map((one) => one.name), delay].join(' ');
    if (codecs.length === 1) return this.#through(key, (file) => offline(last, clip[last.rate], file, { delay }));
    const before = codecs.at(-2);
    if (before === last) return this.recording(clip, name, codecs.slice(0, -1), delay);
    // G.722 and Speex wide band know only their own rate.
    const rate = last.name === 'Opus' ? Math.min(before.rate, last.rate) : last.rate;
    const input = await this.recording(clip, name, codecs.slice(0, -1));
    return this.#through(key, (file) => offline(last, input, file, { rate, delay }));
  }
}

/** Scores recordings of `clip`, all at once. @param {{codecs: object[], file: string}[]} recordings with the codecs that each went through */
export async function scores(clip, recordings) {
  const jobs = [];
  await inParallel([...recordings.entries()], 4, async ([index, { codecs, file }]) => {
    const mode = modeOf(...codecs);
    jobs[index] = { mode, reference: clip[mode === 'wb' ? 16000 : 8000], degraded: await atRateOf(mode, file) };
  });
  return pesq(jobs);
}
