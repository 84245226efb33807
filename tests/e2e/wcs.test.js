// Promise: clients of both generations of the Web Call Server work unchanged, and a token calls whom it is for, from
// where it is for, and tells nobody more.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after } from 'node:test';
import { SipPage } from './lib/sip-page.js';
import { startSipp } from './lib/sipp.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { VideoPage, makeClip, telephoneSees } from './lib/video.js';
import { until } from './lib/wait.js';
import { WireTap } from './lib/wiretap.js';
import { WcsSocket } from './lib/wcs-socket.js';
import { World } from './lib/world.js';

const SHOP = 'https://shop.example';
const token = (name, more) => `[[token]]
token = "${name}"
callee = "carol"
account = "dave"
${more}
`;

/** The operator's server: it knows one token. */
const asked = [];
const hook = createServer((request, response) => {
  asked.push(request.url);
  const known = new URL(request.url, 'http://hook').searchParams.get('token') === 'hooked';
  response.writeHead(known ? 200 : 404, { 'Content-Type': 'application/json' });
  response.end(known ? JSON.stringify({ login: 'dave', domain: DOMAIN, callee: 'carol' }) : '');
});
/** The operator's XCAP server: alice has a list. */
const LIST = '<?xml version="1.0" encoding="UTF-8"?><resource-lists><list name="Freunde"/></resource-lists>';
const documents = createServer(({ url, headers }, response) => {
  const found = url === `/root/resource-lists/users/sip:alice@${DOMAIN}/index`;
  response.writeHead(found && headers['x-3gpp-asserted-identity'] === `"sip:alice@${DOMAIN}"` ? 200 : 404);
  response.end(found ? LIST : '');
});
/** The operator's application: it welcomes whoever says hello, and takes nothing else. */
const application = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  const { user, payload } = JSON.parse(text);
  response.writeHead(request.method === 'POST' && payload.hello ? 200 : 409);
  response.end(payload.hello ? JSON.stringify({ welcome: user, back: payload.hello }) : '');
});
for (const server of [hook, documents, application]) await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const xcapRoot = `http://127.0.0.1:${documents.address().port}/root`;

const world = await World.create('wcs', {
  providers: 'balance_header = "X-Balance"',
  extra: `${token('anywhere', 'origins = "*"\nlabel = "A visitor"')}
${token('shop', `origins = ["${SHOP}"]\ncalls = 1\ncalls_per_hour = 2`)}
${token('old', 'origins = "*"\nexpires = 2001-01-01')}
[token_hook]
url = "http://127.0.0.1:${hook.address().port}/token"
http_hosts = ["127.0.0.1"]
timeout = 2
origins = ["${SHOP}"]
[[xcap]]
domain = "${DOMAIN}"
root = "${xcapRoot}"
without_tls = true
[data_hook]
url = "http://127.0.0.1:${application.address().port}/data"
without_tls = true
`,
});
after(async () => {
  await world.close();
  hook.close();
  documents.close();
  application.close();
});

async function client(library, user, tone) {
  const page = world.keep(await SipPage.open(world, library, { tone }));
  await page.register({ user, password: PASSWORD, domain: DOMAIN });
  return page;
}

const both = (page, telephone) => Promise.all([page.hears(1000), telephone.hears(440)]);

for (const library of ['wcs3', 'websdk']) {
  world.test(`${library}: calls, is put on hold by itself, presses keys, hangs up`, async () => {
    const host = world.network.host();
    // What it is sent is heard on the wire: baresip's player into a file does not come back from hold.
    const wire = world.keep(await WireTap.start(world, host));
    const telephone = await world.telephone({ user: 'carol', host, tone: 1000, codecs: 'PCMA/8000/1' });
    const page = await client(library, 'alice', 440);
    await page.call('carol');
    await page.talking();
    await both(page, wire);
    await page.hold();
    await page.state('held');
    await page.resume();
    await page.talking();
    await both(page, wire);
    await page.page.evaluate(() => window.client.sendDigit('5', 'INFO'));
    await page.hangup();
    await telephone.event('CALL_CLOSED');
  });

  world.test(`${library}: is called, and the far end hangs up`, async () => {
    const telephone = await world.telephone({ user: 'carol', tone: 1000 });
    const page = await client(library, 'alice', 440);
    telephone.dial('alice');
    await page.answer();
    await page.talking();
    await both(page, telephone);
    telephone.hangup();
    await page.state('ended');
  });

  world.test(`${library}: transfers a call, and leaves`, async () => {
    const telephone = await world.telephone({ user: 'carol', tone: 1000 });
    const target = await world.telephone({ user: 'bob', tone: 600 });
    const page = await client(library, 'alice', 440);
    await page.call('carol');
    await page.talking();
    await both(page, telephone);
    await page.page.evaluate(() => window.client.transfer('bob'));
    await page.state('ended');
    await Promise.all([telephone.hears(600), target.hears(1000)]);
    target.hangup();
    await telephone.event('CALL_CLOSED');
  });
}

