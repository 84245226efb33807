/**
 * Sound and picture of one call: a peer connection to Tandem, a microphone, perhaps a camera.
 * @module
 */
import { Emitter } from './emitter.js';
import { PathWatch } from './path.js';
import { QualityMeter } from './quality.js';

/** A key press inside the media, and the pause behind it, in milliseconds. */
const DIGIT_LENGTH = 120;
const DIGIT_GAP = 70;

/**
 * @typedef {object} MediaEvents
 * @property {void} change a picture came or went
 * @property {string} offer a new offer, to be sent to the server in mid-call
 * @property {void} refused the far end takes no picture
 * @property {boolean} interrupted whether the path is broken at the moment
 * @property {void} lost it could not be mended
 * @property {import('./quality.js').Quality} quality
 */

/**
 * One peer connection.
 *
 * Descriptions are sent without waiting for candidates: Tandem is ICE-lite with a reachable address, so the browser's
 * checks tell it where the browser is (a peer-reflexive candidate, RFC 8445 section 7.3.1.3), and the call starts sooner.
 * @extends {Emitter<MediaEvents>}
 */
export class Media extends Emitter {
  /** What the far end says and shows; its tracks come and go. */
  remote = new MediaStream();
  /** The camera, where it is sent. @type {MediaStream | undefined} */
  camera;
  #connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  #meter = new QualityMeter(this.#connection, (quality) => this.emit('quality', quality));
  #microphone;
  #isMuted = false;
  #isHeld = false;
  /** Descriptions are handled one after the other. @type {Promise<unknown>} */
  #queue = Promise.resolve();
  /** Something changed while an offer was under way. */
  #offerAgain = false;
  #path = new PathWatch(this.#connection);

