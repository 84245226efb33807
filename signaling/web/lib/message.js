/**
 * Text messages.
 * @module
 */
import { Emitter } from './emitter.js';
import { Failure } from './failure.js';

/**
 * @typedef {'sending' | 'sent' | 'delivered' | 'failed' | 'received'} MessageState
 *   `sent`: the server has it; `delivered`: the other side's telephone or browser says that it arrived
 */

/** Bytes of a message's text that are sent: RFC 3428 section 8 wants MESSAGE requests below 1,300 bytes of UDP. */
export const MAX_MESSAGE = 1_300;

/** WCS message states. @type {Record<string, MessageState>} */
const STATES = {
  SENT: 'sent', ACCEPTED: 'sent', RECEIVED: 'received', IMDN_DELIVERED: 'delivered',
  FAILED: 'failed', IMDN_FAILED: 'failed', IMDN_FORBIDDEN: 'failed', IMDN_ERROR: 'failed',
};

/**
 * A text message, ours or theirs.
 * @extends {Emitter<{change: void}>} `change`: another {@link Message.state}
 */
export class Message extends Emitter {
  /** @type {MessageState} */
  state;
  /** Why it was not delivered. @type {Failure | undefined} */
  failure;

  /**
   * @param {{id: string, peer: string, text: string, incoming: boolean, time?: Date}} fields
   */
  constructor({ id, peer, text, incoming, time = new Date() }) {
    super();
    this.id = id;
    /** The other side's number, name or address. */
    this.peer = peer;
    this.text = text;
    this.incoming = incoming;
    /** When it was written, as far as known; messages that waited for us are older than their arrival. */
    this.time = time;
    this.state = incoming ? 'received' : 'sending';
  }

  /** Nothing more will be heard of it. */
  get isSettled() {
    return this.state === 'delivered' || this.state === 'failed' || this.state === 'received';
  }

  /**
   * What the server says of it.
   * @param {{state?: string, status?: string, sipStatus?: number, info?: string}} report
   * @internal
   */
  report({ state, status, sipStatus = 0, info = '' }) {
    const next = STATES[state ?? status ?? ''];
    if (!next || this.isSettled) return;
    this.#become(next, next === 'failed' ? new Failure('sip', { status: sipStatus, text: info }) : undefined);
  }

  /**
   * @param {Failure} failure
   * @internal
   */
  fail(failure) {
    if (!this.isSettled) this.#become('failed', failure);
  }

  /**
   * @param {MessageState} state
   * @param {Failure} [failure]
   */
  #become(state, failure) {
    if (state === this.state) return;
    this.state = state;
    this.failure = failure;
    this.emit('change', undefined);
  }
}
