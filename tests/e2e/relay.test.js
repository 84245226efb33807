// Promise: Kamailio's rtpengine module drives Tandem as it drives rtpengine (ENGINE=rtpengine runs the same tests there).
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { longestTone, readWav, writeAlawTone, writeToneWav } from './lib/audio.js';
import { codec } from './lib/codecs.js';
import { ENGINE, Engine } from './lib/engine.js';
import { PROVIDER_DOMAIN, PROVIDER_PASSWORD, startKamailio } from './lib/kamailio.js';
import { mediaFunction } from './lib/media-control.js';
import { bdecode } from './lib/ng.js';
import { Recorder, sendSpeech } from './lib/rtp.js';
import { SipPage } from './lib/sip-page.js';
import { sippCounters, startSipp } from './lib/sipp.js';
import { ffmpeg } from './lib/speech.js';
import { pause, until } from './lib/wait.js';
import { World } from './lib/world.js';

const ACCOUNT = { domain: PROVIDER_DOMAIN, password: PROVIDER_PASSWORD };
const CALLER_TONE = 440;
const CALLEE_TONE = 1000;
const ANNOUNCED_TONE = 1700;
const PACKETS_A_SECOND = 50;
/** The ports of a deleted call may rest for some seconds. */
const FREE_TIMEOUT = 20_000;

let proxy;
let engines;
const world = await World.create('relay', {
  async start(newWorld) {
    const { directory, network } = newWorld;
    engines = [];
    for (const name of [`${ENGINE}-1`, `${ENGINE}-2`]) {
      engines.push(newWorld.keep(await Engine.start({ name, directory, host: network.host() })));
    }
    proxy = network.host();
    const sockets = engines.map(({ socket }) => socket).join(' ');
    newWorld.keep(await startKamailio({ directory, host: proxy, peer: 'relay', values: { ENGINES: sockets } }));
    return `http://${proxy.address}:8088/`;
  },
});
after(() => world.close());

const telephone = (options) => world.telephone({ server: proxy.address, ...ACCOUNT, ...options });
const caller = (options) => telephone({ user: 'alice', tone: CALLER_TONE, codecs: 'PCMU/8000/1', ...options });
const callee = (options) => telephone({ user: 'bob', tone: CALLEE_TONE, codecs: 'PCMU/8000/1', ...options });

async function browser(user, tone) {
  const page = world.keep(await SipPage.open(world, 'jssip', { tone }));
  await page.register({ user, ...ACCOUNT });
  return page;
}

async function established(...telephones) {
  await Promise.all(telephones.map((one) => one.event('CALL_ESTABLISHED')));
}

/** The Call-IDs at the engines that are alive. */
async function calls() {
  const alive = engines.filter((engine) => engine.process.alive);
  return (await Promise.all(alive.map((engine) => engine.calls()))).flat();
}

/** Waits until no engine knows a call or holds a port for one. */
async function nothingLeft() {
  await until('the calls are deleted', async () => (await calls()).length === 0);
  const alive = engines.filter((engine) => engine.process.alive);
  await until('their ports are free', () => alive.every((engine) => engine.held() === 0), { timeout: FREE_TIMEOUT, interval: 500 });
}

/** Both hear each other; the caller hangs up. */
async function talk(one, other) {
  await established(one, other);
  await Promise.all([one.hears(CALLEE_TONE), other.hears(CALLER_TONE)]);
  assert.equal((await calls()).length, 1);
  one.hangup();
  await Promise.all([one.event('CALL_CLOSED'), other.event('CALL_CLOSED')]);
  await until('the call is deleted', async () => (await calls()).length === 0);
}

world.test('a telephone calls a telephone: RTP to RTP', async () => {
  const [alice, bob] = [await caller(), await callee()];
  alice.dial('bob');
  await talk(alice, bob);
  await nothingLeft();
});

world.test('RTP to SRTP with SDES, and back', async () => {
  const [alice, secure] = [await caller(), await callee({ user: 'srtp', encryption: 'srtp-mand' })];
  alice.dial('srtp');
  await talk(alice, secure);
  secure.dial('alice');
  await established(alice, secure);
  await Promise.all([alice.hears(CALLEE_TONE), secure.hears(CALLER_TONE)]);
});

