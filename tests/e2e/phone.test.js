// Promise: a browser and a SIP telephone call each other, in the codec that both speak, with and without encryption.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { World } from './lib/world.js';

const PAGE_TONE = 440;
const PHONE_TONE = 1000;

const world = await World.create('phone');
after(() => world.close());

/** Calls in the given direction, listens at both ends, hangs up at the end that was called. */
async function bothHear(page, telephone, { direction, name }) {
  if (direction === 'out') await page.dial(name);
  else {
    telephone.dial('alice');
    await page.answer();
  }
  await page.state('talking');
  await Promise.all([page.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  const stats = await page.stats();
  if (direction === 'out') {
    telephone.hangup();
    await page.says(`${name} hung up.`);
  } else await page.hangup();
  await telephone.event('CALL_CLOSED');
  return stats;
}

const CASES = [
  { title: 'Opus end to end', codecs: 'opus/48000/1', spoken: 'audio/opus' },
  { title: 'PCMU, which the browser speaks too', codecs: 'PCMU/8000/1', spoken: 'audio/PCMU' },
  { title: 'PCMA, which the browser speaks too', codecs: 'PCMA/8000/1', spoken: 'audio/PCMA' },
  { title: 'PCMU, transcoded for a browser held to Opus', codecs: 'PCMU/8000/1', held: ['opus'], spoken: 'audio/opus' },
  { title: 'PCMA, transcoded for a browser held to Opus', codecs: 'PCMA/8000/1', held: ['opus'], spoken: 'audio/opus' },
  { title: 'G.722, which the browser speaks too', codecs: 'G722/16000/1', spoken: 'audio/G722' },
  { title: 'G.722, transcoded for a browser held to Opus', codecs: 'G722/16000/1', held: ['opus'], spoken: 'audio/opus' },
  { title: 'PCMA, transcoded for a browser held to G.722', codecs: 'PCMA/8000/1', held: ['g722'], spoken: 'audio/G722' },
  { title: 'SDES', name: 'sdes', encryption: 'srtp-mand', codecs: 'opus/48000/1', spoken: 'audio/opus' },
  { title: 'DTLS-SRTP', name: 'dtls', encryption: 'dtls_srtp', codecs: 'opus/48000/1', spoken: 'audio/opus' },
];

for (const { title, name = 'carol', codecs, held, encryption, spoken } of CASES) {
  for (const direction of ['out', 'in']) {
    world.test(`${direction === 'out' ? 'browser to telephone' : 'telephone to browser'}: ${title}`, async () => {
      const telephone = await world.telephone({ user: name, tone: PHONE_TONE, codecs, encryption });
      const page = await world.phone({ user: 'alice', tone: PAGE_TONE, codecs: held });
      const stats = await bothHear(page, telephone, { direction, name });
      assert.equal(stats.sent.codec, spoken);
      assert.equal(stats.received.codec, spoken);
      assert.ok(stats.transport.srtp, 'the media to the browser is encrypted');
    });
  }
}
