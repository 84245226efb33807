// Promise: a call goes on when the browser finds a new path, or its address changes without it knowing.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { Capture } from './lib/capture.js';
import { SipPage } from './lib/sip-page.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { World } from './lib/world.js';

const PAGE_TONE = 440;
const PHONE_TONE = 1000;

const world = await World.create('mobility');
after(() => world.close());

/** A second of tone each way, counted from now. */
function bothHear(page, telephone, options) {
  return Promise.all([page.hears(PHONE_TONE, options), telephone.hears(PAGE_TONE, options)]);
}

world.test('ICE restart from the phone page', async () => {
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE });
  await page.dial('carol');
  await page.state('talking');
  await bothHear(page, telephone);
  const before = await iceUser(page);
  await page.page.evaluate(() => window.dispatchEvent(new Event('online')));
  await page.page.waitForFunction((old) => !window.kit.connections.at(-1).remoteDescription.sdp.includes(old), before);
  await bothHear(page, telephone);
  await page.hangup();
});

world.test('ICE restart by a re-INVITE of JsSIP', async () => {
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const page = world.keep(await SipPage.open(world, 'jssip', { tone: PAGE_TONE }));
  await page.register({ user: 'bob', password: PASSWORD, domain: DOMAIN });
  await page.call(`sip:carol@${DOMAIN}`);
  await page.talking();
  await bothHear(page, telephone);
  const before = await iceUser(page);
  await page.page.evaluate(() => window.client.restartIce());
  assert.notEqual(await iceUser(page), before, 'Tandem answered with a new user fragment (RFC 8445 section 9)');
  await bothHear(page, telephone);
  await page.hangup();
});

world.test('the address of the browser changes in mid-call', async () => {
  const host = world.network.hostBehindNat();
  host.mapTo('40000-44999');
  const browser = world.keep(await launchBrowser({ origin: world.tandem.page, directory: world.directory, host }));
  const capture = world.keep(await Capture.start(world));
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE, browser });
  await page.dial('carol');
  await page.state('talking');
  await bothHear(page, telephone);
  host.mapTo('50000-54999');
  await bothHear(page, telephone, { timeout: 20_000 });
  const { sent } = await page.stats();
  await bothHear(page, telephone);
  assert.ok((await page.stats()).sent.packets > sent.packets);
  await page.hangup();
  const packets = await capture.rtp();
  const outside = `${host.router.address}:`;
  const ports = (end) => packets.filter((packet) => packet[end].startsWith(outside))
    .map((packet) => Number(packet[end].slice(outside.length)));
  const [before, after] = [(port) => port >= 40000 && port < 45000, (port) => port >= 50000 && port < 55000];
  assert.ok(ports('from').some(before) && after(ports('from').at(-1)), 'the browser was at one port, then at another');
  assert.ok(ports('to').some(before) && after(ports('to').at(-1)), 'and Tandem followed');
});

/** The user fragment that Tandem uses on the last connection. */
function iceUser({ page }) {
  return page.evaluate(() => /a=ice-ufrag:\S+/.exec(window.kit.connections.at(-1).remoteDescription.sdp)[0]);
}
