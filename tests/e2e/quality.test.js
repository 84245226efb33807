// Promise: lost packets are concealed as well as the codecs can, Opus recovers by its FEC, and what others made
// understands our speech as we understand theirs.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { codec } from './lib/codecs.js';
import { Engine } from './lib/engine.js';
import { burstyLoss, libraryConcealed, randomLoss, silenceConcealed } from './lib/loss.js';
import { OwnScores, inParallel, openCall, openChain, scores, talkOver } from './lib/matrix.js';
import { offline } from './lib/quality.js';
import { Recorder, payloads, sendFrames } from './lib/rtp.js';
import { CLIPS, cutClip } from './lib/speech.js';
import { World } from './lib/world.js';

const CLIP_SECONDS = 8;
const PACKET_TIME = 20;
const LOSS = 0.05;
/** How much lower a call with loss may score than the codec's library with the same loss. */
const TOLERATED_LOSS = 0.2;
/** How much better concealment must be than silence in place of what is lost. */
const BETTER_THAN_SILENCE = 0.2;
/** How much better Opus with FEC must be than Opus without. */
const GAIN_OF_FEC = 0.2;
/** How much lower speech through somebody else's transcoder and ours may score than through the codecs alone. */
const TOLERATED_THIRD_PARTY = 0.3;
const TIMEOUT = 200_000;
const AT_ONCE = 12;

let engine;
let third;
const RTPENGINE = '/usr/bin/rtpengine';
const world = await World.create('quality', {
  browser: false,
  async start(newWorld) {
    const { directory, network } = newWorld;
    const keep = (resource) => newWorld.keep(resource);
    engine = keep(await Engine.start({ name: 'tandem', directory, host: network.host() }));
    if (existsSync(RTPENGINE)) third = keep(await Engine.start({ name: 'rtpengine', kind: 'rtpengine', directory, host: network.host() }));
    return '';
  },
});
after(() => world.close());

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const PCMU = codec('PCMU');
const opus = codec('Opus');
const opusWithFec = {
  ...opus, fmtp: 'useinbandfec=1',
  encode: (packetTime) => [...opus.encode(packetTime), '-fec', '1', '-packet_loss', '10'],
};
/** Streams that lose packets before Tandem, and by what they are measured. */
const LOSSY = [
  { title: 'Opus', spoken: opus, library: 'opus', clock: 48 },
  { title: 'Opus with FEC', spoken: opusWithFec, library: 'opus', clock: 48 },
  { title: 'G729', spoken: codec('G729'), library: 'g729', clock: 8 },
  { title: 'Speex/8000', spoken: codec('Speex/8000'), library: 'speex/8000', clock: 8 },
  { title: 'Speex/16000', spoken: codec('Speex/16000'), library: 'speex/16000', clock: 16 },
  { title: 'PCMU', spoken: PCMU, clock: 8, to: codec('PCMA') },
];
const PATTERNS = [['random', randomLoss], ['bursty', burstyLoss]];

/** Speech of which packets are lost, through Tandem into G.711, and through the codec's library into G.711. */
async function lossy({ spoken, library, clock, to = PCMU, title, pattern, clip, name, seed }) {
  const { directory } = world;
  const { address } = world.network;
  const base = join(directory, `lossy ${title} ${pattern.name} ${name}`.replaceAll(/[^-\w]/g, '-'));
  const packets = await payloads(spoken, clip[spoken.rate], `${base}.coded`, PACKET_TIME);
  const lost = pattern(seed, LOSS, packets.length);
  const call = await openCall(engine, address, [{ codec: spoken, packetTime: PACKET_TIME }, { codec: to, packetTime: PACKET_TIME }]);
  const [from, ear] = call.ends;
  const recorder = await Recorder.start({ directory, codec: to, payloadType: to.payloadType, at: { address, port: ear.port } });
  await sendFrames({
    frames: packets, payloadType: from.remote.payloadType, clock, packetTime: PACKET_TIME, isLost: (index) => lost.has(index),
    from: { address, port: from.port + 2 }, to: from.remote,
  });
  const heard = await recorder.finished();
  await call.close();
  const decoded = `${base}-library.wav`;
  if (library) await libraryConcealed({ name: library, rate: library === 'speex/16000' ? 16000 : 8000, packets, lost, output: decoded });
  else await silenceConcealed({ packets, lost, output: decoded });
  const possible = `${base}-library-g711.wav`;
  await offline(to, decoded, possible);
  return [heard, possible].map((file) => ({ codecs: [spoken, to], file }));
}

