// Promise: a call goes over to somebody else, blind or after a word, whoever of browsers and telephones hands it over, is
// handed over, or takes it; both who remain hear each other. A transfer that fails returns to the call and says why.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { SipPage } from './lib/sip-page.js';
import { startSipp } from './lib/sipp.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { WireTap } from './lib/wiretap.js';
import { World } from './lib/world.js';

const TONES = { alice: 440, bob: 1000, carol: 700, dave: 550, erin: 850, frank: 1250 };
const PATIENCE = { timeout: 20_000 };
/** A test of several transfers may take this long, in milliseconds. */
const LONG = { timeout: 180_000 };

const world = await World.create('transfer');
after(() => world.close());

const address = (user) => `sip:${user}@${DOMAIN}`;

/** The phone page, under the names that all clients have here. */
async function page(user) {
  const phone = await world.phone({ user, tone: TONES[user] });
  return {
    user,
    call: (callee) => phone.dial(callee),
    answer: () => phone.answer(),
    talking: () => phone.state('talking'),
    hears: (tone) => phone.hears(tone, PATIENCE),
    transfer: (target) => phone.transfer(target),
    consult: (target) => phone.consult(target),
    join: () => phone.join(),
    hangup: () => phone.hangup(),
    isFree: () => phone.state('idle', PATIENCE.timeout),
    phone,
  };
}

/** JsSIP or SIP.js over WebSocket. */
async function client(library, user) {
  const sipPage = world.keep(await SipPage.open(world, library, { tone: TONES[user] }));
  await sipPage.register({ user, password: PASSWORD, domain: DOMAIN });
  return {
    user,
    call: (callee) => sipPage.call(address(callee)),
    answer: () => sipPage.answer(),
    talking: () => sipPage.talking(),
    hears: (tone) => sipPage.hears(tone, PATIENCE),
    transfer: (target) => sipPage.transfer(address(target)),
    consult: (target) => sipPage.consult(address(target)),
    join: () => sipPage.join(),
    hangup: () => sipPage.hangup(),
    isFree: () => sipPage.state('ended'),
  };
}

/** baresip, which answers by itself; what it hears is heard on the wire, as a re-INVITE may stop its own recorder. */
async function telephone(user) {
  const host = world.network.host();
  const wire = world.keep(await WireTap.start(world, host));
  const phone = await world.telephone({ user, tone: TONES[user], host, codecs: 'PCMA/8000/1' });
  return {
    user,
    call: (callee) => phone.dial(address(callee)),
    // It answers by itself.
    answer: async () => {},
    talking: () => phone.event('CALL_ESTABLISHED'),
    hears: (tone) => wire.hears(tone, PATIENCE),
    transfer: (target) => phone.transfer(address(target)),
    hangup: () => phone.hangup(),
    isFree: () => phone.event('CALL_CLOSED', PATIENCE),
  };
}

async function talk(caller, callee) {
  await caller.call(callee.user);
  await callee.answer();
  await Promise.all([caller.talking(), callee.talking()]);
}

/** Whoever remains hears each other, and can hang up. */
async function talkWithout(transferor, transferee, target) {
  await Promise.all([
    target.talking(), transferor.isFree(), transferee.hears(TONES[target.user]), target.hears(TONES[transferee.user]),
  ]);
  await transferee.hangup();
  await Promise.all([transferee.isFree(), target.isFree()]);
}

async function blind(transferor, transferee, target) {
  await talk(transferor, transferee);
  // A client that hears how the transfer goes says so when it is done.
  const done = transferor.transfer(target.user);
  await Promise.all([target.answer(), done]);
  await talkWithout(transferor, transferee, target);
}

async function attended(transferor, transferee, target) {
  await talk(transferor, transferee);
  await transferor.consult(target.user);
  await target.answer();
  await Promise.all([target.talking(), transferor.talking()]);
  await target.hears(TONES[transferor.user]);
  const done = transferor.join();
  await Promise.all([
    done, transferor.isFree(), transferee.hears(TONES[target.user]), target.hears(TONES[transferee.user]),
  ]);
  await transferee.hangup();
  await Promise.all([transferee.isFree(), target.isFree()]);
}

/** Each of these hands over each of those, to each of the third. */
async function each(context, kind, transferors, transferees, targets) {
  for (const [by, transferor] of Object.entries(transferors)) {
    for (const [who, transferee] of Object.entries(transferees)) {
      for (const [to, target] of Object.entries(targets)) {
        await context.test(`${by} transfers ${who} to ${to}`, () => kind(transferor, transferee, target));
      }
    }
  }
}

