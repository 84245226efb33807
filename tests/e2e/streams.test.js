// Promise: what a browser publishes under a name, others play with the unmodified client of WCS 5: its sound and its
// pictures, those who come later within half a second; they are told what the publisher says, and that it ended.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { VideoPage } from './lib/video.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const TONE = 440;
const COLOUR = 'teal';
/** Pictures a second that the publisher's camera gives. */
const RATE = 15;
/** From the moment that a player's media flows until it shows a picture; on a machine with other things to do in one of so many tries. */
const START_MS = 500 + 1000 / RATE;
const TRIES = 3;

const world = await World.create('streams');
after(() => world.close());

/** A page of the npm client; its camera sees teal, those of players are not used. */
async function open(user, { password = PASSWORD, codec } = {}) {
  const page = world.keep(await VideoPage.open(world, { library: 'websdk', tone: TONE, colour: COLOUR, rate: RATE, codec }));
  await page.page.evaluate((account) => window.client.connect(account), { server: page.server, user, password, domain: DOMAIN });
  return page;
}

const does = (page, what, ...values) => page.page.evaluate(([name, list]) => window.client[name](...list), [what, values]);

/** What a page knows of its last stream. */
const end = (page) => page.page.evaluate(() => JSON.parse(JSON.stringify(window.client.streams.at(-1))));

/** Waits until a page's last stream stands so; the words beside it. */
async function stands(page, status) {
  let now;
  await until(`a stream that is ${status}`, async () => {
    now = await end(page);
    return now.status === status;
  }).catch((error) => {
    throw new Error(`the stream is ${JSON.stringify(now)}, not ${status}: ${page.console.slice(-20).join('\n')}`, { cause: error });
  });
  return now.info;
}

async function publishes(page, name) {
  await does(page, 'publish', name);
  await stands(page, 'PUBLISHING');
}

async function plays(page, name) {
  await does(page, 'play', name);
  await stands(page, 'PLAYING');
}

async function seesAndHears(page, codec) {
  await Promise.all([page.sees(COLOUR), page.hears(TONE)]);
  assert.equal((await page.videoStats()).received.codec, `video/${codec}`);
}

/** Plays a stream. @returns {Promise<number>} milliseconds from its connection to its first picture */
const startsToPlay = (page, name) => page.page.evaluate(async (stream) => {
  const { kit, client } = window;
  const becomes = async (condition) => {
    while (!condition()) await new Promise((resolve) => { setTimeout(resolve, 5); });
    return performance.now();
  };
  const before = kit.connections.length;
  delete kit.video.shown;
  client.play(stream);
  const connected = await becomes(() => kit.connections.length > before && kit.connections.at(-1).connectionState === 'connected');
  return await becomes(() => kit.video.shown?.length) - connected;
}, name);

const count = async (name) => (await world.tandem.metrics()).get(`tandem_switch_${name}`);

world.test('one publishes, two play; one of them leaves, and the publisher stops', async () => {
  const publisher = await open('alice');
  await publishes(publisher, 'Küche');
  const [one, other] = await Promise.all(['bob', 'carol'].map((user) => open(user)));
  for (const player of [one, other]) {
    assert.equal(await does(player, 'available', 'Küche'), true);
    await plays(player, 'Küche');
  }
  await Promise.all([seesAndHears(one, 'H264'), seesAndHears(other, 'H264')]);
  assert.deepEqual([await count('streams_published'), await count('streams_played')], [1, 2]);
  await until('the size', async () => (await end(one)).size?.width === 320);
  assert.equal((await end(one)).size.height, 240);

  await does(publisher, 'sendData', { count: 23 });
  await does(publisher, 'muteVideo');
  for (const player of [one, other]) {
    await until('two events', async () => (await end(player)).events.length === 2);
    const [data, muted] = (await end(player)).events;
    assert.deepEqual([data.type, data.payload, muted.type], ['data', { count: 23 }, 'videoMuted']);
  }

  await does(one, 'stopStream');
  assert.equal(await stands(one, 'STOPPED'), 'Stopped by user');
  await other.hears(TONE);
  await does(publisher, 'stopStream');
  assert.equal(await stands(publisher, 'UNPUBLISHED'), 'Stopped by user');
  assert.equal(await stands(other, 'STOPPED'), 'Stopped by publisher stop');
  assert.deepEqual([await count('streams_published'), await count('streams_played')], [0, 0]);
});

world.test('who comes later has a picture at once', async () => {
  const publisher = await open('alice', { codec: 'VP8' });
  await publishes(publisher, 'cam');
  const first = await open('bob');
  await plays(first, 'cam');
  await seesAndHears(first, 'VP8');
  const late = await open('carol');
  const took = [];
  do {
    if (took.length) {
      await does(late, 'stopStream');
      await stands(late, 'STOPPED');
    }
    took.push(await startsToPlay(late, 'cam'));
  } while (took.at(-1) > START_MS && took.length < TRIES);
  assert.ok(took.at(-1) <= START_MS, `a picture after ${took} ms`);
  await seesAndHears(late, 'VP8');
  // The page goes away with everything that it publishes.
  await publisher.close();
  for (const player of [first, late]) assert.equal(await stands(player, 'STOPPED'), 'Stopped by session disconnect');
});

world.test('what cannot be had is refused in words', async () => {
  const publisher = await open('alice');
  await publishes(publisher, 'cam');
  const user = await open('bob');
  const refused = async (page, what, name) => {
    await does(page, what, name);
    return stands(page, 'FAILED');
  };
  assert.equal(await refused(user, 'play', 'none'), 'Stream not found');
  assert.equal(await does(user, 'available', 'none'), 'Stream not found');
  assert.equal(await refused(user, 'publish', 'cam'), 'Stream name is already in use');
  assert.match(await refused(user, 'play', 'x'.repeat(129)), /1 to 128 printable characters/);
  await does(user, 'snapshot', 'cam');
  await until('the failure of the snapshot', async () => (await end(user)).events.length);
  const [{ type, payload }] = (await end(user)).events;
  assert.deepEqual([type, payload.info], ['snapshotFailed', 'This server forwards pictures undecoded, and makes no image of them']);
  const stranger = await open('carol', { password: 'wrong' });
  assert.equal(await refused(stranger, 'play', 'cam'), 'Log in first');
  assert.equal(await refused(stranger, 'publish', 'other'), 'Log in first');
});
