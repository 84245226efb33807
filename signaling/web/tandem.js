/**
 * A client of Tandem: logs in, makes and takes calls. It speaks the WCS 5 messages, JSON over a WebSocket.
 *
 * Why not SIP over WebSocket: a login at a provider's domain needs the password at the gateway, which registers there
 * on the user's behalf; SIP's digest never shows it to a hop in between.
 * @module
 */
import { Failure } from './failure.js';
import { Media, openMicrophone } from './media.js';

export { Failure };

/**
 * @typedef {object} Account
 * @property {string} user
 * @property {string} password
 * @property {string} [domain] empty: the server's local domain
 * @property {string} [proxy] the provider's outbound proxy, `host` or `host:port`
 * @property {string} [authName] if it is not the user
 */

/** How long the server may take to accept the socket, and how long a registration may take, in milliseconds. */
const CONNECT_TIMEOUT = 8000;
const LOGIN_TIMEOUT = 20000;

/** How often the server is asked whether it is still there, in milliseconds; after a silence as long it is not. */
const HEARTBEAT = 15000;

/** The `fail` codes of the protocol that mean more than "it failed". */
const LOGIN_FAILURES = {
  AUTHENTICATION_FAIL: 'wrong-password',
  USER_NOT_AVAILABLE: 'wrong-password',
  WRONG_SIPPROVIDER_ADDRESS: 'wrong-provider',
  REGISTER_EXPIRE: 'login-timeout',
};

/** SIP statuses with the same meanings; 429 is the server's lock-out. */
const LOGIN_STATUSES = {
  401: 'wrong-password', 403: 'wrong-password', 404: 'wrong-password', 407: 'wrong-password',
  408: 'login-timeout', 429: 'locked-out', 503: 'login-timeout', 504: 'login-timeout',
};