world.test('PCMU is transcoded to Opus, and back', async () => {
  const [alice, opus] = [await caller(), await callee({ user: 'opus', codecs: 'opus/48000/2' })];
  alice.dial('opus');
  await talk(alice, opus);
  await nothingLeft();
});

world.test('PCMU is transcoded to G.722, and back', async () => {
  const [alice, wide] = [await caller(), await callee({ user: 'g722', codecs: 'G722/16000/1' })];
  alice.dial('g722');
  await talk(alice, wide);
  await nothingLeft();
});

/** Where ffmpeg's end of a call receives; it sends from the port two further on. */
let nextPort = 41_000;

/** A telephone that SIPp speaks for and ffmpeg hears and plays for: it registers and answers one call. */
async function codecPhone(user, spoken) {
  const { address } = world.network;
  const host = world.network.host();
  const port = nextPort;
  nextPort += 4;
  const start = (name, scenario, keys, args) => {
    const directory = join(world.directory, `sipp-${name}-${user}`);
    mkdirSync(directory, { recursive: true });
    return world.keep(startSipp({
      name: `${name}-${user}`, scenario, directory, host, server: proxy.address, keys: { domain: PROVIDER_DOMAIN, ...keys },
      args: ['-s', user, '-ap', PROVIDER_PASSWORD, '-m', '1', ...args],
    }));
  };
  assert.equal(await start('register', 'register', {}, ['-au', user, '-auth_uri', PROVIDER_DOMAIN]).ended, 0);
  const at = { address, port };
  const recorder = world.keep(await Recorder.start({ directory: world.directory, codec: spoken, payloadType: spoken.payloadType, at }));
  const keys = { address, port: String(port), number: String(spoken.payloadType), rtpmap: spoken.rtpmap };
  start('answer', 'described', keys, []);
  return { recorder, from: { address, port: port + 2 } };
}

/** User, codec, and the number that the engine's offer gives it: the phone sends with that. */
const CODEC_PHONES = [['g729', 'G729', 18]];
if (ENGINE === 'tandem') CODEC_PHONES.push(['speex8', 'Speex/8000', 98], ['speex16', 'Speex/16000', 97]);
for (const [user, name, payloadType] of CODEC_PHONES) {
  world.test(`PCMU is transcoded to ${name}, and back`, async () => {
    const spoken = { ...codec(name), payloadType };
    const alice = await caller();
    const { recorder, from } = await codecPhone(user, spoken);
    const file = join(world.directory, `tone-${user}.wav`);
    writeToneWav(file, { frequency: CALLEE_TONE, seconds: 6, rate: spoken.rate });
    alice.dial(user);
    await alice.event('CALL_ESTABLISHED');
    const { tags } = await call();
    const callees = Object.values(tags).find(({ medias }) => medias[0].streams[0].endpoint?.port === from.port - 2);
    const { 'local address': address, 'local port': port } = callees.medias[0].streams[0];
    const sent = sendSpeech({
      directory: world.directory, codec: spoken, payloadType, file, from, to: { address, port },
    });
    await alice.hears(CALLEE_TONE);
    await sent;
    alice.hangup();
    await alice.event('CALL_CLOSED');
    assert.ok(longestTone(readWav(await recorder.finished()), CALLER_TONE) >= 1, `${name} is heard`);
    await nothingLeft();
  });
}

