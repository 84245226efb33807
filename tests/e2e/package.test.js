// Promise: the npm package installs, its types say what it does, and a page that was bundled with it makes a call.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Listener } from './lib/browser.js';
import { PASSWORD } from './lib/tandem.js';
import { World } from './lib/world.js';

const library = join(dirname(fileURLToPath(import.meta.url)), '../../signaling/web/lib');
const compiler = join(library, 'node_modules/typescript/bin/tsc');
const [MY_TONE, THEIR_TONE] = [440, 1000];

/** What somebody may write who knows the package by its types only. */
const PROGRAM = `
import { type Call, type CallState, explain, Failure, type Message, Tandem } from 'tandem-client';
import * as tones from 'tandem-client/tones.js';

const shown: string[] = [];
const show = (text: string): void => { shown.push(text); };

export async function start(url: string, password: string): Promise<void> {
  const tandem = new Tandem(url);
  tandem.on('call', (incoming: Call) => incoming.reportBusy());
  tandem.on('message', (message: Message) => show(message.text));
  tandem.on('closed', (failure) => show(explain(failure)));
  try {
    await tandem.login({ user: 'alice', password });
  } catch (error) {
    if (error instanceof Failure) show(error.code);
    throw error;
  }
  const call = tandem.call('bob', { video: false });
  call.on('change', (state: CallState) => show(state));
  const silence: () => void = tones.silence;
  silence();
  Object.assign(window, { call, shown, transfer: (other: Call) => call.transfer(other) });
}

Object.assign(window, { start });
`;

/** Each of these is wrong, and must be found by the types. */
const MISTAKES = [
  "new Tandem(80)",
  "new Tandem().login({ user: 'alice' })",
  "new Tandem().on('cal', () => {})",
  "new Tandem().call('bob').state = 'away'",
  "new Tandem().call('bob').on('change', (state: number) => {})",
  "new Tandem().devices.choose('loudspeaker', '')",
];

const world = await World.create('package');
after(() => world.close());

function run(program, parameters, directory) {
  try {
    return execFileSync(program, parameters, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`${program} ${parameters.join(' ')}: ${error.stdout}${error.stderr}`, { cause: error });
  }
}

/** A project that has nothing but the package. */
function project() {
  assert.ok(existsSync(compiler), 'the library has its tools: run make package');
  const directory = join(world.directory, 'project');
  mkdirSync(directory);
  run('npm', ['pack', '--silent', '--pack-destination', directory], library);
  const [tarball] = readdirSync(directory).filter((name) => name.endsWith('.tgz'));
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }));
  writeFileSync(join(directory, 'program.ts'), PROGRAM);
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--silent', `./${tarball}`], directory);
  return directory;
}

const STRICT = [compiler, '--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom'];

world.test('the package installs, type-checks and makes a call', async () => {
  const directory = project();
  run(process.execPath, [...STRICT, 'program.ts'], directory);

  const bundle = await build({
    absWorkingDir: directory, entryPoints: ['program.ts'], bundle: true, format: 'iife', write: false, logLevel: 'silent',
  });
  const server = createServer((request, response) => {
    const isScript = request.url === '/program.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? bundle.outputFiles[0].contents : '<!doctype html><script src="program.js"></script>');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  world.keep({ close: () => server.close() });

  const bob = await world.phone({ user: 'bob', tone: THEIR_TONE });
  const page = world.keep(await Listener.open(world.browser, { tone: MY_TONE }));
  await page.page.goto(`http://127.0.0.1:${server.address().port}/`);
  const url = world.tandem.page.replace('http', 'ws');
  await page.page.evaluate(([address, password]) => window.start(address, password), [url, PASSWORD]);
  await bob.answer();
  await Promise.all([page.hears(THEIR_TONE), bob.hears(MY_TONE)]);
  await page.page.evaluate(() => window.call.hangup());
  await bob.says('alice hung up.');
  const shown = await page.page.evaluate(() => window.shown);
  assert.deepEqual(['talking', 'ended'].filter((state) => !shown.includes(state)), []);
});

world.test('the types refuse what would fail', async () => {
  const directory = join(world.directory, 'project');
  for (const mistake of MISTAKES) {
    writeFileSync(join(directory, 'mistake.ts'), `import { Tandem } from 'tandem-client';\n${mistake};\n`);
    assert.throws(() => run(process.execPath, [...STRICT, 'mistake.ts'], directory), /error TS/, mistake);
  }
});

world.test('everything that the page loads is in the package, and nothing else', () => {
  const installed = join(world.directory, 'project/node_modules/tandem-client');
  const sources = readdirSync(library).filter((name) => name.endsWith('.js'));
  const packed = readdirSync(installed).sort();
  assert.deepEqual(packed, [...sources, 'README.md', 'package.json', 'types'].sort());
  const types = readdirSync(join(installed, 'types')).sort();
  assert.deepEqual(types, sources.map((name) => name.replace('.js', '.d.ts')).sort());
  assert.doesNotMatch(readFileSync(join(installed, 'types/call.d.ts'), 'utf8'), /progress\(/, 'what is internal is not told');
});
