// Promise: malformed input of every kind is dropped and counted, and a call beside it keeps its sound.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { after } from 'node:test';
import { generator, malformedFrame, malformedMedia, malformedSip } from './lib/malformed.js';
import { pause } from './lib/wait.js';
import { World } from './lib/world.js';

const SEED = Number(process.env.SEED ?? 20260722);
const FLOOD_MILLISECONDS = 8000;
/** Datagrams, frames and connections in one burst, and the pause after it. */
const BURST = 20;
const BURST_PAUSE = 10;
const PAGE_TONE = 440;
const PHONE_TONE = 1000;

const world = await World.create('flood');
after(() => world.close());

async function repeatUntil(deadline, act) {
  while (Date.now() < deadline) {
    for (let times = 0; times < BURST; times += 1) act();
    await pause(BURST_PAUSE);
  }
}

async function floodDatagrams(port, make, deadline) {
  const socket = createSocket('udp4');
  socket.on('error', () => {});
  await repeatUntil(deadline, () => socket.send(make(), port, world.tandem.address));
  socket.close();
}

/** TCP to the SIP and HTTP ports. Each connection brings one broken message. */
async function floodStreams(port, make, deadline) {
  const open = new Set();
  await repeatUntil(deadline, () => {
    if (open.size > 50) return;
    const socket = connect(port, world.tandem.address);
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    socket.setTimeout(500, () => socket.destroy());
    socket.resume().end(make());
  });
  open.forEach((socket) => socket.destroy());
}

/** WebSockets are opened in a page, which has a client for them. */
async function floodWebSockets(page, random, deadline) {
  while (Date.now() < deadline) {
    const frames = Array.from({ length: BURST }, () => malformedFrame(random));
    await page.evaluate((texts) => new Promise((resolve) => {
      const socket = new WebSocket(`ws://${location.host}/`);
      socket.onopen = () => { texts.forEach((text) => socket.send(text)); socket.close(); };
      socket.onclose = resolve;
    }), frames);
  }
}

const dropped = (metrics) => [...metrics].filter(([name]) => /drop|malformed|refused|rejected/.test(name));

world.test('a flood of malformed input beside a call', async () => {
  const random = generator(SEED);
  const { address } = world.tandem;
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE });
  await page.dial('carol');
  await page.state('talking');
  await page.hears(PHONE_TONE);
  const description = await page.page.evaluate(() => window.kit.connections.at(-1).remoteDescription.sdp);
  const mediaPort = Number(/a=candidate:\S+ 1 udp \d+ \S+ (\d+)/i.exec(description)[1]);
  // The first description in the telephone's trace is the offer that Tandem sent it.
  const telephonePort = Number(/m=audio (\d+)/.exec(telephone.process.output())[1]);
  const processes = world.tandem.children();
  const before = await world.tandem.metrics();

  const other = await world.browser.newContext();
  world.keep(other);
  const flooder = await other.newPage();
  await flooder.goto(world.tandem.page);
  const deadline = Date.now() + FLOOD_MILLISECONDS;
  await Promise.all([
    floodDatagrams(5060, () => malformedSip(address, random), deadline),
    floodDatagrams(mediaPort, () => malformedMedia(random), deadline),
    floodDatagrams(telephonePort, () => malformedMedia(random), deadline),
    floodStreams(5060, () => malformedSip(address, random), deadline),
    floodStreams(8080, () => malformedSip(address, random), deadline),
    floodWebSockets(flooder, random, deadline),
    page.hears(PHONE_TONE),
  ]);

  await page.hears(PHONE_TONE);
  assert.deepEqual(world.tandem.children(), processes, 'no process died');
  const later = await world.tandem.metrics();
  const counted = dropped(later).filter(([name, value]) => value > (before.get(name) ?? 0)).map(([name]) => name);
  assert.ok(counted.length >= 5, `drops are counted by reason: ${counted.join(', ')}`);
  assert.doesNotMatch(world.tandem.process.output(), /panicked/);
  await page.hangup();
});
