// Promise: each of the 16 digits arrives exactly once, as telephone event or as tone, whichever way it came, short or long,
// and with 5 % of the packets lost. By INFO: info.test.js.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { after } from 'node:test';
import { digitsHeard, readWav, writeDigitsWav } from './lib/audio.js';
import { eventsOf } from './lib/capture.js';
import { EVENTS, codec } from './lib/codecs.js';
import { Engine } from './lib/engine.js';
import { randomLoss } from './lib/loss.js';
import { inParallel, openCall } from './lib/matrix.js';
import { Ear, payloads, sendPackets } from './lib/rtp.js';
import { ffmpeg } from './lib/speech.js';
import { World } from './lib/world.js';

const DIGITS = '1234567890*#ABCD';
/** In RFC 4733's order (section 3.2). */
const KEYS = '0123456789*#ABCD';
const PACKET_TIME = 20;
const TICKS = 8;
/** Between presses, and around all, in milliseconds. */
const GAP = 120;
const LEAD = 400;
const SHORT = 40;
const LONG = 300;
const LOSS = 0.05;
/** RFC 4733 section 2.5.1.4. */
const ENDS = 3;
const VOLUME = 10;
const [PCMU, PCMA, OPUS] = ['PCMU', 'PCMA', 'Opus'].map(codec);

let engine;
const world = await World.create('tones', {
  browser: false,
  async start(newWorld) {
    engine = newWorld.keep(await Engine.start({ name: 'tandem', directory: newWorld.directory, host: newWorld.network.host() }));
    return '';
  },
});
after(() => world.close());

/** Silence in G.711 and in it an event for each digit, as a telephone sends it: no audio meanwhile, the end three times. */
function asEvents(spoken, length) {
  const silence = Buffer.alloc(PACKET_TIME * TICKS, spoken === PCMU ? 0xff : 0xd5);
  const packets = [];
  let now = 0;
  const audio = (milliseconds) => {
    for (let time = 0; time < milliseconds; time += PACKET_TIME) {
      packets.push({ payload: silence, payloadType: spoken.payloadType, timestamp: now });
      now += PACKET_TIME * TICKS;
    }
  };
  audio(LEAD);
  for (const digit of DIGITS) {
    const begun = now;
    const event = (milliseconds, isEnd) => {
      const payload = Buffer.from([KEYS.indexOf(digit), (isEnd ? 0x80 : 0) | VOLUME, 0, 0]);
      payload.writeUInt16BE(milliseconds * TICKS, 2);
      packets.push({ payload, payloadType: EVENTS, timestamp: begun, marker: milliseconds === PACKET_TIME });
      now += PACKET_TIME * TICKS;
    };
    for (let time = PACKET_TIME; time < length; time += PACKET_TIME) event(time, false);
    for (let end = 0; end < ENDS; end += 1) event(length, true);
    audio(GAP);
  }
  audio(LEAD);
  return packets;
}

const coded = new Map();

/** The digits as tones in the audio, made once for all who send them at the same time. */
async function asTones(spoken, length) {
  const file = join(world.directory, `digits-${spoken.name}-${length}.wav`);
  if (!coded.has(file)) {
    writeDigitsWav(file, { digits: DIGITS, length, gap: GAP, lead: LEAD, rate: spoken.rate });
    coded.set(file, payloads(spoken, file, `${file}.coded`, PACKET_TIME));
  }
  const frames = await coded.get(file);
  const clock = spoken === OPUS ? 48 : TICKS;
  return frames.map((payload, index) => (
    { payload, payloadType: spoken.payloadType, timestamp: index * PACKET_TIME * clock }));
}

/** What the packets tell: digits by event, and digits by ear. */
async function told(packets, name) {
  const events = eventsOf(packets, [EVENTS]);
  const raw = join(world.directory, `heard-${name}.ul`);
  writeFileSync(raw, Buffer.concat(packets.filter(({ payloadType }) => payloadType === 0).map(({ payload }) => payload)));
  const wav = `${raw}.wav`;
  await ffmpeg('-f', 'mulaw', '-ar', '8000', '-ac', '1', '-i', raw, wav);
  return { events: events.map(({ digit }) => digit).join(''), tones: digitsHeard(readWav(wav)), lengths: events.map(({ durations }) => Math.max(...durations)) };
}

const METHODS = [
  { title: 'events to events', spoken: PCMA, from: asEvents, to: 'events' },
  { title: 'events to tones', spoken: PCMA, from: asEvents, to: 'tones', codecs: { accept: ['telephone-event'] } },
  { title: 'tones to events', spoken: PCMA, from: asTones, to: 'events', flags: ['detect-DTMF'], codecs: { transcode: ['telephone-event'] } },
  { title: 'tones in Opus to events', spoken: OPUS, from: asTones, to: 'events', flags: ['detect-DTMF'], codecs: { transcode: ['telephone-event'] } },
  { title: 'tones to tones', spoken: PCMA, from: asTones, to: 'tones' },
];

async function press({ title, spoken, from, to, flags = [], codecs = {}, length, loss, seed }) {
  const { address } = world.network;
  const packets = await from(spoken, length);
  const call = await openCall(engine, address, [
    { codec: spoken, packetTime: PACKET_TIME, events: from === asEvents },
    { codec: PCMU, packetTime: PACKET_TIME, events: to === 'events' },
  ], { flags, codecs });
  const [caller, callee] = call.ends;
  const ear = await Ear.open({ address, port: callee.port });
  const lost = randomLoss(seed, loss, packets.length);
  await sendPackets({
    packets, packetTime: PACKET_TIME, isLost: (index) => lost.has(index),
    from: { address, port: caller.port + 2 }, to: caller.remote,
  });
  const heard = await told(await ear.finished(), `${title}-${length}-${loss}-${seed}`.replaceAll(' ', '-'));
  ear.stop();
  await call.close();
  return heard;
}

/** Runs these and compares; the events must have the length of the press, to `inexact` milliseconds. */
async function check(jobs, inexact) {
  const bad = [];
  await inParallel(jobs, jobs.length, async (job) => {
    const { events, tones, lengths } = await press(job);
    const name = `${job.title}, ${job.length} ms, ${100 * job.loss} % lost, seed ${job.seed}`;
    const other = job.to === 'events' ? tones : events;
    const got = job.to === 'events' ? events : tones;
    if (got !== DIGITS) bad.push(`${name}: ${got}`);
    if (other !== '') bad.push(`${name}: also ${other} in the other way`);
    const wrong = lengths.filter((one) => job.to === 'events' && Math.abs(one / TICKS - job.length) > inexact);
    if (wrong.length) bad.push(`${name}: events of ${wrong.map((one) => one / TICKS)} ms`);
  });
  assert.deepEqual(bad, []);
}

world.test('16 digits of 40 and 300 ms, each once and with its length', async () => {
  await check(METHODS.flatMap((method) => [SHORT, LONG].map((length) => ({ ...method, length, loss: 0, seed: 1 }))), 40);
});

// A tone of 40 ms is two packets; of them no standard can save one that is lost.
world.test('16 digits with 5 % of the packets lost, each once', async () => {
  const events = METHODS.filter(({ from }) => from === asEvents).flatMap((method) => [SHORT, LONG].map((length) => ({ ...method, length })));
  const tones = METHODS.filter(({ from, to }) => from === asTones && to === 'events').map((method) => ({ ...method, length: LONG }));
  await check([...events, ...tones].flatMap((job) => [11, 12].map((seed) => ({ ...job, loss: LOSS, seed }))), 120);
});
