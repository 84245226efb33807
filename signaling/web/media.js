/**
 * The sound of one call: a microphone, a peer connection to Tandem, and what the far end says.
 * @module
 */
import { Failure } from './failure.js';

const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** How long an interruption may last before an ICE restart is tried, in milliseconds. */
const RESTART_AFTER = 3000;
/** How long after that the call is given up, in milliseconds. */
const GIVE_UP_AFTER = 20000;

/**
 * Opens the microphone.
 * @returns {Promise<MediaStream>}
 * @throws {Failure} in a form that words.js can explain
 */
export async function openMicrophone() {
  if (!navigator.mediaDevices) throw new Failure('insecure');
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
  } catch (error) {
    const codes = { NotAllowedError: 'microphone-denied', NotFoundError: 'microphone-missing' };
    throw new Failure(codes[error.name] ?? 'microphone-taken', { text: error.message });
  }
}

/**
 * One peer connection with one audio stream each way.
 *
 * Descriptions are sent without waiting for candidates: Tandem is ICE-lite with a reachable address, so the browser's
 * checks tell it where the browser is (a peer-reflexive candidate, RFC 8445 section 7.3.1.3), and the call starts sooner.
 *
 * Events: `remote` (the far end's stream is there), `interrupted`, `restored`, `lost`.
 */
export class Media extends EventTarget {
  #connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  #microphone;
  #restart;
  #timer = 0;

  /**
   * @param {MediaStream} microphone closed together with this object
   * @param {(offer: string) => void} restart sends a new offer in mid-call
   */
  constructor(microphone, restart) {
    super();
    this.#microphone = microphone;
    this.#restart = restart;
    for (const track of microphone.getAudioTracks()) this.#connection.addTrack(track, microphone);
    this.#connection.ontrack = ({ track, streams }) => {
      /** The far end's sound. @type {MediaStream | undefined} */
      this.remote = streams[0] ?? new MediaStream([track]);
      this.dispatchEvent(new Event('remote'));
    };
    this.#connection.onconnectionstatechange = () => this.#watch();
  }

  /** @returns {Promise<string>} the SDP of an offer, already in force here */
  async offer() {
    await this.#connection.setLocalDescription(await this.#connection.createOffer());
    return this.#connection.localDescription.sdp;
  }

  /**
   * Takes a description from Tandem: the answer when an offer of ours is open, otherwise an offer.
   * @param {string} sdp
   * @returns {Promise<string | undefined>} our answer, if it was an offer
   */
  async accept(sdp) {
    if (this.#connection.signalingState === 'have-local-offer') {
      await this.#connection.setRemoteDescription({ type: 'answer', sdp });
      return undefined;
    }
    await this.#connection.setRemoteDescription({ type: 'offer', sdp });
    await this.#connection.setLocalDescription(await this.#connection.createAnswer());
    return this.#connection.localDescription.sdp;
  }

  /** Whether the microphone is silent. */
  get muted() {
    return this.#microphone.getAudioTracks().every((track) => !track.enabled);
  }

  set muted(muted) {
    for (const track of this.#microphone.getAudioTracks()) track.enabled = !muted;
  }

  /**
   * Sends a digit inside the media (RFC 4733).
   * @param {string} digit
   * @returns {boolean} false when telephone-event was not agreed on
   */
  sendDigit(digit) {
    const dtmf = this.#connection.getSenders().find((sender) => sender.dtmf?.canInsertDTMF)?.dtmf;
    if (!dtmf) return false;
    dtmf.insertDTMF(dtmf.toneBuffer + digit, 120, 70);
    return true;
  }

  /** Begins an ICE restart (RFC 8445 section 9): new paths are looked for while the call goes on. */
  async restartIce() {
    if (this.#connection.signalingState !== 'stable') return;
    this.#connection.restartIce();
    this.#restart(await this.offer());
  }

  /** Lets go of the microphone and the connection. */
  close() {
    clearTimeout(this.#timer);
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
    for (const track of this.#microphone.getTracks()) track.stop();
  }

  #watch() {
    const state = this.#connection.connectionState;
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.dispatchEvent(new Event('restored'));
    } else if ((state === 'disconnected' || state === 'failed') && !this.#timer) {
      this.dispatchEvent(new Event('interrupted'));
      this.#timer = setTimeout(() => {
        this.#timer = setTimeout(() => this.dispatchEvent(new Event('lost')), GIVE_UP_AFTER);
        this.restartIce().catch(() => this.dispatchEvent(new Event('lost')));
      }, RESTART_AFTER);
    }
  }
}
