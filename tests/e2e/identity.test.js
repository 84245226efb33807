// Promise: whoever is called is told who calls, in any script; the word of those who are trusted counts and of no other, and
// a caller who wants privacy is told to those who are trusted and to no other.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { PhonePage } from './lib/browser.js';
import { PROVIDER_DOMAIN, PROVIDER_PASSWORD, startKamailio } from './lib/kamailio.js';
import { SipPage } from './lib/sip-page.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const PROVIDER = { domain: PROVIDER_DOMAIN, password: PROVIDER_PASSWORD };
const TONE = 440;
const HOME = 'home.test';
/** What both providers say of those who call a customer, and of whom they ask not to tell. */
const ASSERTED = { name: 'Ελένη Παπαδοπούλου', number: '+302101234567', shy: 'shy' };
const assertion = `if ($rU == "customer") {
      append_hf("P-Asserted-Identity: \\"${ASSERTED.name}\\" <sip:${ASSERTED.number}@test.lan>\\r\\n");
      if ($fU == "${ASSERTED.shy}") append_hf("Privacy: id\\r\\n");
    }`;

/** The addresses of the first two hosts of the network: a provider that is trusted, and another one. */
const hostsOf = (address) => ['2', '3'].map((last) => address.replace(/\d+$/, last));

/** Erin calls by the trusted provider with 1 before the number, and by the other one with 2. */
const account = (number, proxy) => `[[domain.user.account]]
name = "account${number}"
domain = "${PROVIDER_DOMAIN}"
proxy = "${proxy}"
password = "${PROVIDER_PASSWORD}"
prefix = "${number}"
register = false
`;

const world = await World.create('identity', {
  extra: (address) => `[identity]
trusted = ["${hostsOf(address)[0]}"]
[[domain]]
name = "${HOME}"
[[domain.user]]
name = "erin"
password = "${PASSWORD}"
${hostsOf(address).map((proxy, index) => account(index + 1, proxy)).join('')}`,
});
after(() => world.close());

const hosts = world.network ? [world.network.host(), world.network.host()] : [];
if (world.network) assert.deepEqual(hosts.map((host) => host.address), hostsOf(world.network.address));

/** A provider, and the telephone of somebody who has an account there. */
async function provider(host, user, more = {}) {
  world.keep(await startKamailio({ directory: `${world.directory}/${host.namespace}`, host, values: { '#ASSERTED': assertion } }));
  return world.telephone({ user, tone: 0, server: host.address, ...PROVIDER, ...more });
}

/** The phone page, and everything that its server told it. */
async function page(user, proxy) {
  const told = [];
  const prepare = (opened) => opened.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => told.push(payload)));
  const phone = world.keep(await PhonePage.open(world.browser, { tone: TONE, prepare }));
  await phone.login(world.tandem.page, { user, password: PASSWORD, ...(proxy ? { ...PROVIDER, proxy } : { domain: DOMAIN }) });
  await phone.loggedIn();
  return { phone, told: () => told.join('\n') };
}

/** The name that the page shows while it rings; then the call is declined. */
async function shows(phone) {
  await phone.state('incoming');
  const name = await phone.page.locator('#peer').textContent();
  await phone.press('Decline');
  return name;
}

/** Erin, on JsSIP. */
async function erin() {
  const client = world.keep(await SipPage.open(world, 'jssip', { tone: TONE }));
  await client.register({ user: 'erin', password: PASSWORD, domain: HOME });
  return client;
}

async function calls(client, target, options) {
  await client.page.evaluate((wanted) => { window.client.callOptions = wanted; }, options);
  await client.call(target);
}

/** What a telephone that answers by itself is told of a call; the call is over then. */
async function told(telephone, client) {
  await client.talking();
  const invite = telephone.received('INVITE');
  await client.hangup();
  await telephone.event('CALL_CLOSED');
  return invite;
}

