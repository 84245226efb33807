// Pictures of known colours: clips for telephones, and what a picture shows.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SipPage } from './sip-page.js';
import { ffmpeg } from './speech.js';
import { installVideoKit } from './video-kit.js';
import { pause, until } from './wait.js';

const run = promisify(execFile);

/** How far each of red, green and blue may be from what was sent: encoders and colour spaces take their part. */
const TOLERANCE = 45;

/** A picture that stands for longer is frozen. */
const FROZEN_MS = 300;

const COLOURS = { orange: [255, 128, 0], teal: [0, 128, 128], purple: [128, 0, 160], green: [0, 160, 0] };

/** Whether a colour, as red, green and blue, is the one of that name. */
export function isColour(seen, name) {
  return Boolean(seen) && seen.every((value, index) => Math.abs(value - COLOURS[name][index]) <= TOLERANCE);
}

/** A colour as style sheets write it. */
export const css = (name) => `rgb(${COLOURS[name].join(' ')})`;

/** Makes a clip of one colour. @returns {Promise<string>} its file */
export async function makeClip(directory, { colour, seconds = 60, rate = 15, size = '320x240' }) {
  const file = join(directory, `${colour}.mp4`);
  const [red, green, blue] = COLOURS[colour].map((value) => value.toString(16).padStart(2, '0'));
  await ffmpeg(
    '-f', 'lavfi', '-i', `color=c=0x${red}${green}${blue}:s=${size}:r=${rate}:d=${seconds}`,
    // A little noise, so that each picture is another one.
    '-vf', 'noise=alls=6:allf=t+u',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '30', file,
  );
  return file;
}

/** The colour in the middle of an image file: red, green and blue. */
async function colourOf(file) {
  const { stdout } = await run('ffmpeg', [
    '-hide_banner', '-nostdin', '-loglevel', 'error', '-i', file, '-frames:v', '1',
    '-vf', 'crop=iw/4:ih/4,scale=1:1:flags=area', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-',
  ], { encoding: 'buffer' });
  return [...stdout.subarray(0, 3)];
}

/** Waits until a telephone's picture has that colour. @param {import('./baresip.js').Baresip} telephone */
export async function telephoneSees(telephone, colour) {
  let seen;
  await until(`${telephone.address} sees ${colour}`, async () => {
    const picture = await telephone.snapshot().catch(() => null);
    seen = picture && await colourOf(picture).catch(() => null);
    return isColour(seen, colour);
  }, { timeout: 15_000, interval: 300 }).catch((error) => {
    throw new Error(`it sees ${seen}, not ${COLOURS[colour]}`, { cause: error });
  });
}

/** A {@link SipPage} with a camera. */
export class VideoPage extends SipPage {
  /**
   * @param {import('./world.js').World} world
   * @param {object} options
   * @param {number} options.tone what its microphone hears, in Hz
   * @param {string} options.colour what its camera sees
   * @param {string} [options.library]
   * @param {string} [options.codec] @see installVideoKit
   * @param {boolean} [options.repair] @see installVideoKit
   * @param {import('playwright-core').Browser} [options.browser]
   */
  static async open(world, { tone, colour, library = 'jssip', rate = 15, browser = world.browser, ...options }) {
    const camera = { colour: css(colour), rate, width: 320, height: 240, ...options };
    const prepare = (page) => page.addInitScript(installVideoKit, camera);
    const videoPage = await super.open({ browser, page: world.page }, library, { tone, prepare });
    await videoPage.page.evaluate(() => { window.client.withVideo = true; });
    return videoPage;
  }

  /** @see installVideoKit */
  videoStats() {
    return this.page.evaluate(() => window.kit.video.stats());
  }

  /** Waits until the page sees that colour. */
  async sees(colour, options) {
    let seen;
    try {
      await until(`the page sees ${colour}`, async () => {
        seen = await this.page.evaluate(() => window.kit.video.seen());
        return isColour(seen, colour);
      }, { interval: 100, ...options });
    } catch (error) {
      throw new Error(`the page sees ${seen}, not ${colour}: ${JSON.stringify(await this.videoStats())}`, { cause: error });
    }
  }

  /** Waits until so many more pictures were decoded; returns what {@link VideoPage.observes} does. */
  async watches(pictures, { timeout = 20_000 } = {}) {
    const observed = await this.#begin();
    return until(`${pictures} pictures`, async () => {
      const now = await observed();
      return now.pictures >= pictures && now;
    }, { timeout, interval: 100 });
  }

  /** What is decoded in so many milliseconds: `pictures`, `rate` a second, seconds `frozen`, and the counters at the end. */
  async observes(milliseconds) {
    const observed = await this.#begin();
    await pause(milliseconds);
    return observed();
  }

  async #begin() {
    const before = (await this.videoStats()).received;
    assert.ok(before, 'video is received');
    const start = performance.now();
    const from = await this.page.evaluate(() => performance.now());
    return async () => {
      const { received } = await this.videoStats();
      const pictures = received.framesDecoded - before.framesDecoded;
      const seconds = (performance.now() - start) / 1000;
      const frozen = await this.page.evaluate(([since, least]) => window.kit.video.frozen(since, least), [from, FROZEN_MS]) / 1000;
      return { pictures, seconds, rate: pictures / seconds, frozen, received };
    };
  }
}
