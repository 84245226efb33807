// Promise: whoever puts a call on hold takes it back, every time, and both hear each other then as before.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { longestTone, writeToneWav } from './lib/audio.js';
import { SipPage } from './lib/sip-page.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { pause, until } from './lib/wait.js';
import { WireTap } from './lib/wiretap.js';
import { World } from './lib/world.js';

const PAGE_TONE = 440;
const PHONE_TONE = 1000;
const MUSIC_TONE = 650;
const ROUNDS = 20;
/** How long a hold lasts, in milliseconds: long enough for every packet of before to have been heard. */
const HELD = 400;
/** The same for what the wire says: tshark tells of packets up to a second later. */
const SETTLED = 1500;

const announcements = mkdtempSync(join(tmpdir(), 'tandem-e2e-music-'));
writeToneWav(join(announcements, 'waltz.wav'), { frequency: MUSIC_TONE, seconds: 2, rate: 8000 });

const world = await World.create('hold', {
  media: `announcements = "${announcements}"`,
  extra: `[hold]
sip_music = "waltz.wav"`,
});
after(async () => {
  await world.close();
  rmSync(announcements, { recursive: true });
});

/** A telephone, and what it is sent. */
async function telephoneOf(user) {
  const host = world.network.host();
  const wire = world.keep(await WireTap.start(world, host));
  return { wire, telephone: await world.telephone({ user, host, tone: PHONE_TONE, codecs: 'PCMA/8000/1' }) };
}

/** Each end hears a second of the other's tone, from now on. */
function bothHear(page, wire) {
  return Promise.all([page.hears(PHONE_TONE, { timeout: 15_000 }), wire.hears(PAGE_TONE, { timeout: 15_000 })]);
}

/** Neither end hears the other. */
async function neitherHears(page, wire) {
  await pause(SETTLED);
  await page.page.evaluate(() => window.kit.forget());
  const atTelephone = await wire.secondsWithin(PAGE_TONE, 700);
  const atPage = longestTone(await page.recording(0.6), PHONE_TONE);
  assert.ok(atTelephone < 0.2 && atPage < 0.2, `on hold ${atTelephone} s and ${atPage} s were heard`);
}

/** The first of the holds is looked at more closely. */
async function holdsAgainAndAgain({ page, wire, hold, resume, check }) {
  await bothHear(page, wire);
  for (let round = 1; round <= ROUNDS; round++) {
    await hold();
    if (round === 1) {
      await neitherHears(page, wire);
      await check?.();
    } else await pause(HELD);
    await resume();
    await bothHear(page, wire).catch((error) => {
      throw new Error(`after hold number ${round}: ${error.message}`, { cause: error });
    });
  }
}

/** Gives a command, and waits for the answer to the re-INVITE that comes of it. */
async function command(telephone, name) {
  const before = telephone.acknowledged();
  telephone.command(name);
  await until(`the answer to ${name}`, () => telephone.acknowledged() > before);
}

async function pageHolds() {
  const { wire } = await telephoneOf('carol');
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE });
  await page.dial('carol');
  await page.state('talking');
  const press = () => page.press('Hold');
  await holdsAgainAndAgain({ page, wire, hold: press, resume: press });
  await page.hangup();
}

async function telephoneHolds() {
  const { telephone, wire } = await telephoneOf('dave');
  const page = await world.phone({ user: 'bob', tone: PAGE_TONE });
  telephone.dial('bob');
  await page.answer();
  await page.state('talking');
  await holdsAgainAndAgain({
    page,
    wire,
    hold: () => command(telephone, 'hold'),
    resume: () => command(telephone, 'resume'),
    check: async () => {
      await page.page.getByText('put you on hold').waitFor();
      await page.hears(MUSIC_TONE);
    },
  });
  await page.hangup();
}

/** JsSIP; at the end both ends hold at once. */
async function clientHolds() {
  const { telephone, wire } = await telephoneOf('erin');
  const page = world.keep(await SipPage.open(world, 'jssip', { tone: PAGE_TONE }));
  await page.register({ user: 'frank', password: PASSWORD, domain: DOMAIN });
  await page.call(`sip:erin@${DOMAIN}`);
  await page.talking();
  await holdsAgainAndAgain({ page, wire, hold: () => page.hold(), resume: () => page.resume() });
  await page.hold();
  await command(telephone, 'hold');
  await page.resume();
  await neitherHears(page, wire);
  await command(telephone, 'resume');
  await bothHear(page, wire);
  await page.hangup();
}

world.test('the page, a telephone and JsSIP each hold the other end 20 times', async () => {
  await Promise.all([pageHolds(), telephoneHolds(), clientHolds()]);
  const isFault = ([name, value]) => /srtp_(replay|authentication)/.test(name) && value > 0;
  assert.deepEqual([...await world.tandem.metrics()].filter(isFault), [], 'no packet came twice or could not be read');
}, { timeout: 170_000 });
