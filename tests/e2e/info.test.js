// Promise: digits reach a telephone in the way that is configured, whatever way they came.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { digitsHeard } from './lib/audio.js';
import { Capture, eventsOf } from './lib/capture.js';
import { SipPage } from './lib/sip-page.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { pause, until } from './lib/wait.js';
import { World } from './lib/world.js';

/** All that RFC 4733 section 3.2 has; a page's keyboard has no letters for keys. */
const DIGITS = { page: '1234567890*#', jssip: '1234567890*#ABCD' };
/** Between two digits, in milliseconds. */
const GAP = 300;

const worlds = new Map();
for (const method of ['rtpevent', 'info', 'inband']) {
  const extra = method === 'rtpevent' ? '' : `[dtmf]\nsip = "${method}"`;
  worlds.set(method, await World.create(method, { extra }));
}
after(async () => {
  for (const world of worlds.values()) await world.close();
});

/** Who presses the keys: the phone page tells Tandem which, by its own protocol; JsSIP sends INFO. */
const CALLERS = {
  async page(world) {
    const page = await world.phone({ user: 'alice', tone: 3000 });
    await page.dial('carol');
    await page.state('talking');
    return async () => {
      for (const digit of DIGITS.page) {
        await page.page.keyboard.press(digit);
        await pause(GAP);
      }
    };
  },
  async jssip(world) {
    const jssip = world.keep(await SipPage.open(world, 'jssip', { tone: 3000 }));
    await jssip.register({ user: 'alice', password: PASSWORD, domain: DOMAIN });
    await jssip.call(`sip:carol@${DOMAIN}`);
    await jssip.talking();
    return async () => {
      await jssip.page.evaluate(([digits, gap]) => window.client.sendDigits(digits, gap), [DIGITS.jssip, GAP]);
      await pause(DIGITS.jssip.length * (GAP + 100));
    };
  },
};

/** What the telephone's program took for keys: events and INFO. */
const pressedAt = (telephone) => telephone.events
  .filter(({ type }) => type === 'CALL_DTMF_START').map(({ param }) => param).join('');

/** @param {string} awaited what the telephone's program is to take for keys; a loaded machine brings them late */
async function sentBy(caller, world, codecs, awaited) {
  // The telephone is silent: what it hears is the caller alone.
  const telephone = await world.telephone({ user: 'carol', tone: 0, codecs });
  const capture = world.keep(await Capture.start(world));
  const press = await CALLERS[caller](world);
  await telephone.event('CALL_RTPESTAB');
  await press();
  // What is missing then is shown by whoever compares.
  await until('all keys have come', () => pressedAt(telephone).length >= awaited.length).catch(() => null);
  await pause(GAP);
  const packets = (await capture.rtp()).filter(({ to }) => to.startsWith(`${telephone.host.address}:`));
  return { telephone, events: eventsOf(packets, [101]).map(({ digit }) => digit).join('') };
}

for (const caller of Object.keys(CALLERS)) {
  const digits = DIGITS[caller];
  for (const codecs of ['opus/48000/1', 'PCMU/8000/1']) {
    worlds.get('rtpevent').test(`${caller} to events, in a call in ${codecs}`, async () => {
      const { telephone, events } = await sentBy(caller, worlds.get('rtpevent'), codecs, digits);
      assert.deepEqual([events, pressedAt(telephone)], [digits, digits]);
    });

    worlds.get('info').test(`${caller} to INFO, in a call in ${codecs}`, async () => {
      const { telephone, events } = await sentBy(caller, worlds.get('info'), codecs, digits);
      assert.deepEqual([events, pressedAt(telephone)], ['', digits]);
    });

    worlds.get('inband').test(`${caller} to tones, in a call in ${codecs}`, async () => {
      const { telephone, events } = await sentBy(caller, worlds.get('inband'), codecs, '');
      assert.deepEqual([events, pressedAt(telephone)], ['', '']);
      telephone.hangup();
      await telephone.event('CALL_CLOSED');
      await until('the telephone has heard the digits', () => digitsHeard(telephone.heard()) === digits, { timeout: 2_000 })
        .catch(() => assert.equal(digitsHeard(telephone.heard()), digits));
    });
  }
}
