// Promise: where it is configured, callers hear how their call goes: ring-back, and why it fails.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { toneWindows } from './lib/audio.js';
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
