// Promise: one script tag puts a call button on anybody's page; the page holds a token, and the browser never sees whose
// account it is, nor whom it calls.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { gzipSync } from 'node:zlib';
import { launchBrowser, Listener } from './lib/browser.js';
import { ForeignPage } from './lib/foreign-page.js';
import { Looks, SIZES } from './lib/looks.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { css, isColour, makeClip, telephoneSees } from './lib/video.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const SHOP_PORT = 9090;
const THIEF_PORT = 9091;
const PAGE_TONE = 440;
const PHONE_TONE = 1000;
const LABEL = 'Call the shop';
/** Bytes, compressed, of everything that the widget loads. */
const MOST_BYTES = 60_000;

const TOKENS = { shop: 'shop-0d5f6b', shown: 'shown-41b8d3', once: 'once-77a2e1', expired: 'late-3c9f20' };

const world = await World.create('widget', {
  browser: false,
  extra: (address) => [
    { token: TOKENS.shop }, { token: TOKENS.shown, more: 'video = true' }, { token: TOKENS.once, more: 'calls = 1' }, { token: TOKENS.expired, more: 'expires = 2020-01-01T00:00:00Z' },
  ].map(({ token, more = '' }) => `[[token]]
token = "${token}"
account = "dave@${DOMAIN}"
callee = "carol"
origins = ["http://${address}:${SHOP_PORT}"]
${more}
`).join(''),
});
after(() => world.close());

if (world.tandem) {
  const { address } = world.network;
  const gateway = new URL(world.tandem.page).origin;
  world.shop = world.keep(await ForeignPage.start({ address, port: SHOP_PORT, gateway }));
  world.thief = world.keep(await ForeignPage.start({ address, port: THIEF_PORT, gateway }));
  world.browser = await launchBrowser({ origin: [gateway, world.shop.origin, world.thief.origin], directory: world.directory });
}

/** A visitor of a page with the widget. What the browser receives is kept. */
class Visitor extends Listener {
  received = [];
  loaded = new Map();

  static async visit(token, { site = world.shop, attributes = {}, hostile = true, size = 'desktop', ...options } = {}) {
    const visitor = world.keep(await super.open(world.browser, { tone: PAGE_TONE, ...options }));
    visitor.watch();
    await visitor.page.setViewportSize(SIZES[size]);
    await visitor.page.goto(site.page({ token, label: LABEL, ...attributes }, { hostile }));
    await visitor.button(LABEL).waitFor();
    return visitor;
  }

  watch() {
    this.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => this.received.push(String(payload))));
    this.page.on('response', (response) => {
      this.loaded.set(response.url(), response.body().then((body) => {
        this.received.push(JSON.stringify(response.headers()), body.toString('latin1'));
        return body;
      }, () => Buffer.alloc(0)));
    });
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  async says(words) {
    const status = this.page.getByRole('status');
    try {
      await status.filter({ hasText: words }).waitFor({ timeout: 10_000 });
    } catch (error) {
      throw new Error(`the widget says "${await status.textContent()}", not ${words}\n${this.console.join('\n')}`, { cause: error });
    }
  }
}

