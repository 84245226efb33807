// Promise: speech between every two codecs, by real encoders and decoders, is as good as the codecs themselves allow.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { CODECS } from './lib/codecs.js';
import { Engine } from './lib/engine.js';
import { OwnScores, inParallel, scores, talk } from './lib/matrix.js';
import { CLIPS, cutClip } from './lib/speech.js';
import { World } from './lib/world.js';

const CLIP_SECONDS = 8;
/** How much lower a call may score than its codecs offline. */
const TOLERATED = 0.1;
/**
 * Where the frames of the second codec begin, in milliseconds. Nobody can choose it in a call, and it moves a score by 0.1
 * up or down: what seems to be too low is compared with the mean.
 */
const PHASES = [0, 2, 5, 7, 13];
/** Calls at once; each has two senders and two receivers. */
const AT_ONCE = 14;
const SCORED_AT_ONCE = 4;
const TIMEOUT = 400_000;

let engine;
const world = await World.create('codecs', {
  browser: false,
  async start(newWorld) {
    engine = newWorld.keep(await Engine.start({ name: 'tandem', directory: newWorld.directory, host: newWorld.network.host() }));
    return '';
  },
});
after(() => world.close());

const pairs = CODECS.flatMap((first, index) => CODECS.slice(index).map((second) => [first, second]));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The table of one text for each ordered pair. */
function table(title, cells) {
  const line = (words) => words.map((word) => String(word).padEnd(13)).join('').trimEnd();
  const rows = CODECS.map((first) => line([first.name, ...CODECS.map((second) => cells.get(`${first.name} ${second.name}`) ?? '-')]));
  return [title, line(['from \\ to', ...CODECS.map(({ name }) => name)]), ...rows, ''].join('\n');
}

/** Talks in all calls, both ways. @returns {Promise<{codecs: object[], file: string}[]>} what was recorded */
async function record(calls, file) {
  const recordings = [];
  await inParallel(calls, AT_ONCE, async ({ pair: [first, second], times }) => {
    const sides = [{ codec: first, packetTime: times[0] }, { codec: second, packetTime: times[1] }];
    const [there, back] = await talk({ engine, directory: world.directory, address: world.network.address, sides, file });
    recordings.push({ codecs: [first, second], file: there });
    if (first !== second) recordings.push({ codecs: [second, first], file: back });
  });
  return recordings;
}

/** What the codecs of these recordings score by themselves, with frames of the second that begin at `phase`. */
async function alone(own, clip, name, recordings, phase) {
  const files = [];
  await inParallel([...recordings.entries()], SCORED_AT_ONCE, async ([index, { codecs }]) => {
    files[index] = { codecs, file: await own.recording(clip, name, codecs, phase) };
  });
  return scores(clip, files);
}

/** Talks between all pairs, and compares. @param packetTimes the packet times of caller and callee, for each call of a pair */
async function matrix(title, clips, packetTimes) {
  const own = new OwnScores(world.directory);
  const calls = pairs.flatMap((pair) => packetTimes(...pair).map((times) => ({ pair, times })));
  /** Of each ordered pair, what was heard and what is possible, for each recording. */
  const results = new Map();
  for (const prompt of clips) {
    const clip = await cutClip(world.directory, prompt, CLIP_SECONDS);
    const recordings = await record(calls, clip[16000]);
    const heard = await scores(clip, recordings);
    const possible = await alone(own, clip, prompt[0], recordings, PHASES[0]);
    for (const [index, recording] of recordings.entries()) {
      const key = recording.codecs.map((one) => one.name).join(' ');
      const result = { recording, clip, name: prompt[0], heard: heard[index] ?? 0, possible: possible[index] };
      results.set(key, [...(results.get(key) ?? []), result]);
    }
  }
  const difference = (values) => mean(values.map(({ heard, possible }) => heard - possible));
  const cells = new Map();
  const bad = [];
  for (const [key, values] of results) {
    for (const value of difference(values) < -TOLERATED ? values : []) {
      const more = await Promise.all(PHASES.map((phase) => alone(own, value.clip, value.name, [value.recording], phase)));
      value.possible = mean(more.flat());
    }
    const text = difference(values).toFixed(2);
    cells.set(key, `${mean(values.map(({ heard }) => heard)).toFixed(2)} ${text.startsWith('-') ? text : `+${text}`}`);
    if (difference(values) < -TOLERATED) bad.push(`${key}: ${cells.get(key)}`);
  }
  console.log(table(`${title}: PESQ (MOS-LQO), and the difference from the codecs alone`, cells));
  assert.deepEqual(bad, []);
}

world.test('every codec to every codec, packets of 20 ms', async () => {
  await matrix('20 ms', CLIPS, () => [[20, 20]]);
}, { timeout: TIMEOUT });

world.test('packets of 20 ms to packets of 30 ms and back, where one side can have 30 ms', async () => {
  await matrix('20 and 30 ms', CLIPS.slice(0, 1), (first, second) => {
    if (first === second) return [];
    return [
      ...(second.packetTimes.includes(30) ? [[20, 30]] : []),
      ...(first.packetTimes.includes(30) ? [[30, 20]] : []),
    ];
  });
}, { timeout: TIMEOUT });
