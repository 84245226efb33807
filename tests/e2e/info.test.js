// Promise: digits reach each party in the way that is configured, whatever way they came.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { digitsHeard } from './lib/audio.js';
import { Capture, eventsOf } from './lib/capture.js';
import { pause, until } from './lib/wait.js';
import { World } from './lib/world.js';

const DIGITS = '147*2580#';
/** Between two digits, in milliseconds. */
const GAP = 500;

const info = await World.create('info', { extra: '[dtmf]\nsip = "info"' });
const inband = await World.create('inband', { extra: '[dtmf]\nsip = "inband"' });
after(async () => {
  await info.close();
  await inband.close();
});

/** A page and a silent telephone that talk. */
async function talking(world, codecs) {
  const telephone = await world.telephone({ user: 'carol', tone: 0, codecs, dtmf: 'info' });
  const capture = world.keep(await Capture.start(world));
  const page = await world.phone({ user: 'alice', tone: 3000 });
  await page.dial('carol');
  await page.state('talking');
  await telephone.event('CALL_RTPESTAB');
  return { telephone, capture, page };
}

async function pressAll(page) {
  for (const digit of DIGITS) {
    await page.page.keyboard.press(digit);
    await pause(GAP);
  }
}

for (const codecs of ['opus/48000/1', 'PCMU/8000/1']) {
  info.test(`by INFO, both ways, in a call in ${codecs}`, async () => {
    const { telephone, capture, page } = await talking(info, codecs);
    await pressAll(page);
    const pressed = () => telephone.events
      .filter(({ type }) => type === 'CALL_DTMF_START').map(({ param }) => param).join('');
    await until('all digits arrive', () => pressed().length >= DIGITS.length);
    assert.equal(pressed(), DIGITS);

    await page.page.evaluate(() => window.kit.forget());
    for (const digit of DIGITS) {
      telephone.command('sndcode', digit);
      await pause(GAP);
    }
    const heard = async () => digitsHeard(await page.recording(30));
    await until('the page hears the digits', async () => (await heard()).length >= DIGITS.length)
      .catch(async (error) => assert.equal(await heard(), DIGITS, error.message));
    assert.equal(await heard(), DIGITS);

    const packets = (await capture.rtp()).filter(({ to }) => to.startsWith(`${telephone.host.address}:`));
    assert.deepEqual(eventsOf(packets, [101]), [], 'the telephone is sent no events');
  });

  inband.test(`as tones, in a call in ${codecs}`, async () => {
    const { telephone, capture, page } = await talking(inband, codecs);
    await pressAll(page);
    await pause(GAP);
    const packets = (await capture.rtp()).filter(({ to }) => to.startsWith(`${telephone.host.address}:`));
    assert.deepEqual(eventsOf(packets, [101]), [], 'the telephone is sent no events');
    await page.hangup();
    await telephone.event('CALL_CLOSED');
    assert.equal(digitsHeard(telephone.heard()), DIGITS);
  });
}