/** A client with a camera, logged in, that notes what it is told. */
async function clientWithCamera(library, user, options) {
  const page = world.keep(await VideoPage.open(world, { library, ...options }));
  page.frames = [];
  page.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => page.frames.push(payload)));
  await page.register({ user, password: PASSWORD, domain: DOMAIN });
  return page;
}

/** The widths and heights of what a client is shown and of what it sends, as it was told last. */
function told({ frames }) {
  const formats = frames.map((text) => JSON.parse(text)).filter(({ message }) => message === 'notifyVideoFormat');
  const [format] = formats.at(-1)?.data ?? [];
  return format && [[format.playerVideoWidth, format.playerVideoHeight], [format.streamerVideoWidth, format.streamerVideoHeight]];
}

/** What a browser sends: where its line is slow at first, smaller pictures than its camera gives. */
async function sentSize(page) {
  const { sent } = await page.videoStats();
  return [sent?.frameWidth, sent?.frameHeight];
}

/** Waits until a client was told the true sizes: what its far end and it itself send then. */
async function isTold(page, farEnd) {
  await until('both true sizes are told', async () => {
    const sizes = [await farEnd(), await sentSize(page)];
    return JSON.stringify(told(page)) === JSON.stringify(sizes);
  }).catch((error) => {
    throw new Error(`it was told ${JSON.stringify(told(page))}`, { cause: error });
  });
}

world.test('wcs3: is told how large the pictures of a telephone are, by H.264, and its own', async () => {
  const clip = await makeClip(world.directory, { colour: 'purple', size: '320x240', seconds: 30 });
  const telephone = await world.telephone({ user: 'carol', tone: 1000, video: { clip } });
  const page = await clientWithCamera('wcs3', 'alice', { tone: 440, colour: 'green', width: 640, height: 480 });
  await page.call('carol');
  await page.talking();
  await Promise.all([page.sees('purple'), telephoneSees(telephone, 'green'), both(page, telephone)]);
  assert.equal((await page.videoStats()).received.codec, 'video/H264');
  await isTold(page, () => [320, 240]);
  await page.hangup();
});

world.test('websdk and wcs3: each is told how large the other one\'s pictures are, by VP8, and its own', async () => {
  const one = await clientWithCamera('websdk', 'alice', { tone: 440, colour: 'green', width: 640, height: 480, codec: 'VP8' });
  const other = await clientWithCamera('wcs3', 'bob', { tone: 1000, colour: 'purple', width: 320, height: 180, codec: 'VP8' });
  await one.call('bob');
  await other.answer();
  await Promise.all([one.talking(), other.talking()]);
  await Promise.all([one.sees('purple'), other.sees('green'), one.hears(1000), other.hears(440)]);
  assert.equal((await one.videoStats()).received.codec, 'video/VP8');
  await Promise.all([isTold(one, () => sentSize(other)), isTold(other, () => sentSize(one))]);
  await one.hangup();
});

world.test('a page with a token calls, and learns neither who calls nor who is called', async () => {
  const telephone = await world.telephone({ user: 'carol', tone: 1000 });
  const page = world.keep(await SipPage.open(world, 'wcs3', { tone: 440 }));
  await page.register({ token: 'anywhere', pageUrl: world.page });
  await page.call(null);
  await page.talking();
  await both(page, telephone);
  await page.hangup();
  const texts = await page.page.evaluate(() => window.client.frames);
  const codecs = texts.map((text) => JSON.parse(text)).filter(({ message }) => message === 'notifyAudioCodec');
  assert.deepEqual(codecs.map(({ data }) => data), [[{ name: 'opus' }]]);
  const frames = texts.join('\n');
  for (const secret of ['carol', 'dave', DOMAIN, PASSWORD]) assert.ok(!frames.includes(secret), secret);
});

