// Promise: pictures reach the far end at the rate and in the colour that they were sent, between browsers and between
// browser and telephone; a key frame comes when it is asked for; what a browser's line loses is repaired.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { VideoPage, makeClip, telephoneSees } from './lib/video.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const ONE_TONE = 440;
const OTHER_TONE = 1000;
/** Pictures a second that cameras give. */
const RATE = 15;
/** The share of the pictures that a sender encodes that is decoded at the far end, at least. */
const LEAST_SHARE = 0.9;
/** A key frame is shown within this many milliseconds of a request; on a machine with other things to do in one of three tries. */
const KEY_FRAME_MS = 500;
const TRIES = 3;
/** How far sound and picture may be apart, in milliseconds: ITU-R BT.1359 finds 125 acceptable where sound is late. */
const APART_MS = 125;
/** What one side takes, where it says so. */
const FAR_LIMIT_KBITS = 120;
/** How long a line that loses is looked at. */
const LOSSY_MS = 8_000;

const world = await World.create('video');
after(() => world.close());

/** A page with a camera, registered as a user. */
async function open(user, options) {
  const page = world.keep(await VideoPage.open(world, options));
  await page.register({ user, password: PASSWORD, domain: DOMAIN });
  return page;
}

async function call(from, to) {
  await from.call(`sip:bob@${DOMAIN}`);
  await to.answer();
  await Promise.all([from.talking(), to.talking()]);
}

/** Pictures in the colour of the sender's camera, as many as it encodes. */
async function watch(page, colour, sender) {
  await page.sees(colour);
  const encoded = async () => (await sender?.videoStats())?.sent?.framesEncoded;
  const before = await encoded();
  const watched = await page.watches(4 * RATE);
  const share = sender ? watched.pictures / (await encoded() - before) : watched.rate / RATE;
  assert.ok(share >= LEAST_SHARE, `only ${share} of the pictures: ${JSON.stringify(watched.received)}`);
  return watched;
}

/** Asks for key frames. */
async function getsKeyFrames(page) {
  const took = [];
  while (took.length < TRIES) {
    took.push(await page.page.evaluate(() => window.kit.video.askForKeyFrame()));
    if (took.at(-1) < KEY_FRAME_MS) return;
  }
  assert.fail(`key frames came after ${took} ms`);
}

/** How far sound and picture that are played now were apart when they were made, in milliseconds. */
async function apart(page) {
  const reports = await page.page.evaluate(async () => {
    const all = [...(await window.kit.connections.at(-1).getStats()).values()];
    return all.filter(({ type }) => type === 'inbound-rtp').map(({ kind, estimatedPlayoutTimestamp }) => [kind, estimatedPlayoutTimestamp]);
  });
  const { audio, video } = Object.fromEntries(reports);
  return audio && video ? Math.abs(audio - video) : null;
}

for (const codec of ['VP8', 'H264']) {
  world.test(`browser to browser by ${codec}: colour, rate, key frames, sound and picture together`, async () => {
    const one = await open('alice', { tone: ONE_TONE, colour: 'orange', codec, asksForKeyFrames: true });
    const other = await open('bob', { tone: OTHER_TONE, colour: 'teal', codec, asksForKeyFrames: true });
    await call(one, other);
    const [seen] = await Promise.all([watch(one, 'teal', other), watch(other, 'orange', one), one.hears(OTHER_TONE), other.hears(ONE_TONE)]);
    assert.equal(seen.received.codec, `video/${codec}`);
    for (const page of [one, other]) {
      await getsKeyFrames(page);
      // Chromium brings them together little by little.
      let gap;
      await until('sound and picture are together', async () => {
        gap = await apart(page);
        return gap !== null && gap < APART_MS;
      }, { timeout: 15_000, interval: 200 }).catch((error) => {
        throw new Error(`sound and picture are ${gap} ms apart`, { cause: error });
      });
    }
    await one.hangup();
  });
}

world.test('browser and telephone by H.264, both ways', async () => {
  const clip = await makeClip(world.directory, { colour: 'purple' });
  const telephone = await world.telephone({ user: 'carol', tone: OTHER_TONE, video: { clip } });
  const page = await open('alice', { tone: ONE_TONE, colour: 'green', asksForKeyFrames: true });
  await page.call(`sip:carol@${DOMAIN}`);
  await page.talking();
  const [watched] = await Promise.all([
    watch(page, 'purple'), page.hears(OTHER_TONE), telephone.hears(ONE_TONE), telephoneSees(telephone, 'green'),
  ]);
  assert.equal(watched.received.codec, 'video/H264');
  await getsKeyFrames(page);
  await page.hangup();
});

