// Child processes: each with its log in the test's directory, leader of a process group and ended with it.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './wait.js';

/** How long a process may take to end after SIGTERM, in milliseconds. */
const TERM_TIMEOUT = 5000;

const running = new Set();
// Without a handler a signal ends Node before `exit` handlers run, and everything would stay behind.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.on('exit', () => running.forEach((child) => signalGroup(child, 'SIGKILL')));

/** A program that was started for a test. */
export class Process {
  /**
   * @param {string} name of the log
   * @param {string} directory where the log is written
   * @param {string[]} command
   * @param {import('node:child_process').SpawnOptions} [options]
   */
  constructor(name, directory, command, options = {}) {
    this.name = name;
    this.log = join(directory, `${name}.log`);
    const log = openSync(this.log, 'a');
    this.child = spawn(command[0], command.slice(1), { ...options, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    running.add(this.child);
    /** Settled with the exit code, or the signal's name. */
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('exit', (code, signal) => resolve(code ?? signal));
    }).finally(() => running.delete(this.child));
  }

  get pid() {
    return this.child.pid;
  }

  get alive() {
    return running.has(this.child);
  }

  output() {
    return readFileSync(this.log, 'utf8');
  }

  /** Waits until the log matches. */
  printed(pattern, options) {
    return until(`${this.name} prints ${pattern}`, () => {
      const match = pattern.exec(this.output());
      if (!match && !this.alive) throw new Error(`${this.name} ended early, see ${this.log}:\n${tail(this.output())}`);
      return match;
    }, options);
  }

  async stop(signal = 'SIGTERM') {
    signalGroup(this.child, signal);
    const kill = setTimeout(() => signalGroup(this.child, 'SIGKILL'), TERM_TIMEOUT);
    await this.ended;
    clearTimeout(kill);
  }
}

/** Kamailio and Tandem have children of their own. */
function signalGroup({ pid }, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended by itself.
  }
}

function tail(text) {
  return text.split('\n').slice(-15).join('\n');
}
