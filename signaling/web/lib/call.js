/**
 * One call.
 * @module
 */
import { CallMedia } from './call-media.js';
import { Failure } from './failure.js';

/**
 * @typedef {import('./call-media.js').CallState} CallState
 * @typedef {import('./call-media.js').CallEvents} CallEvents
 * @typedef {'asked' | 'ringing' | 'done' | 'failed'} TransferState
 */

/** A call. */
export class Call extends CallMedia {
  /** The far end's announcement or ring-back tone is heard before the answer. */
  earlyMedia = false;
  /** We put the far end on hold. */
  held = false;
  /** The far end put us on hold. */
  heldByPeer = false;
  /** How a transfer that was asked for goes; absent: none was. @type {TransferState | undefined} */
  transferState;
  /** Whom it was transferred to, as a name for people. */
  transferTarget = '';
  /** When it was answered. @type {Date | undefined} */
  answeredAt;
  /** Whether the caller wants to show something: the incoming call may be answered with a picture. */
  offersVideo = false;
  /** The offer of an incoming call; absent where the caller leaves the offer to us. @type {string | undefined} */
  #remoteOffer;
  /** What we answered. @type {object | undefined} */
  #answer;

  /**
   * Calls are made by `Tandem`.
   * @param {{id: string, peer?: string, peerName?: string, incoming: boolean}} fields
   * @param {import('./call-media.js').CallLink} link
   */
  constructor({ id, peer = '', peerName = '', incoming }, link) {
    super(id, incoming ? 'incoming' : 'calling', link);
    /** The far end's number or address; empty where only the server knows it. */
    this.peer = peer;
    /** The far end's name for people. */
    this.peerName = peerName || displayName(peer);
    this.incoming = incoming;
  }

  // --- what can be done

  /**
   * Sends an outgoing call on its way.
   * @param {{caller: string, name?: string, callee: string | null, video?: boolean}} options `name`: ours, for people
   * @internal
   */
  async start({ caller, name, callee, video = false }) {
    await this.openMedia(video, async (media) => {
      const sdp = await media.offer();
      this.link.send('call', {
        callId: this.id, incoming: false, hasAudio: true, hasVideo: Boolean(media.camera), status: 'PENDING',
        mediaProvider: 'WebRTC', sdp, caller, callee, visibleName: name,
      });
    });
  }

  /**
   * Answers an incoming call.
   * @param {{video?: boolean}} [options] `video`: show the camera
   */
  async answer({ video = false } = {}) {
    if (this.state !== 'incoming') return;
    this.become('answering');
    await this.openMedia(video, async (media) => {
      const offer = this.#remoteOffer;
      const sdp = offer ? await media.accept(offer, false) : await media.offer();
      this.#answer = {
        callId: this.id, incoming: true, hasAudio: true, hasVideo: Boolean(media.camera), status: 'PENDING',
        mediaProvider: 'WebRTC', sdp,
      };
      this.link.send('answer', this.#answer);
    });
  }

  /** Hangs up, gives up or declines, whichever fits the state. */
  hangup() {
    if (this.state === 'ended') return;
    this.link.send('hangup', { callId: this.id });
    this.end();
  }

  /** Tells the caller that we are in another call. */
  reportBusy() {
    if (this.state !== 'incoming') return;
    this.link.send('hangup', { callId: this.id, sipStatus: 486 });
    this.end();
  }

  /** Puts the far end on hold: neither side hears or sees the other. */
  hold() {
    this.#setHeld(true);
  }

  /** Ends our {@link Call.hold}. */
  resume() {
    this.#setHeld(false);
  }

  /**
   * Hands the far end to somebody else, and leaves. A transfer that fails returns to the call; {@link Call.transferState}
   * tells.
   * @param {string | Call} target a number, name or address; or another call of ours, whose far end is joined with this
   *   one's (attended transfer)
   */
  transfer(target) {
    if (this.state !== 'talking') return;
    this.transferState = 'asked';
    this.transferTarget = typeof target === 'string' ? target : target.peerName;
    const to = typeof target === 'string' ? { target } : { target: null, replaces: target.id };
    this.link.send('transfer', { callId: this.id, ...to });
    this.changed();
  }

