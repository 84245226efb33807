// Starts and stops Tandem, with a configuration and a state directory of its own.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Process } from './process.js';
import { until } from './wait.js';

/** The local domain of the tests. Every user's password is {@link PASSWORD}. */
export const DOMAIN = 'tandem.test';
export const PASSWORD = 'open-sesame';
/** Users: browsers, and telephones by the way that media is offered to them. */
const USERS = [
  { name: 'alice' }, { name: 'bob' }, { name: 'carol' }, { name: 'dave' }, { name: 'erin' }, { name: 'frank' },
  { name: 'sdes', srtp: 'sdes' }, { name: 'dtls', srtp: 'dtls' },
];

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
/** Where the programs are. */
export const binaries = process.env.TANDEM_BIN
  ?? join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug');

function configuration({ address, local, metrics, ports, providers, ring, media, extra }) {
  const users = USERS.map(({ name, srtp }) => `[[domain.user]]
name = "${name}"
password = "${PASSWORD}"
${srtp ? `srtp = "${srtp}"` : ''}`);
  return `ip = "${address}"
ip_local = "${local}"
[media]
ports = "${ports}"
${media}
[providers]
allow_private = true
${providers}
[timers]
ring = ${ring}
[http]
metrics = ["${metrics}"]
[limits]
requests_per_source = 10000
calls_per_user = 4000
${extra}
[[domain]]
name = "${DOMAIN}"
${users.join('\n')}
`;
}

/** The launcher. */
export function program() {
  const path = join(binaries, 'tandem');
  if (!existsSync(path)) throw new Error(`${path} is not there: build it, or set TANDEM_BIN`);
  return path;
}

/** A running Tandem. */
export class Tandem {
  /**
   * @param {{address: string, directory: string, ring?: number, media?: string, extra?: string | ((address: string) => string)}} options
   *   `ring`: seconds a callee may ring; `media`: more of [media]; `extra`: more of the configuration, perhaps with Tandem's
   *   address in it
   * @param {object} [where]
   * @param {import('./network.js').Host} [where.host] the namespace that it runs in
   * @param {string} [where.local] the address that it binds, where that is not the one that it tells
   * @param {string} [where.metrics] who reads its metrics
   * @param {string} [where.ports] for media
   * @param {string} [where.providers] more of [providers]
   */
  static async start(
    { address, directory, ring = 60, media = '', extra = '' },
    { host, local = address, metrics = address, ports = '20000-39999', providers = '' } = {},
  ) {
    const state = join(directory, 'state');
    mkdirSync(state, { recursive: true });
    const config = join(directory, 'tandem.toml');
    const more = typeof extra === 'function' ? extra(address) : extra;
    writeFileSync(config, configuration({ address, local, metrics, ports, providers, ring, media, extra: more }));
    const tandem = new Tandem();
    tandem.address = address;
    tandem.page = `http://${address}:8080/`;
    const command = [program(), '--config', config, '--state', state, '--log', process.env.TANDEM_LOG ?? 'info'];
    tandem.process = new Process('tandem', directory, host ? host.inside(...command) : command);
    await until('Tandem serves its page and has its dataplane', async () => {
      if (!tandem.process.alive) throw new Error(`Tandem did not start:\n${tandem.process.output()}`);
      return fetch(`${tandem.page}health`).then((response) => response.ok, () => false);
    }, { timeout: 20_000 });
    return tandem;
  }

  /** @returns {Promise<Map<string, number>>} by name with labels, as Prometheus prints them */
  async metrics() {
    const text = await (await fetch(`${this.page}metrics`)).text();
    const samples = text.split('\n').filter((line) => line && !line.startsWith('#'));
    return new Map(samples.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }));
  }

  /** The launcher's children, by program name. @returns {Map<string, number>} process ids */
  children() {
    const { pid } = this.process;
    const tasks = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean);
    return new Map(tasks.map((task) => [readFileSync(`/proc/${task}/comm`, 'utf8').trim(), Number(task)]));
  }

  /** Open descriptors, threads and resident memory in kilobytes, of each process. */
  resources() {
    return Object.fromEntries([...this.children()].map(([name, pid]) => {
      const entries = (directory) => readdirSync(`/proc/${pid}/${directory}`).length;
      const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      return [name, { descriptors: entries('fd'), threads: entries('task'), resident: Number(resident[1]) }];
    }));
  }

  stop() {
    return this.process.stop();
  }
}
