// Promise: a telephone shows who of its contacts is there and who talks; and somebody else answers a call that rings, by what
// the dialog package tells.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startSipp } from './lib/sipp.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { World } from './lib/world.js';

const TONES = { alice: 440, bob: 1000 };
const PATIENCE = { timeout: 20_000 };

const world = await World.create('presence', { extra: '[presence]\npickup = true\n' });
after(() => world.close());

world.test('a telephone sees a contact log in, talk, hang up and leave', async () => {
  const watcher = await world.telephone({ user: 'carol', tone: 700, watched: 'alice' });
  await watcher.toldOf('closed');
  const alice = await world.phone({ user: 'alice', tone: TONES.alice });
  await watcher.sees('alice', 'Online');
  const bob = await world.telephone({ user: 'bob', tone: TONES.bob });
  await alice.dial('bob');
  await alice.state('talking');
  await watcher.sees('alice', 'Busy');
  await Promise.all([alice.hears(TONES.bob, PATIENCE), bob.hears(TONES.alice, PATIENCE)]);
  await alice.hangup();
  await watcher.sees('alice', 'Online');
  await alice.close();
  await watcher.sees('alice', 'Offline');
});

/** Alice calls bob, who rings; carol picks the call up, and alice hangs up. Bob does not ring any more. */
async function pickedUp(name, { rings, rests }) {
  const alice = await world.phone({ user: 'alice', tone: TONES.alice });
  await alice.dial('bob');
  await Promise.all([alice.state('alerting'), rings()]);
  // What it hears it sends back: alice hears herself if both ways are there.
  const sipp = world.keep(startSipp({
    name, scenario: 'pickup', directory: world.directory, host: world.network.host(), server: world.tandem.address,
    keys: { user: 'carol', of: 'bob', domain: DOMAIN },
    args: ['-m', '1', '-au', 'carol', '-ap', PASSWORD, '-rtp_echo', '-timeout', '40s'],
  }));
  await Promise.all([alice.state('talking', PATIENCE.timeout), rests()]);
  await alice.hears(TONES.alice, PATIENCE);
  await alice.hangup();
  assert.equal(await sipp.ended, 0, sipp.output());
}

world.test('somebody picks up a call that rings at another telephone', async () => {
  const bob = await world.telephone({ user: 'bob', tone: TONES.bob, answer: 'manual' });
  await pickedUp('pickup', { rings: () => bob.event('CALL_INCOMING'), rests: () => bob.event('CALL_CLOSED', PATIENCE) });
});

world.test('somebody picks up a call that rings at a page', async () => {
  const bob = await world.phone({ user: 'bob', tone: TONES.bob });
  await pickedUp('pickup-page', { rings: () => bob.state('incoming'), rests: () => bob.state('idle', PATIENCE.timeout) });
});
