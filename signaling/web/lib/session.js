/**
 * A login that outlives its WebSocket: when the connection is lost, another takes over what the server keeps.
 * @module
 */
import { Emitter } from './emitter.js';
import { Failure } from './failure.js';
import { Line } from './line.js';
import { connectionRequest, loginFailure, resumeRequest } from './login.js';

/** How long the server may take to accept a socket, and a registration, in milliseconds. */
const CONNECT_WITHIN = 8_000;
const LOGIN_WITHIN = 20_000;
/** The same while a call waits: a connection attempt that meets a dead path must make room for the next one. */
const RECONNECT_WITHIN = 2_000;
const RESUME_WITHIN = 4_000;
/** A login that fails within this time is tried again, and after which pause, in milliseconds. */
const AT_ONCE = 1_000;
const SECOND_TRY = 500;
/** How soon a living server answers when there is a reason to doubt it, in milliseconds. */
const DOUBT = 1_500;
/** Pauses between attempts, in milliseconds; the last is repeated, and the second while a call waits. */
const PAUSES = [0, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
const URGENT_PAUSES = 2;
/** Every pause is lengthened by up to this share, so that a server which starts again is not met by all at once. */
const SPREAD = 0.3;

/** Messages that say how things stand: they are not counted, as each connection begins with them. */
const HANDSHAKE = new Set(['getUserData', 'getVersion', 'registered', 'resumed', 'ping', 'pong']);

/**
 * @typedef {'offline' | 'connecting' | 'online' | 'reconnecting'} SessionState
 * @typedef {import('./login.js').Account | import('./login.js').Token} Login
 */

/**
 * @typedef {object} SessionEvents
 * @property {SessionState} state
 * @property {import('./line.js').Frame} frame a message that is not of the session's own business
 * @property {any[]} resumed the server's list of calls that live
 * @property {Failure} gone whatever the server kept for us is gone; we are about to log in anew
 * @property {Failure} closed the session is over, and not by {@link Session.close}
 * @property {Failure} unregistered the registrar lost us
 * @property {void} registered and has us again
 */

/** @extends {Emitter<SessionEvents>} */
export class Session extends Emitter {
  /** Whether a call waits for the connection. */
  urgent = false;
  #url;
  /** @type {Login | undefined} */
  #login;
  /** @type {Line | undefined} */
  #line;
  /** @type {SessionState} */
  #state = 'offline';
  #resumeToken = '';
  /** Frames since the login, so that the server can send again what a lost connection swallowed. */
  #frames = 0;
  #isResuming = false;
  /** Which attempt to connect again is under way; an older one that fails is of no interest. */
  #attempt = 0;
  /** Those that failed one after the other. */
  #failures = 0;
  #retryTimer = 0;
  /** Counts connections that were begun; what belongs to an older one is void. */
  #generation = 0;
  /** Ends the wait for a registration or a resumption. */
  #settle = (/** @type {Failure | undefined} */ _failure) => {};

  /** @param {string} url of the server's WebSocket */
  constructor(url) {
    super();
    this.#url = url;
  }

  get state() {
    return this.#state;
  }

  /**
   * @param {Login} login kept in memory until {@link Session.close}, so that a lost connection can be made again
   * @throws {Failure}
   */
  async login(login) {
    this.close();
    const own = { ...login };
    this.#login = own;
    this.#become('connecting');
    const begun = Date.now();
    const connect = () => this.#connect(connectionRequest(own), CONNECT_WITHIN, LOGIN_WITHIN);
    try {
      await connect().catch(async (error) => {
        // A network that changes at this moment breaks off what was just begun: it is tried once more.
        const isBroken = error instanceof Failure && (error.code === 'unreachable' || error.code === 'dropped');
        if (!isBroken || this.#login !== own || Date.now() - begun > AT_ONCE) throw error;
        await new Promise((resolve) => { setTimeout(resolve, SECOND_TRY); });
        if (this.#login !== own) throw error;
        await connect();
      });
      this.#become('online');
    } catch (error) {
      if (this.#login === own) this.close();
      throw error;
    }
  }

  /** Logs out: nothing is kept. */
  close() {
    this.#line?.send('bye');
    this.#forgetLine();
    this.#login = undefined;
    this.#resumeToken = '';
    this.#become('offline');
  }

  /**
   * @param {string} message
   * @param {unknown} [argument]
   */
  send(message, argument) {
    this.#line?.send(message, argument);
  }

  /** There is a reason to doubt the connection: asks the server, or tries at once if it is lost already. */
  check() {
    if (this.#state === 'online') this.#line?.probe(DOUBT);
    if (this.#state === 'reconnecting') this.#retry(0);
  }

  /**
   * @param {object} request
   * @param {number} connectWithin
   * @param {number} answerWithin
   */
  async #connect(request, connectWithin, answerWithin) {
    this.#forgetLine();
    this.#isResuming = 'resumeToken' in request;
    if (!this.#isResuming) this.#frames = 0;
    const generation = this.#generation;
    const isCurrent = () => generation === this.#generation;
    const line = await Line.open(this.#url, connectWithin, {
      received: (frame) => { if (isCurrent()) this.#received(frame); },
      closed: () => { if (isCurrent()) this.#lost(); },
    });
    if (!isCurrent()) {
      line.close();
      throw new Failure('dropped');
    }
    this.#line = line;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(new Failure('login-timeout')), answerWithin);
      this.#settle = (failure) => {
        clearTimeout(timer);
        if (failure) reject(failure);
        else resolve(undefined);
      };
      line.send('connection', request);
    });
  }

  #forgetLine() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#generation += 1;
    this.#line?.close();
    this.#line = undefined;
    this.#settle(new Failure('dropped'));
    this.#settle = () => {};
  }

  #lost() {
    const wasOnline = this.#state === 'online';
    this.#forgetLine();
    if (!wasOnline) return;
    this.#become('reconnecting');
    if (!this.#resumeToken) this.emit('gone', new Failure('cut-off'));
    this.#failures = 0;
    this.#retry(0);
  }

  /** @param {number} pause in milliseconds */
  #retry(pause) {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = 0;
      this.#reconnect();
    }, pause * (1 + Math.random() * SPREAD));
  }

  async #reconnect() {
    const login = this.#login;
    if (!login) return;
    const attempt = (this.#attempt += 1);
    const [connectWithin, resumeWithin] = this.urgent ? [RECONNECT_WITHIN, RESUME_WITHIN] : [CONNECT_WITHIN, LOGIN_WITHIN];
    try {
      if (this.#resumeToken) await this.#connect(resumeRequest(this.#resumeToken, this.#frames), connectWithin, resumeWithin);
      else await this.#connect(connectionRequest(login), connectWithin, LOGIN_WITHIN);
      this.#become('online');
    } catch (error) {
      if (attempt === this.#attempt && this.#login === login) this.#failedAgain(Failure.from(error, 'unreachable'));
    }
  }

  /** @param {Failure} failure */
  #failedAgain(failure) {
    this.#forgetLine();
    if (failure.code === 'wrong-password' || failure.code === 'token-refused') {
      this.close();
      this.emit('closed', failure);
      return;
    }
    if (failure.code === 'cut-off') {
      this.#resumeToken = '';
      this.emit('gone', failure);
      this.#retry(0);
      return;
    }
    const last = (this.urgent ? URGENT_PAUSES : PAUSES.length) - 1;
    this.#failures += 1;
    this.#retry(PAUSES[Math.min(this.#failures, last)] ?? 0);
  }

  /** @param {import('./line.js').Frame} frame */
  #received(frame) {
    const [first] = frame.data;
    if (!HANDSHAKE.has(frame.message)) this.#frames += 1;
    switch (frame.message) {
      case 'getUserData':
        this.#resumeToken = first?.resumeToken ?? '';
        break;
      case 'registered':
        if (this.#state === 'online') this.emit('registered', undefined);
        else if (!this.#isResuming) this.#settle(undefined);
        break;
      case 'resumed':
        this.#become('online');
        this.emit('resumed', first?.calls ?? []);
        this.#settle(undefined);
        break;
      case 'fail':
        this.#failed(frame);
        break;
      default:
        this.emit('frame', frame);
    }
  }

  /** @param {import('./line.js').Frame} frame */
  #failed(frame) {
    const [detail] = frame.data;
    if (detail?.status === 'RESUME_FAIL') {
      this.#settle(new Failure('cut-off', { text: detail.info }));
      return;
    }
    const failure = loginFailure(detail, this.#login !== undefined && 'token' in this.#login);
    if (this.#state !== 'online') this.#settle(failure);
    else if (detail?.apiMethod === 'connection') this.emit('unregistered', failure);
    else this.emit('frame', frame);
  }

  /** @param {SessionState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }
}
