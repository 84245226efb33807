// What a test file runs in: a network, a Tandem, a browser, telephones; all of it gone afterwards, and the logs too
// unless something failed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Baresip } from './baresip.js';
import { launchBrowser, PhonePage } from './browser.js';
import { Network, isRoot } from './network.js';
import { DOMAIN, PASSWORD, Tandem } from './tandem.js';

/** A test may take this long, in milliseconds. */
const TEST_TIMEOUT = 60_000;
const SKIP = isRoot ? false : 'network namespaces need root';

export class World {
  #failed = false;
  #open = [];

  /**
   * @param {string} name of the test file
   * @param {object} [options]
   * @param {number} [options.ring] see {@link Tandem.start}
   * @param {string} [options.media] see {@link Tandem.start}
   * @param {string} [options.extra] see {@link Tandem.start}
   * @param {string} [options.providers] see {@link Tandem.start}
   * @param {boolean} [options.browser] whether there is one
   * @param {(world: World) => Promise<string>} [options.start] starts something else than Tandem; gives a page's address
   */
  static async create(name, { ring, media, extra, providers, browser = true, start } = {}) {
    const world = new World();
    if (SKIP) return world;
    world.directory = mkdtempSync(join(tmpdir(), `tandem-e2e-${name}-`));
    try {
      world.network = new Network();
      const { address } = world.network;
      if (start) {
        world.page = await start(world);
      } else {
        world.tandem = await Tandem.start({ address, directory: world.directory, ring, media, extra }, { providers });
        world.#open.push(world.tandem);
        world.page = `${world.tandem.page}health`;
      }
      if (browser) world.browser = await launchBrowser({ origin: world.page, directory: world.directory });
    } catch (error) {
      world.#failed = true;
      await world.close();
      throw error;
    }
    return world;
  }

  /** A test whose failure keeps the logs. What it opened is closed at its end. */
  test(name, run, { timeout = TEST_TIMEOUT } = {}) {
    test(name, { skip: SKIP, timeout }, async (context) => {
      const before = this.#open.length;
      try {
        await run(context);
      } catch (error) {
        this.#failed = true;
        const metrics = (await this.tandem?.metrics().catch(() => null)) ?? new Map();
        writeFileSync(join(this.directory, 'metrics.log'), [...metrics].map((sample) => sample.join(' ')).join('\n'));
        throw error;
      } finally {
        await this.#closeFrom(before);
      }
    });
  }

  /** Keeps something open until the running test ends; it must have `close` or `stop`. */
  keep(resource) {
    this.#open.push(resource);
    return resource;
  }

  /** A phone page where a local user is logged in. @param {{user: string, tone: number, codecs?: string[], colour?: string}} options */
  async phone({ user, tone, codecs, colour, account = {}, browser = this.browser }) {
    const phone = this.keep(await PhonePage.open(browser, { tone, codecs, colour }));
    await phone.login(this.tandem.page, { user, password: PASSWORD, ...account });
    await phone.loggedIn();
    return phone;
  }

  /** A telephone registered at Tandem. @see Baresip.start */
  async telephone(options) {
    const host = options.host ?? this.network.host();
    return this.keep(await Baresip.start({
      directory: mkdtempSync(join(this.directory, 'phone-')), host, domain: DOMAIN, password: PASSWORD, server: this.tandem?.address, ...options,
    }));
  }

  async #closeFrom(index) {
    for (const resource of this.#open.splice(index).reverse()) {
      await (resource.close ?? resource.stop).call(resource);
    }
  }

  async close() {
    await this.browser?.close();
    await this.#closeFrom(0);
    this.network?.remove();
    if (!this.directory) return;
    if (this.#failed) console.error(`Logs are kept in ${this.directory}`);
    else rmSync(this.directory, { recursive: true });
  }
}
