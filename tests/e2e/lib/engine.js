// What relays the media behind Kamailio: Tandem; or the original, rtpengine, with ENGINE=rtpengine, which tells whether a
// test is right where it fails.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NgClient } from './ng.js';
import { Process } from './process.js';
import { program } from './tandem.js';
import { until } from './wait.js';

export const ENGINE = process.env.ENGINE ?? 'tandem';
const PORTS = { first: 20000, last: 29999 };
/** Below the engine's directory: what it may play. */
const SOUNDS = 'sounds';

const commands = {
  tandem(directory, { address }) {
    const config = join(directory, 'tandem.toml');
    const state = join(directory, 'state');
    for (const wanted of [state, join(directory, SOUNDS)]) mkdirSync(wanted, { recursive: true });
    writeFileSync(config, `ip = "${address}"
ip_local = "${address}"
[ng]
udp = "${address}:2223"
allowed = "${address}/8"
delete_delay = 0
[media]
ports = "${PORTS.first}-${PORTS.last}"
announcements = "${SOUNDS}"
recordings = "recordings"
recording_format = "wav"
`);
    return [program(), '--relay', '--config', config, '--state', state, '--log', process.env.TANDEM_LOG ?? 'info'];
  },
  rtpengine(directory, { address }) {
    return [
      'rtpengine', '--config-file=none', '--table=-1', '--foreground', '--log-stderr', '--log-level=6', '--num-threads=2',
      '--delete-delay=0', `--interface=${address}`, `--listen-ng=${address}:2223`, `--port-min=${PORTS.first}`,
      `--port-max=${PORTS.last}`,
    ];
  },
};

/** A running engine in a namespace of its own. */
export class Engine {
  /** @param {{name: string, directory: string, host: import('./network.js').Host, kind?: string}} options */
  static async start({ name, directory, host, kind = ENGINE }) {
    const engine = new Engine();
    engine.kind = kind;
    engine.host = host;
    const run = join(directory, name);
    engine.sounds = join(run, SOUNDS);
    mkdirSync(engine.sounds, { recursive: true });
    engine.process = new Process(name, directory, host.inside(...commands[kind](run, host)));
    engine.ng = await NgClient.open(host.address);
    await until(`${name} answers ping`, async () => {
      if (!engine.process.alive) throw new Error(`${name} did not start:\n${engine.process.output()}`);
      return engine.ng.send('d7:command4:pinge', { timeout: 300 });
    }, { timeout: 20_000 });
    // Signaling answers before it has found its dataplane.
    await until(`${name} has ports`, () => kind !== 'tandem' || engine.held() === 0, { timeout: 20_000 });
    return engine;
  }

  /** The NG socket as Kamailio's module names it. */
  get socket() {
    return `udp:${this.host.address}:2223`;
  }

  /** @returns {Promise<string[]>} the Call-IDs of its calls */
  async calls() {
    return (await this.ng.request({ command: 'list', limit: 1000 })).calls;
  }

  /**
   * What it holds for calls: rtpengine its open ports; Tandem, which keeps sockets for the next call, its sessions and
   * the ports that rest.
   */
  held() {
    if (this.kind === 'tandem') {
      const metrics = this.host.run('curl', '-s', 'http://127.0.0.1:2225/metrics');
      // On a machine that is busy beyond measure the dataplane may not answer in time: then nobody knows.
      const gauge = (name) => Number(new RegExp(`^tandem_dataplane_${name} (\\d+)$`, 'm').exec(metrics)?.[1] ?? NaN);
      return gauge('sessions') + gauge('port_pairs_resting');
    }
    const lines = this.host.run('ss', '-uanH').split('\n').map((line) => line.trim().split(/\s+/)[3] ?? '');
    const ports = lines.map((local) => Number(local.slice(local.lastIndexOf(':') + 1)));
    return ports.filter((port) => port >= PORTS.first && port <= PORTS.last).length;
  }

  /** Resident memory of all its processes, in kilobytes. */
  resident() {
    const own = (pid) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean);
      return children.reduce((sum, child) => sum + own(child), Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0));
    };
    return own(this.process.pid);
  }

  /** Ends it without warning. */
  kill() {
    return this.process.stop('SIGKILL');
  }

  async stop() {
    this.ng.close();
    await this.process.stop();
  }
}
