/**
 * A client of Tandem: logs in, makes and takes calls, sends and receives messages. It speaks the WCS messages, JSON over a
 * WebSocket.
 *
 * Why not SIP over WebSocket: a login at a provider's domain needs the password at the gateway, which registers there
 * on the user's behalf; SIP's digest never shows it to a hop in between.
 * @module
 */
import { Call } from './call.js';
import { Devices } from './devices.js';
import { Emitter } from './emitter.js';
import { Failure } from './failure.js';
import { MAX_MESSAGE, Message } from './message.js';
import { Session } from './session.js';

/** Messages whose delivery is still waited for; of more than these the oldest is forgotten. */
const MAX_WAITING_MESSAGES = 200;
/** How long the server may take to say what became of a message: longer than a SIP transaction, in milliseconds. */
const MESSAGE_WITHIN = 40_000;
/** Descriptions that came before their calls. */
const MAX_EARLY_DESCRIPTIONS = 8;

/** What becomes of a transfer, in the words of WCS 5. @type {Record<string, import('./call.js').TransferState>} */
const TRANSFER_STATES = { TRYING: 'asked', RING: 'ringing', COMPLETED: 'done' };

/** @returns {string} the WebSocket of the server that this page came from */
function ownServer() {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`;
}

/**
 * What a login tells.
 * @typedef {object} TandemEvents
 * @property {Call} call somebody calls
 * @property {Message} message somebody wrote
 * @property {import('./session.js').SessionState} state whether the server is there
 * @property {Failure} closed the session ended, and not by {@link Tandem.logout}: it will not come back by itself
 * @property {Failure} unregistered the registrar lost us, so that nobody can call
 * @property {void} registered and has us again
 */

/**
 * A login at a server. A lost connection is made again by itself, and its calls go on.
 * @extends {Emitter<TandemEvents>}
 */
export class Tandem extends Emitter {
  /** Which microphone, camera and speaker are used. */
  devices = new Devices();
  #session;
  /** @type {Map<string, Call>} */
  #calls = new Map();
  /** @type {Map<string, Message>} */
  #messages = new Map();
  /** Descriptions that came before the call they belong to. @type {Map<string, string>} */
  #earlyDescriptions = new Map();
  #user = '';
  /** @type {string | undefined} */
  #name;
  /** A token's login calls whom the server knows. */
  #hasToken = false;

  /** @param {string} [url] of the server's WebSocket, as `wss://example.org:8443/`; default: where this page came from */
  constructor(url = ownServer()) {
    super();
    this.#session = new Session(url);
    this.#session.on('state', (state) => this.emit('state', state));
    this.#session.on('frame', (frame) => this.#receive(frame));
    this.#session.on('resumed', (calls) => this.#resumed(calls));
    this.#session.on('gone', (failure) => this.#endAll(failure));
    this.#session.on('closed', (failure) => {
      this.#endAll(failure);
      this.emit('closed', failure);
    });
    this.#session.on('unregistered', (failure) => this.emit('unregistered', failure));
    this.#session.on('registered', () => this.emit('registered', undefined));
    this.devices.on('choice', (kind) => {
      for (const call of this.calls) call.changeDevice(kind);
    });
    globalThis.addEventListener?.('online', () => this.networkChanged());
    /** @type {any} */ (globalThis.navigator)?.connection?.addEventListener?.('change', () => this.networkChanged());
  }

  get state() {
    return this.#session.state;
  }

  /** The calls that live, oldest first. @returns {Call[]} */
  get calls() {
    return [...this.#calls.values()];
  }

  /**
   * Connects and logs in; an earlier login ends.
   * @param {import('./session.js').Login} login an account, or a click-to-call token. It is kept in memory until
   *   {@link Tandem.logout}, so that a lost connection can be made again
   * @returns {Promise<void>} settled when the registrar accepted
   * @throws {Failure}
   */
  async login(login) {
    this.logout();
    this.#hasToken = 'token' in login;
    [this.#user, this.#name] = 'token' in login ? ['', undefined] : [login.user, login.name];
    await this.#session.login(login);
  }

  /** Logs out: the calls end, and the registration with them. */
  logout() {
    for (const call of this.calls) call.hangup();
    this.#session.close();
    this.#earlyDescriptions.clear();
  }

  /**
   * Calls somebody.
   * @param {string} [callee] a number, a name or a SIP address; not needed where a token says who is called
   * @param {{video?: boolean}} [options] `video`: show the camera from the start
   * @returns {Call} listen to its `change`; failures come there too
   */
  call(callee = '', { video = false } = {}) {
    const call = this.#add(new Call({ id: newId(), peer: callee, incoming: false }, this.#link));
    call.start({ caller: this.#user, name: this.#name, callee: this.#hasToken ? null : callee, video });
    return call;
  }

  /**
   * Sends a text message.
   * @param {string} to a number, a name or a SIP address
   * @param {string} text at most {@link MAX_MESSAGE} bytes of UTF-8
   * @returns {Message} listen to its `change`; failures come there too
   */
  sendMessage(to, text) {
    const message = new Message({ id: newId(), peer: to, text, incoming: false });
    const failure = new TextEncoder().encode(text).length > MAX_MESSAGE ? new Failure('message-too-long')
      : this.state === 'online' ? undefined : new Failure('not-connected');
    if (failure) {
      message.fail(failure);
      return message;
    }
    this.#awaitReport(message);
    this.#session.send('sendInstantMessage', {
      id: message.id, from: this.#user, to, body: text, contentType: 'text/plain', deliveryNotification: true,
    });
    return message;
  }

  /** The network may be another one now. Browsers tell that by themselves, but not all of them, nor always. */
  networkChanged() {
    this.#session.check();
    if (this.state === 'online') for (const call of this.calls) call.changePath();
  }

  /** @returns {import('./call-media.js').CallLink} */
  get #link() {
    return {
      send: (message, argument) => this.#session.send(message, argument),
      devices: this.devices,
      doubt: () => this.#session.check(),
    };
  }

  /** @param {Call} call */
  #add(call) {
    call.on('change', (state) => {
      if (state === 'ended') this.#calls.delete(call.id);
      this.#session.urgent = this.#calls.size > 0;
    });
    this.#calls.set(call.id, call);
    this.#session.urgent = true;
    return call;
  }

  /** @param {Message} message */
  #awaitReport(message) {
    const [oldest] = this.#messages.keys();
    if (oldest && this.#messages.size >= MAX_WAITING_MESSAGES) this.#messages.delete(oldest);
    this.#messages.set(message.id, message);
    const timer = setTimeout(() => {
      if (message.state === 'sending') message.fail(new Failure('sip', { status: 408 }));
    }, MESSAGE_WITHIN);
    message.on('change', () => {
      clearTimeout(timer);
      if (message.isSettled) this.#messages.delete(message.id);
    });
  }

  /** @param {Failure} failure */
  #endAll(failure) {
    for (const call of this.calls) call.end(failure);
    this.#earlyDescriptions.clear();
  }

  /** @param {any[]} kept the server's calls */
  #resumed(kept) {
    const states = new Map(kept.map((call) => [call.callId ?? call.id, call]));
    for (const call of this.calls) {
      const state = states.get(call.id);
      if (state) call.restore(state);
      else call.end(new Failure('cut-off'));
    }
    // What was hung up here meanwhile.
    for (const callId of states.keys()) {
      if (!this.#calls.has(callId)) this.#session.send('hangup', { callId });
    }
  }

  /** @param {import('./line.js').Frame} frame */
  #receive({ message, data }) {
    const [first, second] = data;
    switch (message) {
      case 'setRemoteSDP': return this.#describe(first, second, data[2] === true);
      case 'notifyIncomingCall': return this.#incoming(first);
      case 'notifyTransferEvent': return this.#transferred(first);
      case 'notifyMessage': return this.#message(first, second);
      case 'notifyTryingResponse':
      case 'ring':
      case 'sessionProgress':
      case 'talk':
      case 'hold':
      case 'busy':
      case 'finish': return this.#calls.get(first?.callId)?.progress(first);
      case 'fail': return this.#failed(first);
      default: return undefined;
    }
  }

  /**
   * @param {string} id
   * @param {string} sdp
   * @param {boolean} isAnswer
   */
  #describe(id, sdp, isAnswer) {
    const call = this.#calls.get(id);
    if (call) call.describe(sdp, isAnswer);
    else if (this.#earlyDescriptions.size < MAX_EARLY_DESCRIPTIONS) this.#earlyDescriptions.set(id, sdp);
  }

  /** @param {{callId: string, caller?: string, visibleName?: string}} call */
  #incoming({ callId, caller, visibleName }) {
    const call = this.#add(new Call({ id: callId, peer: caller, peerName: visibleName, incoming: true }, this.#link));
    const offer = this.#earlyDescriptions.get(callId);
    this.#earlyDescriptions.delete(callId);
    if (offer) call.describe(offer, false);
    this.emit('call', call);
  }

  /** @param {{callId?: string, status?: string}} event */
  #transferred({ callId = '', status = '' }) {
    const state = TRANSFER_STATES[status];
    if (state) this.#calls.get(callId)?.transferProgress(state);
  }

  /**
   * A message of somebody's, or what became of one of ours.
   * @param {{id?: string, from?: string, body?: string, state?: string, date?: number}} message
   * @param {unknown} notification to be sent back
   */
  #message(message, notification) {
    const { id = '', from = '', body = '', date } = message;
    const ours = this.#messages.get(id);
    if (ours) {
      ours.report(message);
      return;
    }
    if (message.state !== 'RECEIVED') return;
    const time = date ? new Date(date) : undefined;
    this.emit('message', new Message({ id, peer: from, text: body, incoming: true, time }));
    if (notification && typeof notification === 'object') {
      this.#session.send('notificationResult', { ...notification, status: 'OK' });
    }
  }

  /**
   * A request in a call failed, and the call goes on.
   * @param {{call?: string, apiMethod?: string, info?: string, sipStatus?: number}} [detail]
   */
  #failed({ call = '', apiMethod = '', info = '', sipStatus = 0 } = {}) {
    const failure = new Failure(apiMethod === 'transfer' && sipStatus ? 'sip' : 'refused', { status: sipStatus, text: info });
    this.#calls.get(call)?.refused(apiMethod, failure);
  }
}

/** `randomUUID` exists on secure pages only. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16).padStart(8, '0')).join('-');
}
