// Promise: with an account at a VoIP provider, Tandem registers there for the page, calls through it and is called; several
// accounts of a browser or of a user are served at once, and where a provider's first server is down its next one is.
// Whoever is at a provider may take a call over from somebody else there and, where that is switched on, transfer its
// accounts within its domain, and join two of them.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { writeAlawTone } from './lib/audio.js';
import { PhonePage } from './lib/browser.js';
import { NameServer } from './lib/dns.js';
import { startKamailio } from './lib/kamailio.js';
import { atProvider, PHONE_TONE, PROVIDER } from './lib/provider.js';
import { startSipp } from './lib/sipp.js';
import { Tandem } from './lib/tandem.js';
import { until } from './lib/wait.js';
import { WireTap } from './lib/wiretap.js';
import { World } from './lib/world.js';

const PAGE_TONE = 440;

const world = await World.create('provider', {
  extra: (address) => `[dns]\nservers = ["${address}"]`, providers: 'accept_transfers = true',
});
after(() => world.close());

world.test('a page calls a telephone through its provider, and is called', async () => {
  const { telephone, account } = await atProvider(world);
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
  const { telephone, account } = await atProvider(world);
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  await page.press('Log out');
  telephone.dial('customer');
  const closed = await telephone.event('CALL_CLOSED');
  assert.match(closed.param, /404/);
});

world.test('a wrong password at the provider is told in words', async () => {
  const { account } = await atProvider(world);
  const page = world.keep(await PhonePage.open(world.browser, { tone: PAGE_TONE }));
  await page.login(world.tandem.page, { ...account, user: 'customer', password: 'wrong' });
  await page.says('The user or the password is wrong.', 15_000);
});

world.test('a number that the provider does not know is told in words', async () => {
  const { account } = await atProvider(world);
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  await page.dial('12345');
  await page.says('12345 does not exist.');
});