world.test('a widget on a page of another origin calls a telephone', async () => {
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const visitor = await Visitor.visit(TOKENS.shop);
  const early = await visitor.page.evaluate(() => window.kit.wanted.length + window.kit.connections.length);
  assert.equal(early, 0, 'nothing is asked before the click');
  assert.equal([...visitor.loaded.keys()].filter((url) => url.includes('/lib/')).length, 0, 'nor is the library loaded');

  await visitor.button(LABEL).click();
  await visitor.says('Connected');
  await Promise.all([visitor.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  await visitor.button('Mute').click();
  await assert.rejects(telephone.hears(PAGE_TONE, { timeout: 2000 }));
  await visitor.button('Mute').click();
  await telephone.hears(PAGE_TONE);
  await visitor.button('Hang up').click();
  await visitor.says('The call has ended.');
  await telephone.event('CALL_CLOSED');

  const bytes = visitor.received.join('\n');
  for (const secret of [PASSWORD, 'dave', 'carol']) assert.ok(!bytes.includes(secret), `${secret} is in what the browser received`);
  assert.ok(bytes.includes('"registered"') || bytes.includes('ESTABLISHED'), 'what the browser received was looked at');
});

/** Waits until the widget shows that colour. */
async function shows(visitor, label, colour) {
  const picture = visitor.page.getByLabel(label, { exact: true });
  let seen;
  await until(`${label}: ${colour}`, async () => {
    seen = await picture.evaluate((video) => {
      if (!video.videoWidth || !video.checkVisibility()) return null;
      const canvas = Object.assign(document.createElement('canvas'), { width: 3, height: 3 });
      const context = canvas.getContext('2d');
      context.drawImage(video, 0, 0, 3, 3);
      return [...context.getImageData(1, 1, 1, 1).data.slice(0, 3)];
    });
    return isColour(seen, colour);
  }, { interval: 100 }).catch((error) => { throw new Error(`it shows ${seen}`, { cause: error }); });
}

world.test('a widget with pictures: each side sees the other, and the camera is switched off and on', async () => {
  const clip = await makeClip(world.directory, { colour: 'purple' });
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE, video: { clip } });
  const visitor = await Visitor.visit(TOKENS.shown, { attributes: { video: 'true' }, colour: css('green') });
  const hear = () => Promise.all([visitor.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  await visitor.button(LABEL).click();
  await visitor.says('Connected');
  await Promise.all([
    shows(visitor, 'The other side', 'purple'), shows(visitor, 'You', 'green'), telephoneSees(telephone, 'green'), hear(),
  ]);
  await visitor.button('Camera off').click();
  await visitor.page.getByLabel('You', { exact: true }).waitFor({ state: 'hidden' });
  await Promise.all([shows(visitor, 'The other side', 'purple'), hear()]);
  await visitor.button('Camera off').click();
  await Promise.all([shows(visitor, 'You', 'green'), telephoneSees(telephone, 'green'), hear()]);
  await visitor.button('Hang up').click();
  await telephone.event('CALL_CLOSED');
});

world.test('the telephone hangs up, and the visitor calls again', async () => {
  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const visitor = await Visitor.visit(TOKENS.shop);
  await visitor.button(LABEL).click();
  await visitor.says('Connected');
  await Promise.all([visitor.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  telephone.hangup();
  await visitor.says('The call has ended.');
  await visitor.button('Call again').click();
  await visitor.says('Connected');
  await Promise.all([visitor.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
  await visitor.page.goto('about:blank');
  await telephone.event('CALL_CLOSED');
});

world.test('a token is refused in words: on another site, after its time, above its limit, and when nobody knows it', async () => {
  const refused = async (token, words, options) => {
    const visitor = await Visitor.visit(token, options);
    await visitor.button(LABEL).click();
    await visitor.says(words);
    assert.equal(await visitor.page.evaluate(() => window.kit.wanted.length), 0, 'the microphone was not asked for');
  };
  await refused(TOKENS.shop, 'This call button may not be used on this page.', { site: world.thief });
  await refused(TOKENS.expired, 'This call button has expired.');
  await refused('nobody-knows-it', 'This call button is not known.');

  const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const first = await Visitor.visit(TOKENS.once);
  await first.button(LABEL).click();
  await first.says('Connected');
  const second = await Visitor.visit(TOKENS.once);
  await second.button(LABEL).click();
  await second.says('All lines of this button are busy');
  await Promise.all([first.hears(PHONE_TONE), telephone.hears(PAGE_TONE)]);
});

world.test('the widget works under a strict policy and hostile styles, by keyboard alone, and is small', async () => {
  await world.telephone({ user: 'carol', tone: PHONE_TONE });
  const context = world.keep(await world.browser.newContext({ permissions: ['microphone'] }));
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  const loaded = [];
  page.on('response', (response) => {
    if (response.url().startsWith(world.tandem.page)) loaded.push(response.body());
  });
  await page.goto(world.shop.page({ token: TOKENS.shop, label: LABEL }));
  const launch = page.getByRole('button', { name: LABEL });
  await launch.waitFor();
  const style = await launch.evaluate((button) => getComputedStyle(button).fontSize);
  assert.equal(style, '16px', "the page's style sheet does not reach the widget");
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const status = page.getByRole('status');
  await status.filter({ hasText: 'Connected' }).waitFor();
  await page.keyboard.press('5');
  await page.keyboard.press('Enter');
  await status.filter({ hasText: 'The call has ended.' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.textContent), 'Call again');
  await page.keyboard.press('Escape');
  await launch.waitFor();
  assert.deepEqual(complaints, []);
  const sizes = (await Promise.all(loaded)).map((body) => gzipSync(body).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(sizes.length > 3 && total < MOST_BYTES, `${sizes.length} files, ${total} bytes`);
});

for (const size of Object.keys(SIZES)) {
  world.test(`the widget has no fault that axe calls serious, ${size}`, async () => {
    const telephone = await world.telephone({ user: 'carol', tone: PHONE_TONE, answer: 'manual' });
    const visitor = await Visitor.visit(TOKENS.shop, { hostile: false, size });
    const looks = new Looks(visitor.page, `widget-${size}`, world.directory);
    await looks.at('idle');
    await visitor.button(LABEL).click();
    await visitor.says('Ringing');
    await looks.at('ringing');
    telephone.command('accept');
    await visitor.says('Connected');
    await looks.at('talking');
    await visitor.button('Keypad').click();
    await visitor.button('Mute').click();
    await looks.at('keypad');
    telephone.hangup();
    await visitor.says('The call has ended.');
    await looks.at('over');
    assert.deepEqual(looks.faults, []);
  });
}
