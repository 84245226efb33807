// Click to first audio: a browser calls an auto-answering telephone at a provider (Kamailio, which challenges), through
// Tandem and through Janus in turns. Printed: the time from the click to the first loud sample in the browser.
//
//     node bench/first-audio/run.js [--rounds 15] [--json FILE]
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Baresip } from '../../tests/e2e/lib/baresip.js';
import { launchBrowser, PhonePage } from '../../tests/e2e/lib/browser.js';
import { PROVIDER_DOMAIN, PROVIDER_PASSWORD, startKamailio } from '../../tests/e2e/lib/kamailio.js';
import { Network } from '../../tests/e2e/lib/network.js';
import { Tandem } from '../../tests/e2e/lib/tandem.js';
import { installJanusPage, startJanus } from './janus.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' }, json: { type: 'string' } } });
const CALLEE = 'answerer';
const QUIET_BETWEEN_CALLS = 700;
const FIRST_AUDIO_TIMEOUT = 10_000;

/** Runs inside the page: notes when the call button was clicked and when the first loud sample was heard. */
function installStopwatch() {
  const stopwatch = { clicked: 0, heard: 0 };
  window.stopwatch = stopwatch;
  addEventListener('click', ({ target }) => {
    if (target.closest('button')?.textContent.trim() !== 'Call') return;
    stopwatch.clicked = performance.now();
    stopwatch.heard = 0;
  }, { capture: true });
  const chunks = window.kit.chunks;
  chunks.push = (samples) => {
    if (!stopwatch.heard && samples.some((sample) => Math.abs(sample) > 0.02)) stopwatch.heard = performance.now();
    return 0;
  };
}

async function measure(page) {
  await page.getByRole('button', { name: 'Call', exact: true }).click();
  await page.waitForFunction(() => window.stopwatch.heard > 0, undefined, { timeout: FIRST_AUDIO_TIMEOUT, polling: 20 });
  return page.evaluate(() => window.stopwatch.heard - window.stopwatch.clicked);
}

async function tandemCaller(browser, tandem, proxy) {
  const phone = await PhonePage.open(browser, { tone: 700 });
  await phone.page.addInitScript(installStopwatch);
  await phone.login(tandem.page, { user: 'caller', password: PROVIDER_PASSWORD, domain: PROVIDER_DOMAIN, proxy });
  await phone.loggedIn();
  return async () => {
    await phone.page.getByLabel('Number, name or address').fill(CALLEE);
    const time = await measure(phone.page);
    await phone.hangup();
    return time;
  };
}

async function janusCaller(browser, janus, tandem, proxy) {
  const phone = await PhonePage.open(browser, { tone: 700 });
  await phone.page.addInitScript(installStopwatch);
  // The same origin as the other page, so that both may use the microphone.
  const blank = `${tandem.page}janus`;
  await phone.page.route(blank, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Janus</title>' }));
  await phone.page.goto(blank);
  await phone.page.evaluate(installJanusPage, {
    url: janus.url, user: 'janus', password: PROVIDER_PASSWORD, domain: PROVIDER_DOMAIN, proxy, callee: CALLEE,
  });
  return async () => {
    const time = await measure(phone.page);
    await phone.page.evaluate(() => window.hangup());
    return time;
  };
}

function report(name, times) {
  const sorted = [...times].sort((a, b) => a - b);
  const [median, least, most] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map(Math.round);
  console.log(`${name.padEnd(8)} click to first audio: median ${median} ms (${least} to ${most}), n = ${times.length}`);
  return { name, median, least, most, n: times.length };
}

const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-'));
const network = new Network();
const open = [];
try {
  const provider = network.host();
  open.push(await startKamailio({ directory, host: provider }));
  open.push(await Baresip.start({
    directory, host: network.host(), user: CALLEE, domain: PROVIDER_DOMAIN, password: PROVIDER_PASSWORD,
    server: provider.address, tone: 440, answer: 'auto',
  }));
  const tandem = await Tandem.start({ address: network.address, directory });
  const janus = await startJanus({ address: network.address, directory });
  const browser = await launchBrowser({ origin: tandem.page, directory });
  open.push(tandem, janus, { stop: () => browser.close() });
  const callers = {
    tandem: await tandemCaller(browser, tandem, provider.address),
    janus: await janusCaller(browser, janus, tandem, provider.address),
  };
  const times = { tandem: [], janus: [] };
  for (let round = -1; round < Number(values.rounds); round += 1) {
    for (const [name, call] of Object.entries(callers)) {
      const time = await call();
      // The first call of each warms up the browser and is not counted.
      if (round >= 0) times[name].push(time);
      await new Promise((resolve) => { setTimeout(resolve, QUIET_BETWEEN_CALLS); });
    }
  }
  const figures = Object.entries(times).map(([name, list]) => report(name, list));
  console.log(`ratio    ${(figures[0].median / figures[1].median).toFixed(2)}`);
  if (values.json) appendFileSync(values.json, `${JSON.stringify({ bench: 'first-audio', figures })}\n`);
} finally {
  for (const resource of open.reverse()) await resource.stop();
  network.remove();
  rmSync(directory, { recursive: true, force: true });
}
