// Promise: every digit that is pressed arrives, once.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { digitsHeard } from './lib/audio.js';
import { Capture, eventsOf } from './lib/capture.js';
import { pause, until } from './lib/wait.js';
import { World } from './lib/world.js';

const DIGITS = '1234567890*#';
/** Between two digits; the telephone needs about 200 ms for each. */
const GAP = 350;

const world = await World.create('dtmf');
after(() => world.close());

const digitsAt = (telephone) => telephone.events
  .filter(({ type }) => type === 'CALL_DTMF_START').map(({ param }) => param).join('');

for (const [title, codecs] of [['Opus', 'opus/48000/1'], ['PCMU', 'PCMU/8000/1']]) {
  world.test(`from the page to a telephone, and back, in a call in ${title}`, async () => {
    // The telephone is silent, so that the digits can be heard at the page.
    const telephone = await world.telephone({ user: 'carol', tone: 0, codecs });
    const capture = world.keep(await Capture.start(world));
    const page = await world.phone({ user: 'alice', tone: 440 });
    await page.dial('carol');
    await page.state('talking');
    await telephone.event('CALL_RTPESTAB');

    for (const digit of DIGITS) await page.page.keyboard.press(digit);
    await until('all digits arrive', () => digitsAt(telephone).length >= DIGITS.length, { timeout: 15_000 });
    await pause(GAP);
    assert.equal(digitsAt(telephone), DIGITS);

    await page.page.evaluate(() => window.kit.forget());
    for (const digit of DIGITS) {
      telephone.command('sndcode', digit);
      await pause(GAP);
    }
    const heard = async () => digitsHeard(await page.recording(30));
    await until('the page hears the digits', async () => (await heard()).length >= DIGITS.length)
      .catch(async (error) => assert.equal(await heard(), DIGITS, error.message));
    assert.equal(await heard(), DIGITS);

    const { ssrc: source } = (await page.stats()).received;
    // What was on the wire: each digit is one event, to the telephone in full, to the page under SRTP.
    const packets = await capture.rtp();
    const toTelephone = eventsOf(packets.filter(({ to }) => to.startsWith(`${telephone.host.address}:`)), [101]);
    assert.equal(toTelephone.map(({ digit }) => digit).join(''), DIGITS);
    for (const event of toTelephone) {
      assert.ok(event.ends >= 3, 'RFC 4733 section 2.5.1.4: the end is told three times');
      assert.ok(event.durations.every((length, index) => index === 0 || length >= event.durations[index - 1]));
    }
    const toPage = eventsOf(packets.filter((packet) => packet.source === source), [110, 126]);
    assert.equal(toPage.length, DIGITS.length);
  });
}
