// Chromium, and the pages in it that make calls.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { toneWindows } from './audio.js';
import { installKit } from './kit.js';
import { until } from './wait.js';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

/**
 * @param {object} options
 * @param {string | string[]} options.origin of pages that may use the microphone although they have no TLS
 * @param {string} options.directory where a wrapper may be written
 * @param {import('./network.js').Host} [options.host] where it runs, if not beside Tandem
 */
export function launchBrowser({ origin, directory, host }) {
  let executablePath = EXECUTABLE;
  if (host) {
    executablePath = join(directory, `chromium-${host.namespace}`);
    writeFileSync(executablePath, `#!/bin/sh\nexec ${host.inside(EXECUTABLE).join(' ')} "$@"\n`);
    chmodSync(executablePath, 0o755);
  }
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-features=LocalNetworkAccessChecks', '--autoplay-policy=no-user-gesture-required',
      '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
      `--unsafely-treat-insecure-origin-as-secure=${[origin].flat().map((each) => new URL(each).origin).join(',')}`,
    ],
  });
}

/** A page with a tone for a microphone, whose far end is recorded. */
export class Listener {
  /**
   * @param {import('playwright-core').Browser} browser
   * @param {{tone: number, codecs?: string[], colour?: string, prepare?: (page: import('playwright-core').Page) => Promise<void>}} options
   *   see installKit; `prepare` does more before the page is loaded
   */
  static async open(browser, { prepare, ...options }) {
    const listener = new this();
    // Content-Security-Policy would keep the recorder out; page.test.js loads the page without this.
    listener.context = await browser.newContext({ bypassCSP: true, ignoreHTTPSErrors: true });
    listener.page = await listener.context.newPage();
    listener.console = [];
    listener.page.on('console', (message) => listener.console.push(message.text()));
    listener.page.on('pageerror', (error) => listener.console.push(String(error.stack)));
    await listener.page.addInitScript(installKit, options);
    await prepare?.(listener.page);
    return listener;
  }

  /** The last seconds of what the page heard. */
  async recording(seconds) {
    const { rate, base64 } = await this.page.evaluate((length) => window.kit.recording(length), seconds);
    const bytes = Buffer.from(base64, 'base64');
    const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    return { rate, samples: Float32Array.from(samples, (sample) => sample / 32768) };
  }

  /** Waits until the page has heard a second of this tone, counted from now. */
  async hears(frequency, options) {
    await this.page.evaluate(() => window.kit.forget());
    let windows = [];
    try {
      await until('the tone', async () => {
        windows = toneWindows(await this.recording(1.2), frequency);
        return windows.filter(Boolean).length >= 10;
      }, { interval: 200, ...options });
    } catch (error) {
      const stats = await this.page.evaluate(() => window.kit.connections.length && window.kit.stats());
      const heard = windows.map((window) => (window ? '#' : '.')).join('');
      throw new Error(`no second of ${frequency} Hz was heard: [${heard}] ${JSON.stringify(stats)}`, { cause: error });
    }
  }

  /** @see installKit */
  stats() {
    return this.page.evaluate(() => window.kit.stats());
  }

  close() {
    return this.context.close();
  }
}

/** The phone page, handled as a person does: by labels, buttons and words. */
export class PhonePage extends Listener {
  /** Opens the page and logs in. @param {{user: string, password: string, domain?: string, proxy?: string}} account */
  async login(url, { user, password, domain, proxy }) {
    const { page } = this;
    await page.goto(url);
    await page.locator('#login-button:enabled').waitFor();
    await page.getByLabel('User').fill(user);
    await page.getByLabel('Password').fill(password);
    if (domain) {
      await page.getByText('Account at a VoIP provider').click();
      await page.getByLabel('Domain').fill(domain);
      await page.getByLabel('Server', { exact: true }).fill(proxy ?? '');
    }
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  /** Waits until the log-in has succeeded. */
  async loggedIn() {
    try {
      await this.page.getByLabel('Number, name or address').waitFor({ timeout: 15_000 });
    } catch (error) {
      const message = await this.page.locator('#message').textContent();
      throw new Error(`the page says "${message}", and is not logged in: ${this.console.join('; ')}`, { cause: error });
    }
  }

  async dial(callee) {
    await this.page.getByLabel('Number, name or address').fill(callee);
    await this.page.getByRole('button', { name: 'Call', exact: true }).click();
  }

  async press(button) {
    await this.page.getByRole('button', { name: button, exact: true }).click();
  }

  /** Waits for a state of the call: idle, calling, alerting, incoming, answering, talking. */
  async state(state, timeout = 10_000) {
    try {
      await this.page.locator(`#phone[data-state=${state}]`).waitFor({ timeout });
    } catch (error) {
      const now = await this.page.locator('#phone').getAttribute('data-state');
      const message = await this.page.locator('#message').textContent();
      throw new Error(`the page is ${now}, not ${state}; it says: ${message}`, { cause: error });
    }
  }

  /** Waits until the page says something. */
  async says(words, timeout = 10_000) {
    const message = this.page.locator('#message');
    try {
      await message.filter({ hasText: words }).waitFor({ timeout });
    } catch (error) {
      throw new Error(`the page says "${await message.textContent()}", not ${words}`, { cause: error });
    }
  }

  /** Hands the call over without a word. */
  async transfer(target) {
    await this.press('Transfer');
    await this.page.getByLabel('Transfer to').fill(target);
    await this.press('Transfer now');
  }

  /** Holds the call and calls somebody, to whom it shall go; {@link PhonePage.join} lets it go there. */
  async consult(target) {
    await this.press('Transfer');
    await this.page.getByLabel('Transfer to').fill(target);
    await this.press('Speak first');
  }

  async join() {
    await this.page.locator('#connect').click();
  }

  /** Answers when it rings. */
  async answer() {
    await this.state('incoming');
    await this.press('Answer');
  }

  /** Hangs up, and waits until the page is idle again. */
  async hangup() {
    await this.press('Hang up');
    await this.state('idle');
  }
}
