// Promise: thousands of calls, none fails, and nothing is left of them.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { writeAlawTone } from './lib/audio.js';
import { sippCounters, startSipp } from './lib/sipp.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const CALLS_A_SECOND = 50;
const CALL_SECONDS = 2;
const CALLS = 2000;
const PACKETS_A_SECOND = 50;
/** The longest transactions end 32 seconds after the last call (RFC 3261 section 17, 64*T1); ports rest for 10. */
const IDLE_TIMEOUT = 60_000;
/**
 * How much more memory may be resident after the measured calls than after the warm-up, in kilobytes. The warm-up is as
 * long: only after 32 seconds there are as many transactions as there will ever be.
 */
const GROWTH = 4096;
/** Tables shrink every 10 seconds. */
const MEMORY_TIMEOUT = 20_000;

const world = await World.create('load', { browser: false });
after(() => world.close());

function sipp(name, { host, scenario, service, calls, args = [], keys = {} }) {
  const directory = join(world.directory, name);
  mkdirSync(directory, { recursive: true });
  writeAlawTone(join(directory, 'tone.alaw'), 440, 2);
  return {
    directory,
    process: world.keep(startSipp({
      name, scenario, directory, host, server: world.tandem.address,
      keys: { domain: DOMAIN, ...keys },
      args: ['-s', service, '-m', String(calls), '-ap', PASSWORD, ...args],
    })),
  };
}

/** Calls through Tandem; returns the counters of both sides. */
async function round(name, calls, hosts) {
  const callee = sipp(`${name}-callee`, { host: hosts.callee, scenario: 'callee', service: 'bob', calls });
  const caller = sipp(`${name}-caller`, {
    host: hosts.caller, scenario: 'caller', service: 'bob', calls, keys: { user: 'alice' },
    args: ['-au', 'alice', '-auth_uri', `bob@${DOMAIN}`, '-r', String(CALLS_A_SECOND), '-d', String(1000 * CALL_SECONDS), '-l', '1000'],
  });
  assert.equal(await caller.process.ended, 0, `SIPp as caller, see ${caller.directory}`);
  assert.equal(await callee.process.ended, 0, `SIPp as callee, see ${callee.directory}`);
  return [sippCounters(caller.directory, 'caller'), sippCounters(callee.directory, 'callee')];
}

/** What is there only for calls: nothing of it may be left. */
const GAUGES = [
  'tandem_switch_calls_active', 'tandem_switch_sessions_active', 'tandem_switch_dialogs', 'tandem_switch_transactions',
  'tandem_switch_dataplane_requests_open', 'tandem_dataplane_sessions', 'tandem_dataplane_port_pairs_resting',
];
/** What there is without calls too: as much of it must be there as before. */
const LEVELS = [
  'tandem_dataplane_sockets', 'tandem_dataplane_port_pairs_free', 'tandem_dataplane_buffers_spare',
  'tandem_signaling_tasks',
];

/** Waits until no call is left, and tells what the processes hold. */
async function idle() {
  const metrics = await world.tandem.metrics();
  try {
    await until('nothing is left of the calls', async () => {
      metrics.clear();
      for (const [name, value] of await world.tandem.metrics()) metrics.set(name, value);
      return GAUGES.every((name) => metrics.get(name) === 0);
    }, { timeout: IDLE_TIMEOUT, interval: 500 });
  } catch (error) {
    throw new Error(GAUGES.map((name) => `${name} ${metrics.get(name)}`).join(', '), { cause: error });
  }
  return { metrics, resources: world.tandem.resources() };
}

world.test(`${CALLS} calls at ${CALLS_A_SECOND} a second with sound both ways`, async () => {
  const hosts = { caller: world.network.host(), callee: world.network.host() };
  const registration = sipp('register', { host: hosts.callee, scenario: 'register', service: 'bob', calls: 1, args: ['-au', 'bob', '-auth_uri', DOMAIN] });
  assert.equal(await registration.process.ended, 0);
  await round('warm-up', CALLS, hosts);
  const before = await idle();
  const [caller, callee] = await round('measured', CALLS, hosts);
  const now = await idle();

  assert.equal(Number(caller['SuccessfulCall(C)']), CALLS);
  assert.equal(Number(callee['SuccessfulCall(C)']), CALLS);
  const sent = (metrics) => metrics.get('tandem_dataplane_packets_sent');
  const packets = sent(now.metrics) - sent(before.metrics);
  const expected = 2 * CALLS * CALL_SECONDS * PACKETS_A_SECOND;
  assert.ok(packets > 0.95 * expected, `${packets} of ${expected} packets reached the other side`);
  for (const name of LEVELS) assert.equal(now.metrics.get(name), before.metrics.get(name), name);
  for (const [name, { descriptors, threads, resident }] of Object.entries(now.resources)) {
    const earlier = before.resources[name];
    assert.equal(descriptors, earlier.descriptors, `descriptors of ${name}`);
    assert.equal(threads, earlier.threads, `threads of ${name}`);
    await until(`memory of ${name} is back at ${earlier.resident} kB, from ${resident} kB`, () => (
      world.tandem.resources()[name].resident <= earlier.resident + GROWTH
    ), { timeout: MEMORY_TIMEOUT });
  }
}, { timeout: 300_000 });