world.test('5 % random and bursty loss: as good as the codec can conceal; Opus with FEC beats Opus without', async () => {
  const results = new Map();
  for (const [index, prompt] of CLIPS.entries()) {
    const clip = await cutClip(world.directory, prompt, CLIP_SECONDS);
    const jobs = LOSSY.flatMap((stream) => PATTERNS.map(([kind, pattern]) => ({ ...stream, kind, pattern, clip, name: prompt[0], seed: 7 + index })));
    await inParallel(jobs, AT_ONCE, async (job) => {
      const key = `${job.title}, ${job.kind}`;
      results.set(key, [...(results.get(key) ?? []), await scores(clip, await lossy(job))]);
    });
  }
  const bad = [];
  const score = new Map();
  for (const { title, library } of LOSSY) {
    for (const [kind] of PATTERNS) {
      const values = results.get(`${title}, ${kind}`);
      const [heard, other] = [0, 1].map((column) => mean(values.map((value) => value[column])));
      score.set(`${title}, ${kind}`, heard);
      const what = library ? 'its library' : 'silence in place of what is lost';
      console.log(`${title}, ${kind} loss of 5 %: ${heard.toFixed(2)}; ${what}: ${other.toFixed(2)}`);
      const least = library ? other - TOLERATED_LOSS : other + BETTER_THAN_SILENCE;
      if (!(heard >= least)) bad.push(`${title}, ${kind}: ${heard} is below ${least}`);
    }
  }
  const gain = score.get('Opus with FEC, random') - score.get('Opus, random');
  console.log(`FEC gains ${gain.toFixed(2)}`);
  if (!(gain >= GAIN_OF_FEC)) bad.push(`FEC gains only ${gain}`);
  assert.deepEqual(bad, []);
}, { timeout: TIMEOUT });

world.test('rtpengine decodes what we encode, and we decode what it encodes', async (context) => {
  if (!third) {
    context.skip('rtpengine is not installed');
    return;
  }
  const clip = await cutClip(world.directory, CLIPS[0], CLIP_SECONDS);
  const own = new OwnScores(world.directory);
  const between = ['Opus', 'G722', 'G729', 'Speex/8000', 'Speex/16000', 'PCMA'].map(codec);
  const bad = [];
  await inParallel(between, AT_ONCE, async (middle) => {
    const { directory } = world;
    const { address } = world.network;
    const talk = async (engines, codecs) => talkOver({
      call: await openChain(engines, address, codecs), directory, address, file: clip[16000],
    });
    const codecs = [PCMU, middle, PCMU];
    const [[ours, theirs], [theirsAlone]] = await Promise.all([talk([engine, third], codecs), talk([third], [PCMU, middle])]);
    // Its encoders are set otherwise than ours: what ffmpeg makes of its stream is what can be had of it.
    const theirsByFfmpeg = join(directory, `by-ffmpeg-${middle.rtpmap.replaceAll('/', '-')}.wav`);
    await offline(PCMU, theirsAlone, theirsByFfmpeg);
    const files = [ours, await own.recording(clip, CLIPS[0][0], codecs), theirs, theirsByFfmpeg];
    const [heard, alone, back, possible] = await scores(clip, files.map((file) => ({ codecs, file })));
    console.log(`${middle.name}: ours decoded by rtpengine ${heard}, the codecs alone ${alone}; `
      + `rtpengine's decoded by us ${back}, by ffmpeg ${possible}`);
    if (!(heard >= alone - TOLERATED_THIRD_PARTY)) bad.push(`ours in ${middle.name}: ${heard} of ${alone}`);
    if (!(back >= possible - TOLERATED_THIRD_PARTY)) bad.push(`theirs in ${middle.name}: ${back} of ${possible}`);
  });
  assert.deepEqual(bad, []);
}, { timeout: TIMEOUT });
