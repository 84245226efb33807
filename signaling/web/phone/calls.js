/**
 * The calls on this page: which of them is shown, and that only one is not on hold.
 * @module
 */
import { Emitter } from '../lib/emitter.js';
import { settings } from './settings.js';

/** @typedef {import('../lib/index.js').Call} Call */

/** Calls at once; to more the page is busy. */
const MAX_CALLS = 4;

/**
 * @typedef {object} CallsEvents
 * @property {void} change anything of any call
 * @property {Call} began
 * @property {{call: Call, before: import('../lib/index.js').CallState, byUs: boolean, joinedWith?: Call}} ended
 * @property {Call} turnedAway somebody called, and was told that we are busy
 */

/** @extends {Emitter<CallsEvents>} */
export class Calls extends Emitter {
  #tandem;
  /** The call that is shown. @type {Call | undefined} */
  #shown;
  /** Another call is about to be made: none is shown. */
  #isAdding = false;
  /** Calls to ask somebody before another call is transferred to them: that other call. @type {Map<Call, Call>} */
  #asking = new Map();
  /** Calls that were joined with each other: they end without anybody having hung up. @type {Map<Call, Call>} */
  #joined = new Map();
  /** What we hung up ourselves. @type {WeakSet<Call>} */
  #hungUp = new WeakSet();

  /** @param {import('../lib/index.js').Tandem} tandem */
  constructor(tandem) {
    super();
    this.#tandem = tandem;
    tandem.on('call', (call) => this.#incoming(call));
  }

  get all() {
    return this.#tandem.calls;
  }

  get shown() {
    return this.#isAdding ? undefined : this.#shown;
  }

  get isAdding() {
    return this.#isAdding;
  }

  get others() {
    return this.all.filter((call) => call !== this.shown);
  }

  /** The call that the shown one was made to transfer. @returns {Call | undefined} */
  get askedFor() {
    const original = this.shown && this.#asking.get(this.shown);
    return original && original.state !== 'ended' ? original : undefined;
  }

  /**
   * @param {string} callee
   * @param {{video?: boolean}} [options]
   * @returns {Call | undefined} undefined: there are too many
   */
  dial(callee, options) {
    if (this.all.length >= MAX_CALLS) return undefined;
    this.#holdOthers();
    const call = this.#tandem.call(callee, options);
    this.#adopt(call, 'calling');
    this.show(call);
    return call;
  }

  /**
   * Calls somebody to ask whether the shown call may be transferred to them.
   * @param {string} callee
   */
  ask(callee) {
    const original = this.shown;
    const call = this.dial(callee);
    if (call && original) this.#asking.set(call, original);
  }

  /**
   * @param {Call} call
   * @param {{video?: boolean}} [options]
   */
  answer(call, options) {
    this.#holdOthers(call);
    call.answer(options);
    this.show(call);
  }

  /**
   * Shows a call; one that talks is resumed, and the others are held.
   * @param {Call} call
   */
  show(call) {
    this.#isAdding = false;
    this.#shown = call;
    if (call.state === 'talking') {
      this.#holdOthers(call);
      call.resume();
    }
    this.emit('change', undefined);
  }

  /**
   * Transfers a call to the far end of another one.
   * @param {Call} call
   * @param {Call} other
   */
  join(call, other) {
    this.#joined.set(call, other).set(other, call);
    call.transfer(other);
  }

  /** @param {Call} call */
  hangup(call) {
    this.#hungUp.add(call);
    call.hangup();
  }

  /** @param {boolean} isAdding */
  add(isAdding) {
    this.#isAdding = isAdding;
    this.emit('change', undefined);
  }

  /** @param {Call} [except] */
  #holdOthers(except) {
    for (const call of this.all) if (call !== except) call.hold();
  }

  /** @param {Call} call */
  #incoming(call) {
    const others = this.all.length - 1;
    if (others >= MAX_CALLS || (others > 0 && !settings.waiting)) {
      call.reportBusy();
      this.emit('turnedAway', call);
      return;
    }
    this.#adopt(call, 'incoming');
    if (!this.#shown) this.#shown = call;
    this.emit('change', undefined);
  }

  /**
   * @param {Call} call
   * @param {import('../lib/index.js').CallState} state
   */
  #adopt(call, state) {
    let before = state;
    call.on('change', () => {
      if (call.state === 'ended') this.#ended(call, before);
      before = call.state;
      this.emit('change', undefined);
    });
    this.emit('began', call);
  }

  /**
   * @param {Call} call
   * @param {import('../lib/index.js').CallState} before
   */
  #ended(call, before) {
    const original = this.#asking.get(call);
    this.#asking.delete(call);
    if (call === this.#shown) {
      this.#isAdding = false;
      const rest = this.all.filter((other) => other !== call);
      this.#shown = rest.find((other) => other.state === 'incoming') ?? rest.find((other) => other === original) ?? rest.at(-1);
      // Whoever was to be transferred waits for us again.
      if (original && original === this.#shown && !original.transferState) original.resume();
    }
    const other = this.#joined.get(call);
    this.#joined.delete(call);
    const isJoined = other && call.transferState !== 'failed' && other.transferState !== 'failed';
    this.emit('ended', { call, before, byUs: this.#hungUp.has(call), joinedWith: isJoined ? other : undefined });
  }
}