world.test('a browser sends no more than the far side takes', async () => {
  const one = await open('alice', { tone: ONE_TONE, colour: 'orange' });
  const other = await open('bob', { tone: OTHER_TONE, colour: 'teal', limit: FAR_LIMIT_KBITS });
  await call(one, other);
  await Promise.all([watch(one, 'teal', other), watch(other, 'orange', one)]);
  await until(`no more than ${FAR_LIMIT_KBITS} kbit/s are sent`, async () => {
    const { sent } = await one.videoStats();
    return sent.targetBitrate <= FAR_LIMIT_KBITS * 1000;
  });
  await one.hangup();
});

world.test('video is added in mid-call from either side, and dropped', async () => {
  const one = await open('alice', { tone: ONE_TONE, colour: 'orange' });
  const other = await open('bob', { tone: OTHER_TONE, colour: 'teal' });
  for (const page of [one, other]) await page.page.evaluate(() => { window.client.withVideo = false; });
  await call(one, other);
  await Promise.all([one.hears(OTHER_TONE), other.hears(ONE_TONE)]);
  await one.page.evaluate(() => window.client.addVideo());
  await watch(other, 'orange', one);
  await other.page.evaluate(() => window.client.addVideo());
  await Promise.all([watch(one, 'teal', other), watch(other, 'orange', one)]);
  await one.page.evaluate(() => window.client.dropVideo());
  await until('no more pictures are sent', async () => {
    const before = (await other.videoStats()).sent?.packetsSent;
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    return (await other.videoStats()).sent?.packetsSent === before;
  });
  await Promise.all([one.hears(OTHER_TONE), other.hears(ONE_TONE)]);
  await one.hangup();
});

world.test('a telephone adds video in mid-call, and the browser then shows its own', async () => {
  const clip = await makeClip(world.directory, { colour: 'purple' });
  const telephone = await world.telephone({ user: 'carol', tone: OTHER_TONE, video: { clip } });
  const page = await open('alice', { tone: ONE_TONE, colour: 'green' });
  await page.page.evaluate(() => { window.client.withVideo = false; });
  await page.call(`sip:carol@${DOMAIN}`);
  await page.talking();
  const hear = () => Promise.all([page.hears(OTHER_TONE), telephone.hears(ONE_TONE)]);
  await hear();
  assert.equal((await page.videoStats()).received, null, 'it begins without pictures');
  telephone.showVideo('sendrecv');
  // Beside a picture that goes one way only, a browser must still find its sound.
  await Promise.all([page.sees('purple'), hear()]);
  await page.page.evaluate(() => window.client.addVideo());
  await Promise.all([page.sees('purple'), telephoneSees(telephone, 'green'), hear()]);
  await page.hangup();
});

/** Loses packets of UDP to and from a host, each where it comes in: a sender that is told of a loss sends again. */
function loseAt(host, share) {
  const lose = ['-p', 'udp', '-m', 'statistic', '--mode', 'random', '--probability', String(share), '-j', 'DROP'];
  host.run('iptables', '-A', 'INPUT', ...lose);
  const rule = ['INPUT', '-s', host.address, ...lose];
  execFileSync('iptables', ['-A', ...rule]);
  world.keep({ close: () => execFileSync('iptables', ['-D', ...rule]) });
}

/** What both ends of a call see in {@link LOSSY_MS} of 3 % of loss between Tandem and one of them. */
async function seenWithLoss(repair) {
  const host = world.network.host();
  const browser = world.keep(await launchBrowser({ origin: world.page, directory: world.directory, host }));
  const near = await open('alice', { tone: ONE_TONE, colour: 'orange', codec: 'VP8', repair });
  const far = await open('bob', { tone: OTHER_TONE, colour: 'teal', codec: 'VP8', repair, browser });
  await call(near, far);
  await Promise.all([watch(near, 'teal', far), watch(far, 'orange', near)]);
  loseAt(host, 0.03);
  const [up, down] = await Promise.all([near.observes(LOSSY_MS), far.observes(LOSSY_MS)]);
  await near.hangup();
  await Promise.all([near.close(), far.close()]);
  return { up, down };
}

world.test('3 % of loss on the line of a browser is repaired', async (context) => {
  const repaired = await seenWithLoss(true);
  const unrepaired = await seenWithLoss(false);
  const sum = (seen, key) => seen.up[key] + seen.down[key];
  for (const [name, { up, down }] of Object.entries({ repaired, unrepaired })) {
    context.diagnostic(`${name}: ${up.pictures} pictures, ${up.frozen.toFixed(2)} s frozen up; `
      + `${down.pictures}, ${down.frozen.toFixed(2)} s down; of ${down.seconds.toFixed(1)} s`);
  }
  assert.ok(sum(repaired, 'pictures') > sum(unrepaired, 'pictures'), 'more pictures are seen with retransmission');
  assert.ok(sum(repaired, 'frozen') < sum(unrepaired, 'frozen') / 2, 'less time is frozen with retransmission');
  assert.ok(repaired.down.received.retransmittedPacketsReceived > 0, 'we sent again what was lost on the way to the browser');
}, { timeout: 90_000 });