/** Logs in as each generation does; returns the words of the refusal, or nothing. */
async function refusal(generation, name, { pageUrl = `${SHOP}/contact`, origin = SHOP } = {}) {
  const socket = world.keep(await WcsSocket.open(world.tandem.page, origin));
  if (generation === 3) socket.send('connect', { token: name, pageUrl });
  else socket.send('connection', { appKey: 'a', authToken: name, custom: { pageUrl } });
  const last = () => socket.frames.map((text) => JSON.parse(text)).find(({ message }) => ['fail', 'registered'].includes(message));
  const { message, data } = await until('an answer', last);
  return message === 'fail' ? data[1] ?? data[0].info : '';
}

world.test('a token is refused in words on other pages, when it has expired, and when it is unknown', async () => {
  for (const generation of [3, 5]) {
    assert.equal(await refusal(generation, 'shop'), '');
    const elsewhere = /may not be used on this page/;
    assert.match(await refusal(generation, 'shop', { origin: 'https://evil.example' }), elsewhere);
    assert.match(await refusal(generation, 'shop', { pageUrl: 'https://evil.example/' }), elsewhere);
    assert.match(await refusal(generation, 'shop', { origin: '' }), elsewhere);
    assert.match(await refusal(generation, 'old'), /expired/);
    assert.match(await refusal(generation, 'guessed'), /not known/);
  }
});

world.test('a token that is not configured is asked for at the operator\'s server', async () => {
  assert.equal(await refusal(5, 'hooked'), '');
  assert.equal(asked.at(-1), `/token?token=hooked&pageUrl=${encodeURIComponent(`${SHOP}/contact`)}&origin=${encodeURIComponent(SHOP)}`);
  assert.match(await refusal(5, 'hooked', { origin: 'https://evil.example' }), /may not be used on this page/);
});

world.test('a client gets its user\'s documents from the XCAP server, and no others', async () => {
  const socket = world.keep(await WcsSocket.open(world.tandem.page));
  socket.send('connection', { appKey: 'a', sipLogin: 'alice', sipPassword: PASSWORD, sipDomain: DOMAIN });
  await socket.message('registered');
  socket.send('sendXcapRequest', `${xcapRoot}/resource-lists/users/sip:alice@${DOMAIN}/index`);
  assert.deepEqual(await socket.message('notifyXcapResponse'), [LIST]);
  socket.send('sendXcapRequest', `${xcapRoot}/resource-lists/users/sip:bob@${DOMAIN}/index`);
  const [{ apiMethod, info }] = await socket.message('fail');
  assert.deepEqual([apiMethod, info], ['sendXcapRequest', 'Other users\' documents cannot be had']);
});

world.test('a client and the operator\'s application talk', async () => {
  const { page } = await client('websdk', 'alice', 440);
  assert.equal(await page.evaluate(() => window.client.say({ hello: 'Grüße' })), 'accepted');
  await page.waitForFunction(() => window.client.heard);
  assert.deepEqual(await page.evaluate(() => window.client.heard), { welcome: `sip:alice@${DOMAIN}`, back: 'Grüße' });
  assert.equal(await page.evaluate(() => window.client.say({ goodbye: 1 })), 'The application refused it (409)');
});

world.test('a client is told its balance, and that its provider asked for it', async () => {
  const host = world.network.host();
  const provider = world.keep(startSipp({
    name: 'registrar', scenario: 'registrar', directory: mkdtempSync(join(world.directory, 'registrar-')), host,
    server: world.tandem.address, keys: { balance: '12.50 EUR' }, args: ['-m', '1'],
  }));
  const socket = world.keep(await WcsSocket.open(world.tandem.page));
  socket.send('connection', {
    appKey: 'a', sipLogin: '1001', sipPassword: 'secret', sipDomain: host.address, sipRegisterRequired: true,
  });
  await socket.message('registered');
  assert.deepEqual(await socket.message('notifyBalance'), [12.5, '']);
  assert.deepEqual(await socket.message('notifyOptions'), ['']);
  assert.equal(await provider.ended, 0);
});
