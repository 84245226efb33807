// Promise: with an account at a VoIP provider, Tandem registers there for the page, calls through it and is called.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { PhonePage } from './lib/browser.js';
import { PROVIDER_DOMAIN, PROVIDER_PASSWORD, startKamailio } from './lib/kamailio.js';
import { World } from './lib/world.js';

const PAGE_TONE = 440;
const PHONE_TONE = 1000;
const PROVIDER = { domain: PROVIDER_DOMAIN, password: PROVIDER_PASSWORD };

const world = await World.create('provider');
after(() => world.close());

async function atProvider() {
  const host = world.network.host();
  world.keep(await startKamailio({ directory: world.directory, host }));
  const telephone = await world.telephone({ user: 'phone', tone: PHONE_TONE, server: host.address, ...PROVIDER });
  return { telephone, account: { ...PROVIDER, proxy: host.address } };
}

world.test('a page calls a telephone through its provider, and is called', async () => {
  const { telephone, account } = await atProvider();
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  await page.dial('phone');
  await page.state('talking');
  await Promise.all([page.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  await page.hangup();
  await telephone.event('CALL_CLOSED');

  telephone.dial('customer');
  await page.answer();
  await page.state('talking');
  await Promise.all([page.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  telephone.hangup();
  await page.says('phone hung up.');
  await telephone.event('CALL_CLOSED');
});

world.test('logging out takes the registration back', async () => {
  const { telephone, account } = await atProvider();
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  await page.press('Log out');
  telephone.dial('customer');
  const closed = await telephone.event('CALL_CLOSED');
  assert.match(closed.param, /404/);
});

world.test('a wrong password at the provider is told in words', async () => {
  const { account } = await atProvider();
  const page = world.keep(await PhonePage.open(world.browser, { tone: PAGE_TONE }));
  await page.login(world.tandem.page, { ...account, user: 'customer', password: 'wrong' });
  await page.says('The user or the password is wrong.', 15_000);
});

world.test('a number that the provider does not know is told in words', async () => {
  const { account } = await atProvider();
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  await page.dial('12345');
  await page.says('12345 does not exist.');
});
