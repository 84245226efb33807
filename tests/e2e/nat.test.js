// Promise: `ip` and `ip_local` work in the three ways of the manual, with a provider, a NAT between, and a UDP port for each
// account; keep-alives keep the way from a provider open where the NAT forwards nothing.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { longestTone } from './lib/audio.js';
import { launchBrowser, PhonePage } from './lib/browser.js';
import { atProvider, PHONE_TONE } from './lib/provider.js';
import { Tandem } from './lib/tandem.js';
import { pause } from './lib/wait.js';
import { World } from './lib/world.js';

const PAGE_TONE = 440;
/** The manual's ports. */
const MEDIA_PORTS = '31001-32000';
const USER_PORTS = '[sip]\nuser_ports = "30000-31000"';
const FORWARDED = { tcp: ['8080'], udp: ['5060', '30000:31000', '31001:32000'] };
/** Seconds that the NAT of the last test remembers who is silent. */
const NAT_MEMORY = 2;

const world = await World.create('nat', { browser: false, start: async () => null });
after(() => world.close());

/** Tandem in a namespace. @returns {Promise<Tandem>} */
async function tandemAt(host, ip, { extra, providers } = {}) {
  const directory = mkdtempSync(join(world.directory, 'tandem-'));
  const where = { host, local: host.address, metrics: world.network.address, ports: MEDIA_PORTS, providers };
  return world.keep(await Tandem.start({ address: ip, directory, extra }, where));
}

/** A page that is logged in at the provider. */
async function pageAt(tandem, account, host) {
  const directory = mkdtempSync(join(world.directory, 'browser-'));
  const browser = world.keep(await launchBrowser({ origin: tandem.page, directory, host }));
  const page = world.keep(await PhonePage.open(browser, { tone: PAGE_TONE }));
  await page.login(tandem.page, { user: 'customer', ...account });
  await page.loggedIn();
  return page;
}

async function userPorts(tandem) {
  return [...await tandem.metrics()].find(([name]) => name.includes('user_ports_open'))?.[1];
}

/** Both call each other, and are heard. */
async function callBothWays(page, telephone) {
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
  await telephone.event('CALL_CLOSED');
  assert.ok(longestTone(telephone.heard(), PAGE_TONE) >= 1);
}

world.test('server and VoIP server on one network: both settings are the server\'s address', async () => {
  const { telephone, account } = await atProvider(world);
  const host = world.network.host();
  const tandem = await tandemAt(host, host.address, { extra: USER_PORTS });
  const page = await pageAt(tandem, account);
  assert.equal(await userPorts(tandem), 1, 'the account has a port of its own');
  await callBothWays(page, telephone);
});

world.test('server behind a NAT, VoIP server outside: ip is the NAT\'s address', async () => {
  const { telephone, account } = await atProvider(world);
  const host = world.network.serverBehindNat(FORWARDED);
  const tandem = await tandemAt(host, host.router.address, { extra: USER_PORTS });
  const page = await pageAt(tandem, account);
  assert.equal(await userPorts(tandem), 1, 'the account has a port of its own');
  await callBothWays(page, telephone);
});

world.test('both outside, the browser behind a NAT: both settings are the server\'s address', async () => {
  const { telephone, account } = await atProvider(world);
  const host = world.network.host();
  const tandem = await tandemAt(host, host.address);
  const inside = world.network.serverBehindNat({});
  const page = await pageAt(tandem, account, inside);
  await callBothWays(page, telephone);
});

world.test('keep-alives keep the way open through a NAT that forwards nothing and soon forgets', async () => {
  const { telephone, account } = await atProvider(world);
  for (const keepAlive of ['lines', 'options', 'off']) {
    const host = world.network.serverBehindNat({ tcp: ['8080'] });
    host.router.run('sysctl', '-qw', `net.netfilter.nf_conntrack_udp_timeout=${NAT_MEMORY}`,
      `net.netfilter.nf_conntrack_udp_timeout_stream=${NAT_MEMORY}`);
    // The router answers what nobody asked for with silence, as they do.
    host.router.run('iptables', '-A', 'INPUT', '-i', 'eth0', '-p', 'udp', '-j', 'DROP');
    const providers = `keep_alive = "${keepAlive}"\nkeep_alive_interval = 1`;
    const tandem = await tandemAt(host, host.router.address, { providers });
    const page = await pageAt(tandem, account);
    // Longer than the NAT remembers: what is tested is that time passes.
    await pause(2.5 * NAT_MEMORY * 1000);
    telephone.dial('customer');
    if (keepAlive === 'off') {
      await assert.rejects(page.state('incoming', 3_000), 'without keep-alives the NAT has forgotten');
      telephone.hangup();
    } else {
      await page.state('incoming');
      await page.press('Decline');
    }
    await telephone.event('CALL_CLOSED');
    await page.press('Log out');
    await page.close();
    await tandem.stop();
  }
}, { timeout: 120_000 });
