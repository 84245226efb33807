// A page with somebody else's client library in it, bundled from pages/.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Listener } from './browser.js';

const bundles = new Map();

async function bundle(library) {
  if (!bundles.has(library)) {
    const entry = fileURLToPath(new URL(`../pages/${library}.js`, import.meta.url));
    const { outputFiles } = await build({
      entryPoints: [entry], bundle: true, write: false, format: 'iife', logLevel: 'error', define: { global: 'window' },
    });
    bundles.set(library, outputFiles[0].text);
  }
  return bundles.get(library);
}

/** A page that runs `jssip`, `sipjs`, `websdk` or `wcs3`. */
export class SipPage extends Listener {
  /** @param {import('./world.js').World} world @param {string} library @param {{tone: number}} options */
  static async open(world, library, options) {
    const sipPage = await super.open(world.browser, options);
    const { page } = sipPage;
    // A page that the server really serves, for its origin: Chromium keeps a page made up by the test from private addresses.
    await page.goto(world.page);
    await page.addScriptTag({ content: await bundle(library) });
    sipPage.server = new URL('/', world.page).href.replace('http', 'ws');
    return sipPage;
  }

  register(account) {
    return this.page.evaluate((options) => window.client.register(options), { server: this.server, ...account });
  }

  call(target) {
    return this.page.evaluate((callee) => { window.client.call(callee); }, target);
  }

  async answer() {
    await this.state('incoming');
    await this.page.evaluate(() => { window.client.answer(); });
  }

  async state(state) {
    try {
      await this.page.waitForFunction((wanted) => window.client.state === wanted, state, { timeout: 10_000 });
    } catch (error) {
      const client = await this.page.evaluate(() => JSON.stringify(window.client));
      throw new Error(`the client is not ${state}: ${client}\n${this.console.slice(-20).join('\n')}`, { cause: error });
    }
  }

  talking() {
    return this.state('talking');
  }

  /** Waits until the other side has agreed. */
  hold() {
    return this.page.evaluate(() => window.client.hold());
  }

  resume() {
    return this.page.evaluate(() => window.client.resume());
  }

  /** Resolves once the other side talks to the target. */
  transfer(target) {
    return this.page.evaluate((to) => window.client.transfer(to), target);
  }

  /** Calls somebody to whom the call shall go; {@link SipPage.join} lets it go there. */
  consult(target) {
    return this.page.evaluate((to) => { window.client.consult(to); }, target);
  }

  join() {
    return this.page.evaluate(() => window.client.join());
  }

  async hangup() {
    await this.page.evaluate(() => { window.client.hangup(); });
    await this.state('ended');
  }
}
