// Promise: malformed input of every kind is dropped and counted, and a call beside it keeps its sound.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { once } from 'node:events';
import { after } from 'node:test';
import {
  connectivityCheck, generator, malformedDescription, malformedFrame, malformedMedia, malformedSip, malformedWebSocket,
} from './lib/malformed.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { pause, until } from './lib/wait.js';
import { World } from './lib/world.js';

const SEED = Number(process.env.SEED ?? 20260722);
const FLOOD_MILLISECONDS = 8000;
/** Datagrams, frames and connections in one burst, and the pause after it. */
const BURST = 20;
const BURST_PAUSE = 10;
const PAGE_TONE = 440;
const PHONE_TONE = 1000;
/** What must be counted, by what was malformed. */
const COUNTED = {
  'SIP messages': 'tandem_switch_sip_dropped{reason="Malformed"}',
  'SIP streams': 'tandem_signaling_drops_total{reason="framing"}',
  'session descriptions': 'tandem_switch_calls_failed{reason="400"}',
  'WebSocket frames': 'tandem_signaling_drops_total{reason="websocket"}',
  'WCS messages': 'tandem_switch_browser_frames_malformed',
  'packets of no protocol': 'tandem_dataplane_dropped{reason="unknown_protocol"}',
  'STUN from anywhere': 'tandem_dataplane_dropped{reason="unexpected_stun"}',
  'STUN at an ICE agent': 'tandem_dataplane_dropped{reason="bad_stun"}',
  'DTLS from anywhere': 'tandem_dataplane_dropped{reason="unexpected_dtls"}',
  'DTLS at an association': 'tandem_dataplane_dropped{reason="bad_dtls"}',
  'RTP from strangers': 'tandem_dataplane_dropped{reason="stranger_source"}',
  'RTCP from strangers': 'tandem_dataplane_dropped{reason="wrong_component"}',
  'SRTP without keys': 'tandem_dataplane_dropped{reason="srtp_authentication"}',
  'SRTP and SRTCP headers': 'tandem_dataplane_dropped{reason="srtp_refused"}',
};

const world = await World.create('flood');
after(() => world.close());

async function repeatUntil(deadline, act) {
  while (Date.now() < deadline) {
    for (let times = 0; times < BURST; times += 1) act();
    await pause(BURST_PAUSE);
  }
}

/** `introduction`: sent before all others. */
async function floodDatagrams(port, make, deadline, introduction) {
  const socket = createSocket('udp4');
  socket.on('error', () => {});
  if (introduction) {
    const answer = once(socket, 'message');
    socket.send(introduction, port, world.tandem.address);
    await answer;
  }
  await repeatUntil(deadline, () => socket.send(make(), port, world.tandem.address));
  socket.close();
}

/** TCP to the SIP and HTTP ports. Each connection brings one broken message. */
async function floodStreams(port, make, deadline) {
  const open = new Set();
  await repeatUntil(deadline, () => {
    if (open.size > 50) return;
    const socket = connect(port, world.tandem.address);
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    socket.setTimeout(500, () => socket.destroy());
    socket.resume().end(make());
  });
  open.forEach((socket) => socket.destroy());
}

/** WebSockets are opened in a page, which has a client for them. @param {string[]} protocols sub-protocols */
async function floodWebSockets(page, protocols, make, deadline) {
  while (Date.now() < deadline) {
    const frames = Array.from({ length: BURST }, make);
    await page.evaluate(([names, texts]) => new Promise((resolve) => {
      const socket = new WebSocket(`ws://${location.host}/`, names);
      socket.onopen = () => { texts.forEach((text) => socket.send(text)); socket.close(); };
      socket.onclose = resolve;
    }), [protocols, frames]);
  }
}