world.test('one browser has two accounts at once', async () => {
  const { telephone, account } = await atProvider(world);
  const pages = await Promise.all(['customer', 'colleague'].map((user) => world.phone({ user, tone: PAGE_TONE, account })));
  for (const [index, user] of ['customer', 'colleague'].entries()) {
    telephone.dial(user);
    await pages[index].answer();
    await pages[index].state('talking');
    await Promise.all([pages[index].hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
    await pages[index].hangup();
    await telephone.event('CALL_CLOSED');
  }
});

world.test('a user of ours with two accounts is called at both and calls by them', async () => {
  const { telephone, account } = await atProvider(world);
  const of = (name, prefix) => `[[domain.user.account]]
name = "${name}"
domain = "${account.domain}"
proxy = "${account.proxy}"
password = "${account.password}"
prefix = "${prefix}"`;
  const extra = `[[domain]]
name = "home.test"
[[domain.user]]
name = "erin"
password = "erin"
${of('one', '')}
${of('two', '9')}`;
  const host = world.network.host();
  const directory = mkdtempSync(join(world.directory, 'tandem-'));
  const where = { host, metrics: world.network.address };
  const tandem = world.keep(await Tandem.start({ address: host.address, directory, extra }, where));
  await until('both accounts are registered', async () => [...await tandem.metrics()]
    .some(([name, value]) => name.includes('provider_accounts_registered') && value === 2));
  const erin = await world.telephone({
    user: 'erin', domain: 'home.test', password: 'erin', tone: PAGE_TONE, server: tandem.address,
  });
  for (const name of ['one', 'two']) {
    telephone.dial(name);
    await Promise.all([erin.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
    telephone.hangup();
    await telephone.event('CALL_CLOSED');
    await erin.event('CALL_CLOSED');
  }
  erin.dial('phone');
  await Promise.all([erin.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  erin.hangup();
  const incoming = await telephone.event('CALL_CLOSED');
  assert.match(incoming.peeruri, /one@test\.lan/, 'the telephone was called by the account');
});

/** More patience, for those who begin to hear each other after a transfer. */
const AFTER_TRANSFER = { timeout: 20_000 };
const OTHER_TONE = 700;
const OTHER_PAGE_TONE = 550;

/** Somebody at a provider talks to its account, which a page has logged in with. */
async function calledByProvider() {
  const { telephone, account } = await atProvider(world);
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  telephone.dial('customer');
  await page.answer();
  await Promise.all([page.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  return { telephone, account, page };
}

world.test('somebody at a provider transfers its account to a telephone there', async () => {
  const { telephone, account, page } = await calledByProvider();
  const other = await world.telephone({ user: 'other', tone: OTHER_TONE, ...PROVIDER, server: account.proxy });
  telephone.transfer('sip:other@test.lan');
  await Promise.all([page.hears(OTHER_TONE, AFTER_TRANSFER), other.hears(PAGE_TONE, AFTER_TRANSFER)]);
  assert.match(other.received('INVITE'), /^Referred-By: <sip:phone@test\.lan>/m);
  await telephone.event('CALL_CLOSED');
  await page.hangup();
});

world.test('somebody at a provider transfers its account to another account here', async () => {
  const { telephone, account, page } = await calledByProvider();
  const colleague = await world.phone({ user: 'colleague', tone: OTHER_PAGE_TONE, account });
  telephone.transfer('sip:colleague@test.lan');
  await colleague.answer();
  await Promise.all([page.hears(OTHER_PAGE_TONE, AFTER_TRANSFER), colleague.hears(PAGE_TONE, AFTER_TRANSFER)]);
  await telephone.event('CALL_CLOSED');
  await page.hangup();
});

world.test('somebody at a provider joins two accounts to which it talks', async () => {
  const { account } = await atProvider(world);
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  const colleague = await world.phone({ user: 'colleague', tone: OTHER_PAGE_TONE, account });
  const sipp = world.keep(startSipp({
    name: 'attended', scenario: 'attended', directory: world.directory, host: world.network.host(), server: account.proxy,
    keys: { user: 'desk', domain: PROVIDER.domain, first: 'customer', second: 'colleague' },
    args: ['-m', '1', '-au', 'desk', '-ap', PROVIDER.password, '-timeout', '40s'],
  }));
  await page.answer();
  await colleague.answer();
  await Promise.all([page.hears(OTHER_PAGE_TONE, AFTER_TRANSFER), colleague.hears(PAGE_TONE, AFTER_TRANSFER)]);
  assert.equal(await sipp.ended, 0, sipp.output());
  await page.hangup();
  await colleague.state('idle', AFTER_TRANSFER.timeout);
});

world.test('somebody else at a provider takes a call over', async () => {
  const { account } = await atProvider(world);
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account });
  const directory = mkdtempSync(join(world.directory, 'sipp-'));
  writeAlawTone(join(directory, 'tone.alaw'), PHONE_TONE, 30);
  const host = world.network.host();
  const wire = world.keep(await WireTap.start(world, host));
  const sipp = world.keep(startSipp({
    name: 'replaces', scenario: 'replaces', directory, host, server: account.proxy,
    keys: { domain: PROVIDER.domain, first: 'one', second: 'two', called: 'customer' },
    args: ['-m', '1', '-ap', PROVIDER.password, '-timeout', '40s'],
  }));
  await page.answer();
  await Promise.all([page.hears(PHONE_TONE, AFTER_TRANSFER), wire.hears(PAGE_TONE, AFTER_TRANSFER)]);
  await page.hangup();
  assert.equal(await sipp.ended, 0, sipp.output());
});

world.test('where the first server of a provider is down, registration and calls go to the next', async () => {
  const [first, second] = [world.network.host(), world.network.host()];
  const names = world.keep(await NameServer.start(world.network.address, [
    { name: '_sip._udp.test.lan', type: 'SRV', priority: 10, port: 5060, target: 'first.test.lan' },
    { name: '_sip._udp.test.lan', type: 'SRV', priority: 20, port: 5060, target: 'second.test.lan' },
    { name: 'first.test.lan', type: 'A', address: first.address },
    { name: 'second.test.lan', type: 'A', address: second.address },
  ]));
  world.keep(await startKamailio({ directory: world.directory, host: second }));
  const telephone = await world.telephone({ user: 'phone', tone: PHONE_TONE, server: second.address, ...PROVIDER });
  const page = await world.phone({ user: 'customer', tone: PAGE_TONE, account: PROVIDER });
  assert.ok(names.asked.includes('_sip._udp.test.lan 33'), names.asked.join());
  await page.dial('phone');
  await page.state('talking');
  await Promise.all([page.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  telephone.hangup();
  await telephone.event('CALL_CLOSED');
  telephone.dial('customer');
  await page.answer();
  await page.state('talking');
  await page.hangup();
});
