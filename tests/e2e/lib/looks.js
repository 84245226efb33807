// What a page looks like: its faults as axe finds them, in both colour schemes, and pictures of it.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** What must not be found. */
const SERIOUS = ['serious', 'critical'];

/** Widths that a page is looked at. */
export const SIZES = { desktop: { width: 1280, height: 800 }, telephone: { width: 390, height: 844 } };

/** Follows one page through its states. */
export class Looks {
  #faults = [];

  /**
   * @param {import('playwright-core').Page} page
   * @param {string} name of the pictures
   * @param {string} directory where pictures of faulty states go; with TANDEM_SCREENSHOTS all pictures go there
   */
  constructor(page, name, directory) {
    this.page = page;
    this.name = name;
    this.directory = process.env.TANDEM_SCREENSHOTS ?? directory;
    mkdirSync(this.directory, { recursive: true });
  }

  /** Looks at the page as it is now. @param {string} state its name */
  async at(state) {
    const { page } = this;
    if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(AXE);
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      // Outside and inside of an open dialog are not looked at together: the rest of the page is inert.
      const found = await page.evaluate(() => {
        const dialog = document.querySelector('dialog[open]');
        return window.axe.run(dialog ?? document, { resultTypes: ['violations'] });
      });
      const faults = found.violations.filter(({ impact }) => SERIOUS.includes(impact));
      for (const { id, help, nodes } of faults) {
        this.#faults.push(`${state}, ${colorScheme}: ${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (overflow > 0) this.#faults.push(`${state}, ${colorScheme}: ${overflow} px wider than the screen`);
      if (faults.length || process.env.TANDEM_SCREENSHOTS) {
        await page.screenshot({ path: join(this.directory, `${this.name}-${state}-${colorScheme}.png`) });
      }
    }
  }

  /** @returns {string[]} all faults so far */
  get faults() {
    return this.#faults;
  }
}
