/**
 * What was written with whom, as the browser keeps it.
 * @module
 */
import { Emitter } from '../lib/emitter.js';
import { load, save } from './store.js';

const MAX_THREADS = 50;
const MAX_LINES = 200;

/**
 * @typedef {object} Line
 * @property {string} id
 * @property {string} text
 * @property {boolean} incoming
 * @property {number} at milliseconds since 1970
 * @property {import('../lib/index.js').MessageState} state
 * @property {string} [trouble] why it was not delivered, in words
 *
 * @typedef {object} Thread
 * @property {string} peer number, name or address
 * @property {string} name
 * @property {number} unread
 * @property {Line[]} lines oldest first
 */

/** The user part of a SIP address, or the whole of anything else. @param {string} address */
const displayName = (address) => /^sips?:([^@;]+)@/.exec(address)?.[1] ?? address;

/** @extends {Emitter<{change: void}>} */
export class Conversations extends Emitter {
  /** The latest first. @type {Thread[]} */
  threads = [];
  #key = '';

  get unread() {
    return this.threads.reduce((sum, { unread }) => sum + unread, 0);
  }

  /** Whose they are. @param {string} account */
  open(account) {
    this.#key = `messages.${account}`;
    this.threads = load(this.#key, []);
    for (const line of this.threads.flatMap(({ lines }) => lines)) {
      // Nobody waits for their reports any more.
      if (line.state === 'sending') line.state = 'sent';
    }
    this.emit('change', undefined);
  }

  clear() {
    this.threads = [];
    save(this.#key, undefined);
    this.emit('change', undefined);
  }

  /** @param {string} peer */
  find(peer) {
    return this.threads.find((thread) => thread.peer.toLowerCase() === peer.toLowerCase());
  }

  /**
   * @param {import('../lib/index.js').Message} message
   * @param {(failure: import('../lib/index.js').Failure) => string} explain
   */
  add(message, explain) {
    const { id, peer, text, incoming, time } = message;
    const thread = this.find(peer) ?? { peer, name: displayName(peer), unread: 0, lines: [] };
    /** @type {Line} */
    const line = { id, text, incoming, at: time.getTime(), state: message.state };
    thread.lines = [...thread.lines, line].slice(-MAX_LINES);
    if (incoming) thread.unread += 1;
    this.threads = [thread, ...this.threads.filter((other) => other !== thread)].slice(0, MAX_THREADS);
    const follow = () => {
      line.state = message.state;
      if (message.failure) line.trouble = explain(message.failure);
      this.#changed();
    };
    message.on('change', follow);
    follow();
  }

  /** @param {Thread} thread */
  read(thread) {
    if (thread.unread === 0) return;
    thread.unread = 0;
    this.#changed();
  }

  #changed() {
    save(this.#key, this.threads);
    this.emit('change', undefined);
  }
}
