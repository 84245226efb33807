// Promise: a recording holds each side in its own channel, aligned in time, and what was heard is readable when the process dies.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { codec } from './lib/codecs.js';
import { Engine } from './lib/engine.js';
import { openCall } from './lib/matrix.js';
import { payloads, sendFrames } from './lib/rtp.js';
import { ffmpeg } from './lib/speech.js';
import { pause, until } from './lib/wait.js';
import { World } from './lib/world.js';

const RATE = 16_000;
const PACKET_TIME = 20;
/** How far the two channels may be apart, in seconds. */
const ALIGNED = 0.02;
/** What both ends send; each second begins with a tone. */
const SECONDS = 8;
const TONE_SECONDS = 0.1;
const TONES = [500, 900];
/** When the process is killed, and what may be missing then at the end of the recording, in seconds. */
const KILLED_AFTER = 5.5;
const UNWRITTEN = 1.5;

const world = await World.create('recording', { browser: false, start: async () => '' });
after(() => world.close());

function startEngine(name) {
  return Engine.start({ name, directory: world.directory, host: world.network.host() });
}

/** The payloads of tones of 100 ms, one in each second. */
async function tones(spoken, frequency) {
  const file = join(world.directory, `tones-${frequency}.wav`);
  const wave = `0.4*sin(2*PI*${frequency}*t)*lt(mod(t\\,1)\\,${TONE_SECONDS})`;
  await ffmpeg('-f', 'lavfi', '-i', `aevalsrc=${wave}:s=${RATE}:d=${SECONDS}`, file);
  return payloads(spoken, file, `${file}.coded`, PACKET_TIME);
}

/** A call that is recorded into `name`; both ends begin to send their tones at one moment. */
async function recordedCall(engine, name, spoken) {
  const { address } = world.network;
  const sides = spoken.map((one) => ({ codec: codec(one), packetTime: PACKET_TIME }));
  const frames = await Promise.all(sides.map((side, index) => tones(side.codec, TONES[index])));
  const call = await openCall(engine, address, sides);
  const reply = await engine.ng.request({
    command: 'start recording', 'call-id': call.id, 'from-tag': 'caller', 'recording-file': name,
  });
  assert.equal(reply.result, 'ok', JSON.stringify(reply));
  const sent = Promise.all(call.ends.map(({ codec: { rtpmap }, port, remote }, side) => sendFrames({
    frames: frames[side], payloadType: remote.payloadType, clock: rtpmap.includes('/48000') ? 48 : 8, packetTime: PACKET_TIME,
    from: { address, port: port + 2 }, to: remote,
  })));
  return { call, sent };
}

/** When each tone begins in the channels of the recording of that name, by the engine of that name; in seconds. */
async function onsets(name) {
  const file = join(world.directory, name, 'recordings', name);
  await ffmpeg('-i', file, '-ar', String(RATE), '-ac', '2', '-f', 's16le', `${file}.raw`);
  const bytes = readFileSync(`${file}.raw`);
  return [0, 1].map((channel) => {
    const found = [];
    let heard = -Infinity;
    for (let n = 0; 4 * n + 2 * channel + 2 <= bytes.length; n += 1) {
      const isLoud = Math.abs(bytes.readInt16LE(4 * n + 2 * channel)) > 3000;
      if (isLoud && n - heard > RATE / 2) found.push(n / RATE);
      if (isLoud) heard = n;
    }
    return found;
  });
}

function assertAligned(name, [left, right]) {
  const distances = left.slice(0, right.length).map((time, index) => right[index] - time);
  console.log(`${name}: the right channel is behind the left by ${distances.map((one) => (1000 * one).toFixed(1)).join(', ')} ms`);
  for (const distance of distances) assert.ok(Math.abs(distance) < ALIGNED, `${distances}`);
}

for (const [name, spoken] of [['stereo.ogg', ['Opus', 'PCMU']], ['stereo.wav', ['PCMA', 'G722']]]) {
  world.test(`${name}: one side in each channel, aligned within 20 ms`, async () => {
    const engine = world.keep(await startEngine(name));
    const { call, sent } = await recordedCall(engine, name, spoken);
    await sent;
    await engine.ng.request({ command: 'stop recording', 'call-id': call.id, 'from-tag': 'caller' });
    await call.close();
    const heard = await until('the whole recording is written', async () => {
      const found = await onsets(name).catch(() => [[], []]);
      return found.every(({ length }) => length >= SECONDS) && found;
    });
    assert.deepEqual(heard.map(({ length }) => length), [SECONDS, SECONDS]);
    assertAligned(name, heard);
  });

  world.test(`kill -9 in mid-call leaves a playable killed-${name}`, async () => {
    const engine = world.keep(await startEngine(`killed-${name}`));
    const { sent } = await recordedCall(engine, `killed-${name}`, spoken);
    await pause(1000 * KILLED_AFTER);
    await engine.kill();
    const heard = await onsets(`killed-${name}`);
    for (const { length } of heard) assert.ok(length >= Math.ceil(KILLED_AFTER - UNWRITTEN), `${heard}`);
    assertAligned(`killed-${name}`, heard);
    await sent;
  });
}
