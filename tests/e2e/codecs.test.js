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
/** Calls at once; each has two senders and two receivers. */
const AT_ONCE = 14;
const TIMEOUT = 300_000;

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

/** The table of one value for each ordered pair. */
function table(title, cells) {
  const width = 13;
  const line = (words) => words.map((word) => String(word).padEnd(width)).join('').trimEnd();
  const rows = CODECS.map((first) => line([first.name, ...CODECS.map((second) => cells.get(`${first.name} ${second.name}`) ?? '-')]));
  console.log([title, line(['from \\ to', ...CODECS.map(({ name }) => name)]), ...rows, ''].join('\n'));
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Talks between all pairs, and compares. @param packetTimes of caller and callee for a pair; nothing where it has none */
async function matrix(title, clips, packetTimes) {
  const { directory } = world;
  const { address } = world.network;
  const own = new OwnScores(directory);
  /** Of each ordered pair, the scores of each clip through the product and offline. */
  const results = new Map();
  for (const prompt of clips) {
    const clip = await cutClip(directory, prompt, CLIP_SECONDS);
    const recordings = [];
    const calls = pairs.flatMap((pair) => packetTimes(...pair).map((times) => ({ pair, times })));
    await inParallel(calls, AT_ONCE, async ({ pair, times }) => {
      const sides = pair.map((codec, side) => ({ codec, packetTime: times[side] }));
      const [there, back] = await talk({ engine, directory, address, sides, file: clip[16000] });
      recordings.push({ first: pair[0], second: pair[1], file: there });
      if (pair[0] !== pair[1]) recordings.push({ first: pair[1], second: pair[0], file: back });
    });
    const heard = await scores(clip, recordings);
    const alone = [];
    await inParallel([...recordings.entries()], 4, async ([index, { first, second }]) => {
      alone[index] = { first, second, file: await own.recording(clip, prompt[0], first, second) };
    });
    const possible = await scores(clip, alone);
    for (const [index, { first, second }] of recordings.entries()) {
      const key = `${first.name} ${second.name}`;
      results.set(key, [...(results.get(key) ?? []), { heard: heard[index] ?? 0, possible: possible[index] }]);
    }
  }
  const cells = new Map();
  const bad = [];
  for (const [key, values] of results) {
    const heard = mean(values.map((value) => value.heard));
    const possible = mean(values.map((value) => value.possible));
    cells.set(key, `${heard.toFixed(2)} ${(heard - possible >= 0 ? '+' : '') + (heard - possible).toFixed(2)}`);
    if (heard < possible - TOLERATED) bad.push(`${key}: ${cells.get(key)}`);
  }
  table(`${title}: PESQ (MOS-LQO), and the difference from the codecs alone`, cells);
  assert.deepEqual(bad, []);
}

world.test('every codec to every codec, packets of 20 ms', async () => {
  await matrix('20 ms', CLIPS, () => [[20, 20]]);
}, { timeout: TIMEOUT });

world.test('packets of 20 ms to packets of 30 ms and back, where one side can have 30 ms', async () => {
  const mixed = (first, second) => {
    if (first === second) return [];
    const times = [];
    if (second.packetTimes.includes(30)) times.push([20, 30]);
    if (first.packetTimes.includes(30)) times.push([30, 20]);
    return times;
  };
  await matrix('20 and 30 ms', CLIPS.slice(0, 1), mixed);
}, { timeout: TIMEOUT });