world.test('a browser (JsSIP, DTLS-SRTP) calls a telephone, and is called', async () => {
  const [web, bob] = [await browser('web', CALLER_TONE), await callee()];
  await web.call(`sip:bob@${PROVIDER_DOMAIN}`);
  await Promise.all([web.talking(), established(bob)]);
  await Promise.all([web.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
  await web.hangup();
  await bob.event('CALL_CLOSED');
  await nothingLeft();

  bob.dial('web');
  await web.answer();
  await Promise.all([web.talking(), established(bob)]);
  await Promise.all([web.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
  bob.hangup();
  await web.state('ended');
  await nothingLeft();
});

world.test('re-INVITE: sound goes on', async () => {
  const [alice, bob] = [await caller(), await callee()];
  alice.dial('bob');
  await established(alice, bob);
  for (const one of [alice, bob]) {
    const before = one.acknowledged();
    one.command('reinvite');
    await until('the re-INVITE is answered', () => one.acknowledged() > before);
    await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
  }
  alice.hangup();
  await bob.event('CALL_CLOSED');
  await nothingLeft();
});

world.test('hold and resume between browsers: sound comes back', async () => {
  const [one, other] = [await browser('web-1', CALLER_TONE), await browser('web-2', CALLEE_TONE)];
  await one.call(`sip:web-2@${PROVIDER_DOMAIN}`);
  await other.answer();
  await Promise.all([one.talking(), other.talking()]);
  const bothHear = () => Promise.all([one.hears(CALLEE_TONE), other.hears(CALLER_TONE)]);
  await bothHear();
  for (const holder of [one, other]) {
    await holder.hold();
    await holder.resume();
    await bothHear();
  }
  await one.hangup();
  await other.state('ended');
  await nothingLeft();
});

/** What the engines know of the only call, with its Call-ID and the engine that has it. */
async function call() {
  for (const engine of engines) {
    const [callId] = await engine.calls();
    if (callId) return { engine, callId, ...await engine.ng.request({ command: 'query', 'call-id': callId }) };
  }
  throw new Error('there is no call');
}

/** The Kamailio module's functions for the only call; each is about the media of the party at this telephone's address. */
async function functionsOf() {
  const { engine, callId, tags } = await call();
  const tagOf = (party) => Object.values(tags).find(({ medias }) => medias[0].streams[0].endpoint.address === party.host.address).tag;
  const run = async (party, name, flags) => {
    const fromTag = tagOf(party);
    const toTag = Object.keys(tags).find((tag) => tag !== fromTag);
    return mediaFunction(proxy.address, { callId, fromTag, toTag, name, flags });
  };
  return { engine, run };
}

world.test('play_dtmf: the other side gets each key once', async () => {
  const [alice, bob] = [await caller(), await callee({ user: 'keys' })];
  alice.dial('keys');
  await established(alice, bob);
  await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
  const { run } = await functionsOf();
  const digits = () => bob.events.filter(({ type }) => type === 'CALL_DTMF_START').map(({ param }) => param).join('');
  for (const digit of '19*#') assert.equal((await run(alice, 'play_dtmf', `code=${digit} duration=200`)).status, 200);
  await until('all keys arrive', () => digits().length >= 4);
  await pause(1000);
  assert.equal(digits(), '19*#');
  assert.equal(alice.events.filter(({ type }) => type === 'CALL_DTMF_START').length, 0);
  alice.hangup();
  await bob.event('CALL_CLOSED');
  await nothingLeft();
});

if (ENGINE === 'tandem') {
  // rtpengine sends both, the announcement and the other side, one packet between the other.
  world.test('play_media and stop_media: an announcement is heard in the place of the other side', async () => {
    const [alice, bob] = [await caller(), await callee()];
    alice.dial('bob');
    await established(alice, bob);
    await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
    const { engine, run } = await functionsOf();
    const file = join(engine.sounds, 'announcement.wav');
    writeToneWav(file, { frequency: ANNOUNCED_TONE, seconds: 3, rate: 16_000 });
    assert.deepEqual(await run(alice, 'play_media', `file=${file}`), { status: 200, duration: 3000 });
    await Promise.all([alice.hears(ANNOUNCED_TONE), bob.hears(CALLER_TONE)]);
    await alice.hears(CALLEE_TONE);
    // To the other side, again and again, until it is stopped.
    assert.equal((await run(bob, 'play_media', `file=${file} repeat-times=100`)).status, 200);
    await Promise.all([bob.hears(ANNOUNCED_TONE), alice.hears(CALLEE_TONE)]);
    await pause(4000);
    await bob.hears(ANNOUNCED_TONE);
    assert.equal((await run(bob, 'stop_media')).status, 200);
    await bob.hears(CALLER_TONE);
    assert.equal((await run(alice, 'play_media', 'file=nothing.wav')).status, 500);
    await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
    alice.hangup();
    await bob.event('CALL_CLOSED');
    await nothingLeft();
  });

  // rtpengine writes packets, not sound.
  world.test('start_recording and stop_recording: one side on each channel', async () => {
    const [alice, bob] = [await caller(), await callee()];
    alice.dial('bob');
    await established(alice, bob);
    await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
    const { engine, run } = await functionsOf();
    const recordings = join(engine.sounds, '..', 'recordings');
    assert.equal((await run(alice, 'start_recording', `recording-file=${join(recordings, 'talk.wav')}`)).status, 200);
    await pause(5000);
    assert.equal((await run(alice, 'stop_recording')).status, 200);
    await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
    alice.hangup();
    await bob.event('CALL_CLOSED');
    await nothingLeft();
    assert.deepEqual(readdirSync(recordings), ['talk.wav']);
    for (const [channel, tone] of [CALLER_TONE, CALLEE_TONE].entries()) {
      const one = join(world.directory, `channel-${channel}.wav`);
      await ffmpeg('-i', join(recordings, 'talk.wav'), '-af', `pan=mono|c0=c${channel}`, one);
      const recording = readWav(one);
      const seconds = recording.samples.length / recording.rate;
      assert.ok(longestTone(recording, tone) > 2, `${tone} Hz is on channel ${channel}`);
      assert.ok(seconds > 4 && seconds < 7, `${seconds} s are recorded`);
    }
  });
}

/** Packets that came to a host so far. */
const received = (host) => Number(host.run('cat', '/sys/class/net/eth0/statistics/rx_packets'));

// Packets are counted: baresip's player into a file does not come back from hold.
world.test('hold and resume between telephones: packets come back', async () => {
  const [alice, bob] = [await caller(), await callee()];
  alice.dial('bob');
  await established(alice, bob);
  await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
  for (const one of [alice, bob]) {
    for (const command of ['hold', 'resume']) {
      const before = one.acknowledged();
      one.command(command);
      await until(`the ${command} is answered`, () => one.acknowledged() > before);
    }
    const before = [alice, bob].map(({ host }) => received(host));
    await until('two seconds of packets came to both', () => (
      [alice, bob].every(({ host }, index) => received(host) - before[index] > 2 * PACKETS_A_SECOND)
    ));
  }
  alice.hangup();
  await bob.event('CALL_CLOSED');
  await nothingLeft();
});

/** SIPp against SIPp through the proxy; every call succeeds. */
async function sipp({ count, rate, seconds }) {
  const hosts = { caller: world.network.host(), callee: world.network.host() };
  const start = (name, { host, scenario, service, args = [], keys = {} }) => {
    const directory = join(world.directory, `sipp-${name}-${Date.now()}`);
    mkdirSync(directory, { recursive: true });
    writeAlawTone(join(directory, 'tone.alaw'), CALLER_TONE, seconds);
    const process = world.keep(startSipp({
      name, scenario, directory, host, server: proxy.address, keys: { domain: PROVIDER_DOMAIN, ...keys },
      args: ['-s', service, '-ap', PROVIDER_PASSWORD, ...args],
    }));
    return { directory, process };
  };
  const registration = start('register', {
    host: hosts.callee, scenario: 'register', service: 'carol', args: ['-m', '1', '-au', 'carol', '-auth_uri', PROVIDER_DOMAIN],
  });
  assert.equal(await registration.process.ended, 0);
  const before = [received(hosts.caller), received(hosts.callee)];
  const answering = start('callee', { host: hosts.callee, scenario: 'callee', service: 'carol', args: ['-m', String(count)] });
  const calling = start('caller', {
    host: hosts.caller, scenario: 'caller', service: 'carol', keys: { user: 'dave' },
    args: ['-m', String(count), '-au', 'dave', '-auth_uri', `carol@${PROVIDER_DOMAIN}`, '-r', String(rate), '-d', String(1000 * seconds)],
  });
  assert.equal(await calling.process.ended, 0, `SIPp as caller, see ${calling.directory}`);
  assert.equal(await answering.process.ended, 0, `SIPp as callee, see ${answering.directory}`);
  assert.equal(Number(sippCounters(calling.directory, 'caller')['SuccessfulCall(C)']), count);
  const expected = count * seconds * PACKETS_A_SECOND;
  for (const [index, host] of [hosts.caller, hosts.callee].entries()) {
    const packets = received(host) - before[index];
    assert.ok(packets > 0.9 * expected, `${packets} of ${expected} packets reached ${host.address}`);
  }
}

world.test('a hundred calls of SIPp, with sound both ways', async () => {
  await sipp({ count: 100, rate: 20, seconds: 3 });
  await nothingLeft();
});

/** Bodies that are no request, and what the reply must say of them. Only the first byte tells the encoding. */
const BAD = [
  ['truncated bencode', 'd7:command5:offer7:call-id10:abc', /bencode|decode/i],
  ['truncated JSON', '{"command":"offer","sdp":"v=0', /JSON/i],
  ['neither', 'hello there', /JSON|format/i],
  ['an unknown command', 'd7:command6:launche', /command/i],
  ['no command', 'd7:call-id1:xe', /command/i],
  ['a command that is a number', 'd7:commandi7ee', /command/i],
  ['no call-id', 'd7:command5:offer8:from-tag1:a3:sdp3:v=0e', /call-id/i],
  ['no SDP', 'd7:command5:offer7:call-id1:x8:from-tag1:ae', /sdp/i],
];
/** What rtpengine is spared, or answers otherwise. */
const BAD_FOR_TANDEM = [
  ['10,000 lists within each other', `d7:command4:ping1:a${'l'.repeat(10_000)}${'e'.repeat(10_000)}e`, /nested deeper/],
  ['10,000 JSON arrays within each other', `{"command":"ping","a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, /nested deeper/],
  ['as many values as fit', `d7:command4:ping1:al${'0:'.repeat(30_000)}ee`, /more than .* values/],
  ['an SDP that is a list', 'd7:command5:offer7:call-id1:x8:from-tag1:a3:sdpl1:aee', /"sdp" must be/],
  ['flags that are a number', 'd7:command5:offer7:call-id1:x8:from-tag1:a3:sdp3:v=05:flagsi1ee', /"flags" must be/],
  ['an SDP that is none', 'd7:command5:offer7:call-id1:x8:from-tag1:a3:sdp5:helloe', /./],
  ['a file that lies elsewhere', 'd7:command10:play media7:call-id1:x8:from-tag1:a4:file11:/etc/passwde', /not below/],
  ['a digit that is none', 'd7:command9:play DTMF7:call-id1:x8:from-tag1:a4:code1:xe', /DTMF digit/],
  ['the recording of a call that is not there', 'd7:command15:start recording7:call-id1:xe', /Unknown call-id/],
];
/** How much more memory may be resident after thousands of bad messages, in kilobytes. */
const GROWTH = 40 * 1024;

world.test('bad NG input is answered with the fault, beside a call that goes on', async () => {
  const [alice, bob] = [await caller(), await callee()];
  alice.dial('bob');
  await established(alice, bob);
  for (const engine of engines) {
    const before = engine.resident();
    const bodies = ENGINE === 'tandem' ? [...BAD, ...BAD_FOR_TANDEM] : BAD;
    for (let round = 0; round < 100; round += 1) {
      for (const [what, body, wanted] of bodies) {
        const reply = await engine.ng.send(body);
        assert.ok(reply, `no reply to ${what}`);
        const { result, 'error-reason': reason } = body.startsWith('{') ? JSON.parse(reply) : bdecode(reply);
        assert.equal(result, 'error', what);
        assert.match(reason, wanted, what);
      }
    }
    const grown = engine.resident() - before;
    assert.ok(grown < GROWTH, `${grown} kB more are resident`);
    assert.equal((await engine.ng.request({ command: 'ping' })).result, 'pong');
  }
  await Promise.all([alice.hears(CALLEE_TONE), bob.hears(CALLER_TONE)]);
  alice.hangup();
  await bob.event('CALL_CLOSED');
  await nothingLeft();
});

world.test('when one of two engines dies, new calls go to the other', async () => {
  await engines[0].kill();
  const [alice, bob] = [await caller(), await callee()];
  for (let call = 0; call < 4; call += 1) {
    alice.dial('bob');
    await talk(alice, bob);
  }
  await sipp({ count: 20, rate: 5, seconds: 2 });
  await nothingLeft();
});
