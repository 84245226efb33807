// Promise: messages go between browsers and telephones in either direction, whatever they speak, and wait for whoever is
// away, also over a crash. Whoever may see it sees who is in a call.
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { SipPage } from './lib/sip-page.js';
import { DOMAIN, PASSWORD, Tandem } from './lib/tandem.js';
import { until } from './lib/wait.js';
import { WcsSocket } from './lib/wcs-messages.js';
import { World } from './lib/world.js';

const TEXT = 'Grüße, 日本語 und 🎉: "quoted" <b>&amp;</b>';
/** 1,300 bytes, most of them in characters of two and three bytes. */
const LONG = 'äöü日'.repeat(144) + '1234';
assert.equal(Buffer.byteLength(LONG), 1_300);

const world = await World.create('messages', { browser: true });
after(() => world.close());

/** What baresip's control takes in one command. */
const SHORTER = LONG.slice(0, 360);

/** Opens each kind of client, logged in, with `write(to, text)`, `read()` for what came, and `leave()`. */
const CLIENTS = {
  async jssip(user) {
    const page = world.keep(await SipPage.open(world, 'jssip', { tone: 440 }));
    await page.register({ user, password: PASSWORD, domain: DOMAIN });
    return {
      write: (to, text) => page.page.evaluate(([target, body]) => window.client.write(target, body), [`sip:${to}@${DOMAIN}`, text]),
      read: () => page.page.evaluate(() => window.client.messages),
      leave: () => page.page.evaluate(() => window.client.leave()),
      page,
    };
  },
  async baresip(user, other) {
    const telephone = await world.telephone({ user, tone: 0, contact: other });
    return {
      write: async (_, text) => telephone.command('message', text),
      read: async () => telephone.messages(),
      longest: SHORTER,
      leave: () => telephone.stop(),
      telephone,
    };
  },
  async wcs(user) {
    const socket = world.keep(await WcsSocket.open(world));
    await socket.login({ user, password: PASSWORD, domain: DOMAIN });
    return {
      write: (to, text) => socket.write(to, text),
      read: () => socket.messages(),
      leave: () => socket.close(),
      socket,
    };
  },
};

async function arrives(client, text) {
  let texts = [];
  await until('the message arrives', async () => {
    texts = await client.read();
    return texts.includes(text);
  }).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(texts)}`));
  assert.equal(texts.filter((each) => each === text).length, 1, 'once');
}

for (const [one, other] of [['jssip', 'baresip'], ['jssip', 'wcs'], ['wcs', 'baresip']]) {
  world.test(`${one} and ${other} write to each other`, async () => {
    const [alice, carol] = await Promise.all([CLIENTS[one]('alice', 'carol'), CLIENTS[other]('carol', 'alice')]);
    for (const [there, back] of [[TEXT, TEXT], [LONG, carol.longest ?? LONG]]) {
      await Promise.all([alice.write('carol', there), carol.write('alice', back)]);
      await Promise.all([arrives(alice, back), arrives(carol, there)]);
    }
  });
}

for (const recipient of Object.keys(CLIENTS)) {
  world.test(`messages wait for ${recipient} who is away`, async () => {
    const sender = await CLIENTS.wcs('alice');
    const texts = ['first', TEXT, LONG];
    for (const text of texts) await sender.write('bob', text);
    await until('they are kept', async () => (await world.tandem.metrics()).get('tandem_switch_messages_waiting') === texts.length);
    const bob = await CLIENTS[recipient]('bob', 'alice');
    for (const text of texts) await arrives(bob, text);
    assert.deepEqual(await bob.read(), texts, 'in the order they were sent');
    await until('none is kept', () => readdirSync(join(world.directory, 'state', 'messages')).length === 0);
  });
}

world.test('who asks is told of the delivery, by a telephone that knows nothing of it too', async () => {
  const [alice, carol] = await Promise.all([CLIENTS.wcs('alice'), CLIENTS.baresip('carol', 'alice')]);
  const id = await alice.socket.write('carol', TEXT, { notify: true });
  await arrives(carol, TEXT);
  await until('the delivery is told', async () => (await alice.socket.states(id)).includes('IMDN_DELIVERED'));
  assert.deepEqual((await alice.socket.states(id)).toSorted(), ['ACCEPTED', 'IMDN_DELIVERED', 'SENT']);
});

world.test('a lamp of JsSIP and one of WCS follow a call between telephones', async () => {
  const watcher = await CLIENTS.jssip('erin');
  const socket = await CLIENTS.wcs('frank');
  const [caller] = await Promise.all([
    world.telephone({ user: 'alice', tone: 440 }), world.telephone({ user: 'carol', tone: 1000 }),
  ]);
  await watcher.page.page.evaluate((target) => window.client.watch(target), `sip:carol@${DOMAIN}`);
  await socket.socket.say('subscribe', { event: 'dialog', to: 'carol', expires: 600 });
  const lamps = async () => [
    await watcher.page.page.evaluate(() => window.client.lamps.at(-1)),
    /<state>(.*?)<\/state>/.exec((await socket.socket.frames('notifySubscription')).at(-1)?.requestBody ?? '')?.[1] ?? '',
  ];
  const show = (expected) => until(`the lamps show ${expected}`, async () => (await lamps()).join() === expected)
    .catch(async (error) => assert.fail(`${error.message}: ${JSON.stringify(await lamps())}`));
  await show(',');
  caller.dial('carol');
  await show('recipient confirmed,confirmed');
  caller.hangup();
  await show(',');
});

// The last test: it ends the Tandem of the others.
world.test('what is kept survives a crash, and is closed to others', async () => {
  const sender = await CLIENTS.jssip('alice');
  await sender.write('dave', TEXT);
  const directory = join(world.directory, 'state', 'messages');
  await until('it is on disk', () => readdirSync(directory).some((name) => name.endsWith('.message')));
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  for (const name of readdirSync(directory)) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  for (const [, pid] of world.tandem.children()) process.kill(pid, 'SIGKILL');
  await world.tandem.stop();
  world.tandem = world.keep(await Tandem.start({ address: world.network.address, directory: world.directory }));
  const dave = await CLIENTS.baresip('dave', 'alice');
  await arrives(dave, TEXT);
  const log = world.tandem.process.output();
  assert.ok(!log.includes('Grüße') && !log.includes(PASSWORD), 'no message and no password is in the log');
});
