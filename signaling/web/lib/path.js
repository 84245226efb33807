/**
 * Whether packets still pass.
 * @module
 */
import { Emitter } from './emitter.js';

/** When an interruption is mended by an ICE restart, and how often that is tried, in milliseconds. */
const MEND_AFTER = 1_000;
const MEND_EVERY = 4_000;
/** After how long an interruption ends the call: longer than the server keeps a call for a lost WebSocket. */
const GIVE_UP_AFTER = 40_000;

/**
 * Watches a connection's path.
 * @extends {Emitter<{interrupted: boolean, mend: void, lost: void}>} `mend`: now is the time for an ICE restart
 */
export class PathWatch extends Emitter {
  #connection;
  /** `undefined`: never connected yet. @type {boolean | undefined} */
  #isInterrupted;
  #mending = 0;
  #givingUp = 0;

  /** @param {RTCPeerConnection} connection */
  constructor(connection) {
    super();
    this.#connection = connection;
    connection.onconnectionstatechange = () => {
      const state = connection.connectionState;
      if (state === 'connected') this.#become(false);
      else if (state === 'disconnected' || state === 'failed') this.#become(true);
    };
  }

  close() {
    this.#stop();
    this.#connection.onconnectionstatechange = null;
  }

  #stop() {
    clearTimeout(this.#mending);
    clearTimeout(this.#givingUp);
  }

  /** @param {boolean} interrupted */
  #become(interrupted) {
    if (interrupted === this.#isInterrupted) return;
    this.#isInterrupted = interrupted;
    this.#stop();
    if (interrupted) {
      this.#mending = setTimeout(() => this.#mend(), MEND_AFTER);
      this.#givingUp = setTimeout(() => this.emit('lost', undefined), GIVE_UP_AFTER);
    }
    this.emit('interrupted', interrupted);
  }

  #mend() {
    this.#mending = setTimeout(() => this.#mend(), MEND_EVERY);
    this.emit('mend', undefined);
  }
}