const pair = async (browser, phone) => ({ 'a browser': await browser, 'a telephone': await phone });

world.test('blind transfers, by browsers and telephones, of both, to both', async (context) => {
  const transferors = await pair(page('alice'), telephone('dave'));
  const transferees = await pair(page('bob'), telephone('erin'));
  const targets = await pair(page('carol'), telephone('frank'));
  await each(context, blind, transferors, transferees, targets);
}, LONG);

world.test('attended transfers by the page, of browsers and telephones, to both', async (context) => {
  const transferees = await pair(page('bob'), telephone('erin'));
  const targets = await pair(page('carol'), telephone('frank'));
  await each(context, attended, { 'the page': await page('alice') }, transferees, targets);
}, LONG);

world.test('attended transfers by a telephone, of browsers and telephones, to both', async (context) => {
  const transferees = await pair(page('bob'), telephone('erin'));
  const targets = await pair(page('carol'), telephone('frank'));
  const host = world.network.host();
  const bySipp = async (transferor, transferee, target) => {
    const keys = { user: transferor.user, domain: DOMAIN, first: transferee.user, second: target.user };
    const sipp = world.keep(startSipp({
      name: `attended-${transferee.user}-${target.user}`, scenario: 'attended', directory: world.directory, host,
      server: world.tandem.address, keys, args: ['-m', '1', '-au', transferor.user, '-ap', PASSWORD, '-timeout', '40s'],
    }));
    await transferee.answer();
    await target.answer();
    await Promise.all([transferee.hears(TONES[target.user]), target.hears(TONES[transferee.user])]);
    assert.equal(await sipp.ended, 0, sipp.output());
    await transferee.hangup();
    await Promise.all([transferee.isFree(), target.isFree()]);
  };
  await each(context, bySipp, { 'a telephone': { user: 'dave' } }, transferees, targets);
}, LONG);

world.test('JsSIP and SIP.js transfer, blind and attended', async (context) => {
  const jssip = await client('jssip', 'alice');
  const sipjs = await client('sipjs', 'bob');
  const phone = await telephone('frank');
  await context.test('JsSIP, blind', () => blind(jssip, sipjs, phone));
  await context.test('SIP.js, blind', () => blind(sipjs, phone, jssip));
  await context.test('JsSIP, attended', () => attended(jssip, phone, sipjs));
  await context.test('SIP.js, attended', () => attended(sipjs, jssip, phone));
}, LONG);

/** They go on as before. */
const hearEachOther = (one, other) => Promise.all([one.hears(TONES[other.user]), other.hears(TONES[one.user])]);

world.test('a transfer that fails returns to the call and says why', async () => {
  const [alice, erin, carol] = [await page('alice'), await telephone('erin'), await page('carol')];
  await talk(alice, erin);
  await alice.transfer('nobody');
  await alice.phone.says('nobody does not exist', PATIENCE.timeout);
  await hearEachOther(alice, erin);
  await alice.transfer('carol');
  await carol.phone.state('incoming');
  await carol.phone.press('Decline');
  await alice.phone.says('carol', PATIENCE.timeout);
  await hearEachOther(alice, erin);
  await alice.hangup();
  await erin.isFree();
}, LONG);

world.test('a client is told the status of a transfer that fails', async () => {
  const [jssip, erin, carol] = [await client('jssip', 'bob'), await telephone('erin'), await page('carol')];
  await talk(jssip, erin);
  await assert.rejects(jssip.transfer('nobody'), /404 There is no user nobody/);
  await assert.rejects(jssip.transfer('frank'), /480 frank is not logged in/);
  const declined = assert.rejects(jssip.transfer('carol'), /603/);
  await carol.phone.state('incoming');
  await carol.phone.press('Decline');
  await declined;
  await hearEachOther(jssip, erin);
  await jssip.hangup();
  await erin.isFree();
}, LONG);

world.test('a transferor that hangs up at once leaves the others to it', async () => {
  const [alice, erin, carol] = [await page('alice'), await telephone('erin'), await page('carol')];
  await talk(alice, erin);
  await alice.transfer('carol');
  await carol.phone.state('incoming');
  await alice.hangup();
  await carol.answer();
  await carol.talking();
  await hearEachOther(erin, carol);
  await carol.hangup();
  await erin.isFree();
}, LONG);