/** Calls between two users on one page, with damaged offers. What is still an offer rings, and is hung up. */
async function floodDescriptions(page, description, random, deadline) {
  await page.evaluate(async ([domain, password]) => {
    const login = (user) => new Promise((resolve) => {
      const socket = new WebSocket(`ws://${location.host}/`);
      const say = (message, argument) => socket.send(JSON.stringify({ message, data: [argument] }));
      socket.onopen = () => say('connection', { sipLogin: user, sipPassword: password, sipDomain: domain });
      socket.onmessage = ({ data }) => JSON.parse(data).message === 'registered' && resolve(say);
    });
    await login('bob');
    window.say = await login('dave');
  }, [DOMAIN, PASSWORD]);
  for (let call = 0; Date.now() < deadline; call += 1) {
    await page.evaluate(([callId, sdp]) => {
      window.say('call', { callId, callee: 'bob', sdp });
      window.say('hangup', { callId });
    }, [`flood-${call}`, malformedDescription(description, random)]);
  }
}

world.test('a flood of malformed input beside a call', async () => {
  const random = generator(SEED);
  const { address } = world.tandem;
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const page = await world.phone({ user: 'alice', tone: PAGE_TONE });
  await page.dial('carol');
  await page.state('talking');
  await page.hears(PHONE_TONE);
  const [offer, answer] = await page.page.evaluate(() => {
    const { localDescription, remoteDescription } = window.kit.connections.at(-1);
    return [localDescription.sdp, remoteDescription.sdp];
  });
  const mediaPort = Number(/a=candidate:\S+ 1 udp \d+ \S+ (\d+)/i.exec(answer)[1]);
  const userFragment = (description) => /a=ice-ufrag:(\S+)/.exec(description)[1];
  const check = connectivityCheck({
    username: `${userFragment(answer)}:${userFragment(offer)}`, password: /a=ice-pwd:(\S+)/.exec(answer)[1],
  }, random);
  // The first description in the telephone's trace is the offer that Tandem sent it.
  const telephonePort = Number(/m=audio (\d+)/.exec(telephone.process.output())[1]);
  const processes = world.tandem.children();
  const before = await world.tandem.metrics();

  const other = world.keep(await world.browser.newContext());
  const [frames, messages, calls] = [await other.newPage(), await other.newPage(), await other.newPage()];
  for (const flooder of [frames, messages, calls]) await flooder.goto(world.tandem.page);
  const deadline = Date.now() + FLOOD_MILLISECONDS;
  await Promise.all([
    floodDatagrams(5060, () => malformedSip(address, random), deadline),
    floodDatagrams(mediaPort, () => malformedMedia(random), deadline),
    floodDatagrams(mediaPort, () => malformedMedia(random), deadline, check),
    floodDatagrams(telephonePort, () => malformedMedia(random), deadline),
    floodDatagrams(telephonePort + 1, () => malformedMedia(random), deadline),
    floodStreams(5060, () => malformedSip(address, random), deadline),
    floodStreams(8080, () => malformedSip(address, random), deadline),
    floodStreams(8080, () => malformedWebSocket(address, random), deadline),
    floodWebSockets(frames, [], () => malformedFrame(random), deadline),
    floodWebSockets(messages, ['sip'], () => malformedSip(address, random).toString('latin1'), deadline),
    floodDescriptions(calls, offer, random, deadline),
    page.hears(PHONE_TONE),
  ]);

  await page.hears(PHONE_TONE);
  assert.deepEqual(world.tandem.children(), processes, 'no process died');
  const later = await world.tandem.metrics();
  const uncounted = Object.entries(COUNTED).filter(([, name]) => !(later.get(name) > (before.get(name) ?? 0)));
  assert.deepEqual(uncounted, [], 'drops are counted by reason');
  assert.doesNotMatch(world.tandem.process.output(), /panicked/);
  await page.hangup();
  await until('no call is left', async () => {
    const now = await world.tandem.metrics();
    return now.get('tandem_switch_calls_active') === 0 && now.get('tandem_dataplane_sessions') === 0;
  });
});