  // --- what the login tells

  /**
   * A description from the server.
   * @param {string} sdp
   * @param {boolean} isAnswer to our offer; otherwise it is an offer
   * @internal
   */
  async describe(sdp, isAnswer) {
    if (!this.media) {
      this.#remoteOffer = sdp;
      this.offersVideo = /^m=video [1-9]/m.test(sdp);
      return;
    }
    try {
      const answer = await this.media.accept(sdp, isAnswer);
      if (answer) this.link.send('answer', { callId: this.id, sdp: answer });
    } catch (error) {
      this.link.send('hangup', { callId: this.id });
      this.end(new Failure('sip', { status: 488, text: Failure.from(error, 'media').text }));
    }
  }

  /**
   * A call object from the server.
   * @param {{status?: string, sipStatus?: number, info?: string}} event
   * @internal
   */
  progress({ status, sipStatus = 0, info = '' }) {
    switch (status) {
      case 'RING': return this.#alerting();
      case 'RING_MEDIA':
      case 'SESSION_PROGRESS':
        this.earlyMedia = true;
        return this.#alerting();
      case 'ESTABLISHED': return this.#talking(false);
      case 'HOLD': return this.#talking(true);
      case 'BUSY': return this.end(new Failure('sip', { status: sipStatus || 486, text: info }));
      case 'FAILED': return this.end(this.#endOf(sipStatus || 500, info));
      case 'FINISH': return this.end(this.#endOf(sipStatus, info));
      default: return undefined;
    }
  }

  /**
   * How a transfer goes.
   * @param {TransferState} state
   * @internal
   */
  transferProgress(state) {
    this.transferState = state;
    this.changed();
  }

  /**
   * The server refused something that was asked for; the call goes on.
   * @param {string} method the message that asked
   * @param {Failure} failure
   * @internal
   */
  refused(method, failure) {
    if (method === 'hold' || method === 'unhold') this.#applyHold(method === 'unhold');
    if (method === 'transfer') this.transferState = 'failed';
    if (method === 'changeMediaRequest') this.media?.takeBack().catch(reportError);
    this.emit('trouble', failure);
    this.changed();
  }

  /**
   * The connection to the server is there again. What was said on the old one may not have arrived.
   * @param {{status?: string, sipStatus?: number, info?: string}} event how the server sees the call
   * @internal
   */
  restore(event) {
    this.progress(event);
    if (this.state === 'answering' && this.#answer) this.link.send('answer', this.#answer);
    if (this.state !== 'talking') return;
    if (this.held && event.status !== 'HOLD') this.link.send('hold', { callId: this.id });
    this.media?.restart(true).catch(() => {});
  }

  /** The network is another one: new paths are looked for. @internal */
  changePath() {
    if (this.state === 'talking') this.media?.restart(false).catch(() => {});
  }

  #alerting() {
    this.become(this.state === 'calling' ? 'alerting' : this.state);
  }

  /** @param {boolean} onHold */
  #talking(onHold) {
    this.answeredAt ??= new Date();
    this.heldByPeer = onHold && !this.held;
    this.become('talking');
  }

  /** @param {boolean} held */
  #setHeld(held) {
    if (this.state !== 'talking' || held === this.held) return;
    this.link.send(held ? 'hold' : 'unhold', { callId: this.id });
    this.#applyHold(held);
    this.changed();
  }

  /** @param {boolean} held */
  #applyHold(held) {
    this.held = held;
    this.media?.hold(held);
  }

  /**
   * @param {number} status
   * @param {string} text
   */
  #endOf(status, text) {
    if (status < 300 || this.state === 'incoming') return undefined;
    return new Failure(this.state === 'talking' ? 'cut-off' : 'sip', { status, text });
  }
}

/**
 * The user part of a SIP address, or the whole of anything else.
 * @param {string} address
 */
function displayName(address) {
  return /^sips?:([^@;]+)@/.exec(address)?.[1] ?? address;
}
