// Promise: a page whose network changes in mid-call has its call back within three seconds of the network's return.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { launchBrowser } from './lib/browser.js';
import { Capture } from './lib/capture.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const PAGE_TONE = 440;
const PHONE_TONE = 1000;
/** Seconds within which both sides get sound again. */
const BACK_WITHIN = 3;

const world = await World.create('resume');
after(() => world.close());

/** A page in a network of its own, in a call with a telephone. */
async function callFromAfar() {
  const host = world.network.hostBehindNat();
  host.mapTo('40000-44999');
  const browser = world.keep(await launchBrowser({ origin: world.tandem.page, directory: world.directory, host }));
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE, browser });
  await page.dial('carol');
  await page.state('talking');
  await Promise.all([page.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  return { host, page, telephone };
}

/** Breaks the WebSocket and the path of UDP; returns what mends them, at another port of the router for UDP. */
function breakNetwork({ host }, { resets }) {
  const rules = [
    ['FORWARD', '-p', 'udp', '-j', 'DROP'],
    ['FORWARD', '-p', 'tcp', '-j', ...(resets ? ['REJECT', '--reject-with', 'tcp-reset'] : ['DROP'])],
  ];
  for (const rule of rules) host.router.run('iptables', '-I', ...rule);
  return () => {
    host.mapTo('50000-54999');
    for (const rule of rules) host.router.run('iptables', '-D', ...rule);
    return Date.now() / 1000;
  };
}

/** When sound reached both sides again, in seconds after that. */
function soundAfter(packets, mended, { host, telephone }) {
  const first = (address) => packets.find(({ to, at }) => at > mended && to.startsWith(`${address}:`))?.at ?? Infinity;
  return [first(host.router.address), first(telephone.host.address)].map((at) => at - mended);
}

world.test('WebSocket and UDP path break: the call is back within three seconds of the network', async () => {
  const call = await callFromAfar();
  const { page, telephone } = call;
  const capture = world.keep(await Capture.start(world));
  const mend = breakNetwork(call, { resets: true });
  await sleep(6_000);
  const mended = mend();
  await Promise.all([page.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  const [toPage, toTelephone] = soundAfter(await capture.rtp(), mended, call);
  assert.ok(toPage < BACK_WITHIN && toTelephone < BACK_WITHIN, `sound after ${toPage} s and ${toTelephone} s`);
  await page.hangup();
  await telephone.event('CALL_CLOSED');
});

world.test('a page that does not come back is hung up', async () => {
  const { page, telephone } = await callFromAfar();
  await page.context.close();
  await telephone.event('CALL_CLOSED', { timeout: 45_000 });
  await until('nothing is left', async () => (await world.tandem.metrics()).get('tandem_switch_browsers') === 0);
});