  /** @param {MediaStream} microphone closed together with this object */
  constructor(microphone) {
    super();
    this.#microphone = microphone;
    for (const track of microphone.getAudioTracks()) this.#connection.addTrack(track, microphone);
    this.#connection.ontrack = ({ track }) => this.#received(track);
    this.#path.on('interrupted', (interrupted) => {
      if (!interrupted) this.#meter.start();
      this.emit('interrupted', interrupted);
    });
    this.#path.on('mend', () => { this.restart(false).catch(() => {}); });
    this.#path.on('lost', () => this.emit('lost', undefined));
  }

  // --- descriptions

  /** @returns {Promise<string>} the SDP of the first offer, already in force here */
  offer() {
    return this.#inTurn(() => this.#describe());
  }

  /** Offers anew in mid-call, now or as soon as the offer under way is answered. */
  negotiate() {
    return this.#inTurn(async () => {
      if (this.#connection.signalingState !== 'stable') this.#offerAgain = true;
      else this.emit('offer', await this.#describe());
    });
  }

  /**
   * Takes a description from Tandem.
   * @param {string} sdp
   * @param {boolean} isAnswer
   * @returns {Promise<string | undefined>} our answer, if it was an offer
   */
  async accept(sdp, isAnswer) {
    const answer = await this.#inTurn(async () => {
      const isOpen = this.#connection.signalingState === 'have-local-offer';
      if (isAnswer) {
        // The answer to an offer that was taken back meanwhile is of no use.
        if (!isOpen) return undefined;
        await this.#connection.setRemoteDescription({ type: 'answer', sdp });
        this.#answered();
        return undefined;
      }
      // Both sides offered at once: ours, which the browser takes back now, is made again behind theirs.
      this.#offerAgain ||= isOpen;
      await this.#connection.setRemoteDescription({ type: 'offer', sdp });
      return this.#describe();
    });
    this.#afterDescription();
    return answer;
  }

  /** The server refused our offer: everything stays as it was before. */
  async takeBack() {
    await this.#inTurn(async () => {
      if (this.#connection.signalingState !== 'have-local-offer') return;
      await this.#connection.setLocalDescription({ type: 'rollback' });
      const pictures = this.#pictures;
      if (!this.camera || pictures?.currentDirection?.startsWith('send')) return;
      pictures?.stop();
      this.#answered();
    });
    this.#afterDescription();
  }

  /**
   * Looks for new paths while the call goes on (an ICE restart, RFC 8445 section 9).
   * @param {boolean} isLost whether an offer under way was lost with the connection that carried it; otherwise its answer
   *   is to come, and will do as well
   */
  restart(isLost) {
    return this.#inTurn(async () => {
      if (isLost && this.#connection.signalingState === 'have-local-offer') {
        await this.#connection.setLocalDescription({ type: 'rollback' });
      }
      if (this.#connection.signalingState !== 'stable') return;
      this.#connection.restartIce();
      this.emit('offer', await this.#describe());
    });
  }

  /**
   * @template Result
   * @param {() => Promise<Result>} work
   * @returns {Promise<Result>}
   */
  #inTurn(work) {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #describe() {
    const isAnswer = this.#connection.signalingState === 'have-remote-offer';
    const description = isAnswer ? await this.#connection.createAnswer() : await this.#connection.createOffer();
    await this.#connection.setLocalDescription(description);
    return this.#connection.localDescription?.sdp ?? '';
  }

  #answered() {
    if (!this.camera || this.#pictures) return;
    this.#closeCamera();
    this.emit('refused', undefined);
  }

  #afterDescription() {
    if (this.camera && !this.#pictures) this.#closeCamera();
    this.emit('change', undefined);
    if (!this.#offerAgain) return;
    this.#offerAgain = false;
    this.negotiate().catch(reportError);
  }

  // --- sound and picture

  /** The stream of pictures, unless it is refused or ended. @returns {RTCRtpTransceiver | undefined} */
  get #pictures() {
    const isAlive = (/** @type {RTCRtpTransceiver} */ { currentDirection, direction }) => (
      direction !== 'stopped' && currentDirection !== 'stopped');
    return this.#connection.getTransceivers().find((each) => each.receiver.track.kind === 'video' && isAlive(each));
  }

  /** Whether the far end shows something. */
  get isReceivingVideo() {
    return this.remote.getVideoTracks().some(({ muted, readyState }) => !muted && readyState === 'live');
  }

  /**
   * Shows the camera to the far end; {@link Media.negotiate} or {@link Media.offer} must follow.
   * @param {MediaStream} camera closed together with this object
   */
  async showCamera(camera) {
    this.#closeCamera();
    this.camera = camera;
    const [track] = camera.getVideoTracks();
    const pictures = this.#pictures;
    if (!track) return;
    if (pictures) {
      await pictures.sender.replaceTrack(track);
      pictures.sender.setStreams?.(this.#microphone);
      pictures.direction = pictures.direction === 'inactive' ? 'sendonly' : 'sendrecv';
    } else {
      this.#connection.addTrack(track, this.#microphone);
    }
    this.#applySilence();
    this.emit('change', undefined);
  }

  /** Shows nothing any more; {@link Media.negotiate} must follow. */
  async hideCamera() {
    this.#closeCamera();
    const pictures = this.#pictures;
    if (!pictures) return;
    if (this.isReceivingVideo) {
      await pictures.sender.replaceTrack(null);
      pictures.direction = 'recvonly';
    } else {
      pictures.stop();
    }
    this.emit('change', undefined);
  }

  /**
   * Another camera in the place of the one that is shown; nothing needs to be negotiated.
   * @param {MediaStream} camera
   */
  async replaceCamera(camera) {
    await this.#pictures?.sender.replaceTrack(camera.getVideoTracks()[0] ?? null);
    this.#stopTracks(this.camera);
    this.camera = camera;
    this.#applySilence();
    this.emit('change', undefined);
  }

  /**
   * Another microphone in mid-call.
   * @param {MediaStream} microphone
   */
  async replaceMicrophone(microphone) {
    const sender = this.#connection.getSenders().find(({ track }) => track?.kind === 'audio');
    await sender?.replaceTrack(microphone.getAudioTracks()[0] ?? null);
    this.#stopTracks(this.#microphone);
    this.#microphone = microphone;
    this.#applySilence();
  }

  /** Whether the microphone is silent. */
  get muted() {
    return this.#isMuted;
  }

  set muted(muted) {
    this.#isMuted = muted;
    this.#applySilence();
  }

  /** On hold nothing leaves this browser, whatever the far end believes. @param {boolean} held */
  hold(held) {
    this.#isHeld = held;
    this.#applySilence();
  }

  /**
   * Sends digits inside the media (RFC 4733).
   * @param {string} digits
   * @returns {boolean} false when telephone-event was not agreed on
   */
  sendDigits(digits) {
    const dtmf = this.#connection.getSenders().find((sender) => sender.dtmf?.canInsertDTMF)?.dtmf;
    if (!dtmf) return false;
    dtmf.insertDTMF(dtmf.toneBuffer + digits, DIGIT_LENGTH, DIGIT_GAP);
    return true;
  }

  /** Lets go of the devices and the connection. */
  close() {
    this.#path.close();
    this.#meter.stop();
    this.#connection.ontrack = null;
    this.#connection.close();
    this.#stopTracks(this.#microphone);
    this.#closeCamera();
  }

  /** @param {MediaStreamTrack} track */
  #received(track) {
    const changed = () => this.emit('change', undefined);
    for (const old of this.remote.getTracks()) if (old.kind === track.kind) this.remote.removeTrack(old);
    this.remote.addTrack(track);
    track.onmute = track.onunmute = track.onended = changed;
    changed();
  }

  #applySilence() {
    for (const track of this.#microphone.getAudioTracks()) track.enabled = !this.#isMuted && !this.#isHeld;
    for (const track of this.camera?.getVideoTracks() ?? []) track.enabled = !this.#isHeld;
  }

  #closeCamera() {
    this.#stopTracks(this.camera);
    this.camera = undefined;
  }

  /** @param {MediaStream | undefined} stream */
  #stopTracks(stream) {
    for (const track of stream?.getTracks() ?? []) track.stop();
  }
}