for (const [index, whose, shown] of [[0, 'a trusted provider', ASSERTED.name], [1, 'any other', 'phone']]) {
  world.test(`the page shows who calls on the word of ${whose}: ${shown}`, async () => {
    const telephone = await provider(hosts[index], 'phone');
    const { phone } = await page('customer', hosts[index].address);
    telephone.dial('customer');
    assert.equal(await shows(phone), shown);
    await telephone.event('CALL_CLOSED');
  });
}

world.test('whom a trusted provider asks not to tell no byte tells the page', async () => {
  const telephone = await provider(hosts[0], ASSERTED.shy, { name: 'Bashful' });
  const { phone, told: everything } = await page('customer', hosts[0].address);
  telephone.dial('customer');
  assert.equal(await shows(phone), 'Anonymous');
  await telephone.event('CALL_CLOSED');
  assert.match(everything(), /anonymous\.invalid/);
  for (const secret of [ASSERTED.name, ASSERTED.number, ASSERTED.shy, 'Bashful']) {
    assert.ok(!everything().includes(secret), secret);
  }
});

const PRIVATE = { extraHeaders: ['Privacy: id'], fromDisplayName: '王小明' };

world.test('a caller who wants privacy is anonymous here', async () => {
  const client = await erin();
  const carol = await world.telephone({ user: 'carol', tone: 0 });
  await calls(client, `sip:carol@${DOMAIN}`, PRIVATE);
  const invite = await told(carol, client);
  assert.match(invite, /^From: "Anonymous" ?<sip:anonymous@anonymous\.invalid>/m);
  assert.match(invite, /^Privacy: id\r?$/m);
  for (const secret of ['erin', '王小明', 'P-Asserted-Identity']) assert.ok(!invite.includes(secret), invite);

  const { phone, told: everything } = await page('alice');
  await calls(client, `sip:alice@${DOMAIN}`, PRIVATE);
  assert.equal(await shows(phone), 'Anonymous');
  assert.ok(!/erin|王小明/.test(everything()));
});

for (const [index, whose] of ['a trusted provider', 'any other'].entries()) {
  world.test(`${whose} is ${index ? 'not ' : ''}told who wants privacy`, async () => {
    const telephone = await provider(hosts[index], 'phone');
    const client = await erin();
    await calls(client, `sip:${index + 1}phone@${HOME}`, PRIVATE);
    const invite = await told(telephone, client);
    assert.match(invite, /^From: "Anonymous" ?<sip:anonymous@anonymous\.invalid>/m);
    assert.match(invite, /^Privacy: id\r?$/m);
    const asserted = /^P-Asserted-Identity: (.*?)\r?$/m.exec(invite)?.[1];
    assert.equal(asserted, index ? undefined : `"王小明" <sip:account1@${PROVIDER_DOMAIN}>`);
    if (index) for (const secret of ['erin', 'account', '王小明']) assert.ok(!invite.includes(secret), invite);
  });
}

world.test('names in any script are shown, and cannot turn the text around them', async () => {
  const client = await erin();
  const carol = await world.telephone({ user: 'carol', tone: 0, name: 'محمد علی' });
  const { phone } = await page('alice');
  for (const [name, shown] of [['王小明 "🎉"', '王小明 "🎉"'], ['bank\u202Ekcab', 'bankkcab']]) {
    const options = { fromDisplayName: name };
    await calls(client, `sip:carol@${DOMAIN}`, options);
    const from = /^From: "(.*)"/m.exec(await told(carol, client))[1];
    assert.equal(from.replaceAll('\\"', '"'), shown);
    await calls(client, `sip:alice@${DOMAIN}`, options);
    assert.equal(await shows(phone), shown);
    await until('the caller knows', () => client.page.evaluate(() => window.client.state === 'ended'));
  }
  carol.dial(`sip:alice@${DOMAIN}`);
  assert.equal(await shows(phone), 'محمد علی');
});
