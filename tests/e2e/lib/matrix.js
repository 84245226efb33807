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

function nextPort() {
  ends = (ends + 1) % ENDS;
  return FIRST_PORT + PORTS_OF_AN_END * ends;
}

/**
 * One call by NG between two ends at `address`.
 * @param {import('./engine.js').Engine} engine
 * @param {{codec: import('./codecs.js').Codec, packetTime: number}[]} sides caller and callee
 * @returns {Promise<{ends: object[], close: () => Promise<object>}>} for each end its ports and where it sends to
 */
export async function openCall(engine, address, sides) {
  const [caller, callee] = sides.map((side) => ({ ...side, port: nextPort() }));
  const common = {
    'call-id': `matrix-${randomInt(2 ** 40)}`, 'from-tag': 'caller', replace: ['origin'], ICE: 'remove',
    // The ends send from other ports than those at which they receive.
    flags: ['trust-address', 'asymmetric'],
  };
  const ask = async (request) => {
    const reply = await engine.ng.request({ ...common, ...request });
    if (reply.result !== 'ok') throw new Error(`${request.command}: ${JSON.stringify(reply)}`);
    return reply;
  };
  const own = ({ codec, port, packetTime }) => description({ codec, address, port, packetTime });
  const transcode = caller.codec === callee.codec ? {}
    : { codec: { mask: [caller.codec.rtpmap], transcode: [callee.codec.rtpmap] } };
  const offer = await ask({ command: 'offer', sdp: own(caller), ...transcode });
  const answer = await ask({ command: 'answer', 'to-tag': 'callee', sdp: own(callee) });
  const [forCaller, forCallee] = [described(answer.sdp, caller.codec), described(offer.sdp, callee.codec)];
  return {
    ends: [{ ...caller, remote: forCaller }, { ...callee, remote: forCallee }],
    close: () => ask({ command: 'delete', 'to-tag': 'callee' }),
  };
}

/**
 * Speech both ways through a call, at once.
 * @returns {Promise<string[]>} what the callee and what the caller recorded, as WAV files
 */
export async function talk({ engine, directory, address, sides, file }) {
  const call = await openCall(engine, address, sides);
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
   * What is left of `clip` after these codecs. An encoder is fed at the rate that both sides can use.
   * @param {number} [delay] in milliseconds, between the two: where the frames of the second begin
   */
  async recording(clip, name, first, second, delay = 0) {
    const once = await this.#through(`${name} ${first.name}`, (file) => offline(first, clip[first.rate], file));
    if (first === second) return once;
    const rate = Math.min(first.rate, second.rate);
    // G.722 and Speex wide band know only their own rate.
    const fed = second.name === 'Opus' ? rate : second.rate;
    return this.#through(
      `${name} ${first.name} ${second.name} ${delay}`, (file) => offline(second, once, file, { rate: fed, delay }),
    );
  }
}

/** Scores recordings of `clip`, all at once. @param {{first: object, second: object, file: string}[]} recordings */
export async function scores(clip, recordings) {
  const jobs = [];
  await inParallel([...recordings.entries()], 4, async ([index, { first, second, file }]) => {
    const mode = modeOf(first, second);
    jobs[index] = { mode, reference: clip[mode === 'wb' ? 16000 : 8000], degraded: await atRateOf(mode, file) };
  });
  return pesq(jobs);
}