/** @returns {string} the WebSocket of the server that this page came from */
function ownServer() {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`;
}

/**
 * A `fail` message to a Failure. WCS 3 brings a bare code, WCS 5 an object.
 * @param {unknown} detail
 */
function loginFailure(detail) {
  const { sipStatus = 0, info = '', status = '' } = typeof detail === 'object' && detail ? detail : { info: String(detail) };
  const code = LOGIN_FAILURES[info] ?? LOGIN_FAILURES[status] ?? LOGIN_STATUSES[sipStatus] ?? 'login-failed';
  return new Failure(code, { status: Number(sipStatus) || 0, text: String(info) });
}

/**
 * A login at a server. Events: `call` (somebody calls; `detail` is the {@link Call}); `closed` (the connection ended
 * without {@link Tandem.close}; `detail` is the {@link Failure}); `unregistered` (the registrar lost us, so nobody can
 * call; `detail` is the {@link Failure}) and `registered` (it has us again).
 */
export class Tandem extends EventTarget {
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {Map<string, Call>} */
  #calls = new Map();
  /** Descriptions that came before the call they belong to. @type {Map<string, string>} */
  #earlyDescriptions = new Map();
  #user = '';
  #settleLogin = { done() {}, failed(_failure) {} };
  #loggedIn = false;
  #heard = false;
  #heartbeat = 0;

  /** @param {string} [url] of the server's WebSocket */
  constructor(url = ownServer()) {
    super();
    this.url = url;
  }

  /**
   * Connects and logs in.
   * @param {Account} account not kept
   * @returns {Promise<void>} settled when the registrar accepted
   * @throws {Failure}
   */
  async login(account) {
    this.close();
    this.#user = account.user;
    const socket = await open(this.url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#dropped(socket);
    this.#heard = true;
    this.#heartbeat = setInterval(() => this.#beat(socket), HEARTBEAT);
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settleLogin.failed(new Failure('login-timeout')), LOGIN_TIMEOUT);
      this.#settleLogin = {
        done: () => { clearTimeout(timer); resolve(); },
        failed: (failure) => { clearTimeout(timer); reject(failure); },
      };
      this.#send('connection', connectionRequest(account));
    }).catch((failure) => {
      this.close();
      throw failure;
    });
    this.#loggedIn = true;
  }

  /** Logs out: the calls end, and the registration with them. */
  close() {
    for (const call of [...this.#calls.values()]) call.hangup();
    const socket = this.#forgetSocket();
    socket?.close(1000);
  }

  /**
   * Calls somebody.
   * @param {string} callee a number, a name or a SIP address
   * @returns {Call} listen to its `change`; failures come there too
   */
  call(callee) {
    const call = this.#add(new Call({ id: crypto.randomUUID?.() ?? fallbackId(), peer: callee, incoming: false }));
    call.start(this.#user);
    return call;
  }

  #add(call) {
    call.transport = (message, argument) => this.#send(message, argument);
    call.addEventListener('change', () => {
      if (call.state === 'ended') this.#calls.delete(call.id);
    });
    this.#calls.set(call.id, call);
    return call;
  }

  #send(message, argument) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(argument === undefined ? { message } : { message, data: [argument] }));
  }

  #forgetSocket() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#loggedIn = false;
    clearInterval(this.#heartbeat);
    this.#earlyDescriptions.clear();
    return socket;
  }

  /** A connection whose other end is gone may stay open for hours; a missing answer tells. */
  #beat(socket) {
    if (!this.#heard) {
      socket.close();
      this.#dropped(socket);
      return;
    }
    this.#heard = false;
    this.#send('ping');
  }

  #dropped(socket) {
    if (socket !== this.#socket) return;
    const loggedIn = this.#loggedIn;
    this.#forgetSocket();
    const failure = new Failure('dropped');
    for (const call of [...this.#calls.values()]) call.end(failure);
    this.#settleLogin.failed(failure);
    if (loggedIn) this.dispatchEvent(new CustomEvent('closed', { detail: failure }));
  }

  #receive(text) {
    this.#heard = true;
    const { message, data = [] } = JSON.parse(text);
    const [first, second] = data;
    switch (message) {
      case 'ping': return this.#send('pong');
      case 'registered': return this.#registered();
      case 'setRemoteSDP': return this.#describe(first, second);
      case 'notifyIncomingCall': return this.#incoming(first);
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

  #describe(id, sdp) {
    const call = this.#calls.get(id);
    if (call) call.describe(sdp);
    else this.#earlyDescriptions.set(id, sdp);
  }

  #incoming({ callId, caller, visibleName }) {
    const call = this.#add(new Call({ id: callId, peer: caller, peerName: visibleName, incoming: true }));
    call.remoteDescription = this.#earlyDescriptions.get(callId);
    this.#earlyDescriptions.delete(callId);
    this.dispatchEvent(new CustomEvent('call', { detail: call }));
  }

  #registered() {
    if (this.#loggedIn) this.dispatchEvent(new Event('registered'));
    else this.#settleLogin.done();
  }

  #failed(detail) {
    const call = this.#calls.get(detail?.callId ?? detail?.id);
    if (call) call.progress({ ...detail, status: 'FAILED' });
    else if (!this.#loggedIn) this.#settleLogin.failed(loginFailure(detail));
    else if (detail?.apiMethod === 'connection') {
      this.dispatchEvent(new CustomEvent('unregistered', { detail: loginFailure(detail) }));
    }
  }
}

/** `randomUUID` exists on secure pages only. */
function fallbackId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16).padStart(8, '0')).join('-');
}

/** @returns {Promise<WebSocket>} */
function open(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const timer = setTimeout(() => socket.close(), CONNECT_TIMEOUT);
    socket.onopen = () => { clearTimeout(timer); resolve(socket); };
    socket.onclose = () => { clearTimeout(timer); reject(new Failure('unreachable')); };
  });
}

/** @param {Account} account */
function connectionRequest({ user, password, domain, proxy, authName }) {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(proxy ?? '');
  return {
    appKey: 'defaultApp',
    mediaProviders: ['WebRTC'],
    clientVersion: '2.0',
    keepAlive: true,
    sipLogin: user,
    sipAuthenticationName: authName || user,
    sipPassword: password,
    sipDomain: domain ?? '',
    sipOutboundProxy: host,
    sipPort: Number(port) || 5060,
    sipRegisterRequired: true,
  };
}

/**
 * @typedef {'calling' | 'alerting' | 'incoming' | 'answering' | 'talking' | 'ended'} CallState
 *   `alerting`: the far end rings; `incoming`: we ring; `answering`: we answered, and the sound is being set up
 */

/**
 * One call. Events: `change` (state, earlyMedia or interrupted changed), `remote` (the far end's sound is there).
 */
export class Call extends EventTarget {
  /** @type {CallState} */
  state;
  /** The far end's announcement or ring-back tone is heard before the answer. */
  earlyMedia = false;
  /** The sound is broken at the moment, and is being restored. */
  interrupted = false;
  /** Why the call ended, unless either side just hung up. @type {Failure | undefined} */
  failure;
  /** @type {Media | undefined} */
  media;
  /** The offer of an incoming call; undefined if the caller leaves the offer to us. @type {string | undefined} */
  remoteDescription;

  constructor({ id, peer, peerName, incoming }) {
    super();
    this.id = id;
    /** The far end's number or address. @type {string} */
    this.peer = peer ?? '';
    /** The far end's name for people. @type {string} */
    this.peerName = peerName || displayName(this.peer);
    this.incoming = incoming;
    this.state = incoming ? 'incoming' : 'calling';
    /** Set by {@link Tandem}. @type {(message: string, argument?: unknown) => void} */
    this.transport = () => {};
  }

  /** Sends an outgoing call on its way. @param {string} caller */
  async start(caller) {
    await this.#withMedia(async () => {
      const sdp = await this.media.offer();
      this.transport('call', {
        callId: this.id, incoming: false, hasAudio: true, hasVideo: false, status: 'PENDING',
        mediaProvider: 'WebRTC', sdp, caller, callee: this.peer, visibleName: caller,
      });
    });
  }

  /** Answers an incoming call. */
  async answer() {
    if (this.state !== 'incoming') return;
    this.#become('answering');
    await this.#withMedia(async () => {
      const offer = this.remoteDescription;
      const sdp = offer ? await this.media.accept(offer) : await this.media.offer();
      this.transport('answer', {
        callId: this.id, incoming: true, hasAudio: true, hasVideo: false, status: 'PENDING', mediaProvider: 'WebRTC', sdp,
      });
    });
  }

  /** Hangs up, gives up or declines, whichever fits the state. */
  hangup() {
    if (this.state === 'ended') return;
    this.transport('hangup', { callId: this.id });
    this.end();
  }

  /** Tells the caller that we are in another call. */
  reportBusy() {
    this.transport('hangup', { callId: this.id, sipStatus: 486 });
    this.end();
  }

  /** @param {string} digit `0` to `9`, `*` or `#` */
  sendDigit(digit) {
    if (!this.media?.sendDigit(digit)) this.transport('sendDtmf', { callId: this.id, type: 'RFC2833', dtmf: digit });
  }

  /**
   * A description from the server.
   * @param {string} sdp
   */
  async describe(sdp) {
    if (!this.media) {
      this.remoteDescription = sdp;
      return;
    }
    try {
      const answer = await this.media.accept(sdp);
      if (answer) this.transport('answer', { callId: this.id, sdp: answer });
    } catch (error) {
      this.transport('hangup', { callId: this.id });
      this.end(new Failure('sip', { status: 488, text: error.message }));
    }
  }

  /**
   * A call object from the server.
   * @param {{status: string, sipStatus?: number, info?: string}} event
   */
  progress({ status, sipStatus = 0, info = '' }) {
    switch (status) {
      case 'RING': return this.#become(this.state === 'calling' ? 'alerting' : this.state);
      case 'RING_MEDIA':
      case 'SESSION_PROGRESS':
        this.earlyMedia = true;
        return this.#become(this.state === 'calling' ? 'alerting' : this.state);
      case 'ESTABLISHED':
      case 'HOLD': return this.#become('talking');
      case 'BUSY': return this.end(new Failure('sip', { status: sipStatus || 486, text: info }));
      case 'FAILED': return this.end(this.#endOf(sipStatus || 500, info));
      case 'FINISH': return this.end(this.#endOf(sipStatus, info));
      default: return undefined;
    }
  }

  /** Ends the call here, without telling the server. @param {Failure} [failure] */
  end(failure) {
    if (this.state === 'ended') return;
    this.failure = failure;
    this.media?.close();
    this.#become('ended');
  }

  #endOf(status, text) {
    if (status < 300 || this.state === 'incoming') return undefined;
    return new Failure(this.state === 'talking' ? 'cut-off' : 'sip', { status, text });
  }

  #become(state) {
    if (this.state === 'ended') return;
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }

  async #withMedia(work) {
    try {
      const microphone = await openMicrophone();
      if (this.state === 'ended') {
        microphone.getTracks().forEach((track) => track.stop());
        return;
      }
      this.media = this.#newMedia(microphone);
      await work();
    } catch (error) {
      if (this.incoming) this.transport('hangup', { callId: this.id });
      this.end(error instanceof Failure ? error : new Failure('sip', { status: 488, text: error.message }));
    }
  }

  #newMedia(microphone) {
    const media = new Media(microphone, (sdp) => this.transport('changeMediaRequest', { callId: this.id, sdp }));
    const interrupted = (value) => () => {
      if (this.interrupted === value) return;
      this.interrupted = value;
      this.#become(this.state);
    };
    media.addEventListener('remote', () => this.dispatchEvent(new Event('remote')));
    media.addEventListener('interrupted', interrupted(true));
    media.addEventListener('restored', interrupted(false));
    media.addEventListener('lost', () => {
      this.transport('hangup', { callId: this.id });
      this.end(new Failure('media'));
    });
    return media;
  }
}

/** The user part of a SIP address, or the whole of anything else. */
function displayName(address) {
  return /^sips?:([^@;]+)@/.exec(address)?.[1] ?? address;
}
