// Promise: callers hear how their call goes: what the callee says before it answers and, where it is configured, ring-back
// and why it fails.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { toneWindows, writeAlawTone } from './lib/audio.js';
import { startSipp } from './lib/sipp.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { pause } from './lib/wait.js';
import { World } from './lib/world.js';

const PAGE_TONE = 300;
const PHONE_TONE = 1000;
/** In France: 1.5 s on, 3.5 s off while it rings; 0.5 s on, 0.5 s off where it is busy. */
const FRENCH_TONE = 440;

const world = await World.create('progress', {
  extra: `[tones]
country = "fr"
browser_ring_back = true
browser_failure_seconds = 4`,
});
after(() => world.close());

async function ringing() {
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE, codecs: 'PCMA/8000/1', answer: 'manual' });
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE });
  await page.dial('carol');
  await telephone.event('CALL_INCOMING');
  return { telephone, page };
}

world.test('ring-back until the telephone answers, then speech both ways', async () => {
  const { telephone, page } = await ringing();
  await page.hears(FRENCH_TONE, { timeout: 15_000 });
  telephone.command('accept');
  await page.state('talking');
  await page.hears(PHONE_TONE);
  await telephone.hears(PAGE_TONE);
  const heard = toneWindows(await page.recording(5), FRENCH_TONE).filter(Boolean);
  assert.equal(heard.length, 0, 'the tone has ended');
  await page.hangup();
});

world.test('the busy tone before the call is refused', async () => {
  const { telephone, page } = await ringing();
  await page.hears(FRENCH_TONE, { timeout: 15_000 });
  telephone.hangup();
  await page.page.evaluate(() => window.kit.forget());
  await pause(3_500);
  const windows = toneWindows(await page.recording(3), FRENCH_TONE);
  const share = windows.filter(Boolean).length / windows.length;
  const picture = windows.map((window) => (window ? '#' : '.')).join('');
  assert.ok(share > 0.3 && share < 0.65, `half of the time is tone: ${picture}`);
  assert.match(picture, /#\.+#\.*/, 'on and off, again and again');
  await page.state('idle');
});

/** A telephone that is heard from the moment of its 183 on: a second of one tone, then another. */
async function earlyTelephone(user, first) {
  const directory = join(world.directory, 'early');
  mkdirSync(directory);
  writeAlawTone(join(directory, 'tone.alaw'), PHONE_TONE, 30, first);
  const host = world.network.host();
  const start = (scenario, args) => world.keep(startSipp({
    name: scenario, scenario, directory, host, server: world.tandem.address, keys: { domain: DOMAIN },
    args: ['-s', user, '-m', '1', '-ap', PASSWORD, ...args],
  }));
  assert.equal(await start('register', ['-au', user, '-auth_uri', DOMAIN]).ended, 0);
  return start('early', []);
}

world.test('what is said while it rings is heard from its first packet on', async () => {
  const first = 700;
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE });
  const telephone = await earlyTelephone('dave', first);
  await page.dial('dave');
  await page.hears(PHONE_TONE);
  const windows = toneWindows(await page.recording(10), first);
  const picture = windows.map((window) => (window ? '#' : '.')).join('');
  // What comes before the browser has done its checks and its handshake nobody can give to it.
  assert.ok(windows.filter(Boolean).length >= 8, `of the first second was heard: ${picture}`);
  await page.state('talking');
  await page.hears(PHONE_TONE);
  await page.hangup();
  assert.equal(await telephone.ended, 0);
});
