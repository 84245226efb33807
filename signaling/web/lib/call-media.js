/**
 * What is heard and seen in a call.
 * @module
 */
import { Emitter } from './emitter.js';
import { Failure } from './failure.js';
import { Media } from './media.js';

/**
 * @typedef {'calling' | 'alerting' | 'incoming' | 'answering' | 'talking' | 'ended'} CallState
 *   `alerting`: the far end rings; `incoming`: we ring; `answering`: we answered, and the sound is being set up
 */

/**
 * What a call needs from its login.
 * @typedef {object} CallLink
 * @property {(message: string, argument?: unknown) => void} send
 * @property {import('./devices.js').Devices} devices
 * @property {() => void} doubt the path is broken: perhaps the connection to the server is so too
 */

/**
 * What a call tells.
 * @typedef {object} CallEvents
 * @property {CallState} change anything of the call is different now; the detail is its state
 * @property {Failure} trouble something that was asked for did not succeed; the call goes on
 */

/**
 * The half of a `Call` that has to do with microphones, cameras and pictures.
 * @extends {Emitter<CallEvents>}
 */
export class CallMedia extends Emitter {
  /** @type {CallState} */
  state;
  /** The sound is broken at the moment, and is being restored. */
  interrupted = false;
  /** How good it sounds; absent: not known yet. @type {import('./quality.js').Quality | undefined} */
  quality;
  /** Why the call ended, unless either side just hung up. @type {Failure | undefined} */
  failure;
  /** @protected */
  link;
  /** @type {Media | undefined} @protected */
  media;

  /**
   * @param {string} id
   * @param {CallState} state
   * @param {CallLink} link
   */
  constructor(id, state, link) {
    super();
    this.id = id;
    this.state = state;
    this.link = link;
  }

  /** What the far end says and shows; for the `srcObject` of a media element. Its tracks come and go. */
  get remote() {
    return this.media?.remote;
  }

  /** Our own camera while it is shown to the far end, for a self view. */
  get camera() {
    return this.media?.camera;
  }

  /** Whether the far end shows something. */
  get isReceivingVideo() {
    return this.media?.isReceivingVideo ?? false;
  }

  get muted() {
    return this.media?.muted ?? false;
  }

  /** Silence towards the far end, by nothing but our own doing. */
  set muted(muted) {
    if (!this.media) return;
    this.media.muted = muted;
    this.changed();
  }

  /** @param {string} digits of `0` to `9`, `*`, `#` and `A` to `D` */
  sendDigits(digits) {
    if (this.media?.sendDigits(digits)) return;
    this.link.send('sendDtmf', { callId: this.id, type: 'RFC2833', dtmf: digits });
  }

  /** Shows our camera to the far end; a `trouble` event tells if that cannot be. */
  async startVideo() {
    const media = this.media;
    if (!media || media.camera) return;
    await this.#orTrouble(async () => {
      const camera = await this.link.devices.openCamera();
      if (media !== this.media || this.state === 'ended') return stop(camera);
      await media.showCamera(camera);
      return media.negotiate();
    });
  }

  /** Shows our camera no more. */
  async stopVideo() {
    const media = this.media;
    if (!media?.camera) return;
    await this.#orTrouble(async () => {
      await media.hideCamera();
      await media.negotiate();
    });
  }

  /**
   * Another device was chosen.
   * @param {import('./devices.js').DeviceKind} kind
   * @internal
   */
  async changeDevice(kind) {
    const [media, { devices }] = [this.media, this.link];
    if (!media || this.state === 'ended') return;
    await this.#orTrouble(async () => {
      if (kind === 'microphone') await media.replaceMicrophone(await devices.openMicrophone());
      if (kind === 'camera' && media.camera) await media.replaceCamera(await devices.openCamera());
    });
  }

  /** Ends the call here, without telling the server. @param {Failure} [failure] @internal */
  end(failure) {
    if (this.state === 'ended') return;
    this.failure = failure;
    this.media?.close();
    this.become('ended');
  }

  /** @param {CallState} state @protected */
  become(state) {
    if (this.state === 'ended') return;
    this.state = state;
    this.emit('change', state);
  }

  /** An ended call changes no more. @protected */
  changed() {
    if (this.state !== 'ended') this.emit('change', this.state);
  }

  /** @param {() => Promise<unknown>} work */
  async #orTrouble(work) {
    try {
      await work();
    } catch (error) {
      this.emit('trouble', Failure.from(error, 'media'));
    }
  }

  /**
   * Opens the devices; what fails ends the call.
   * @param {boolean} video
   * @param {(media: Media) => Promise<void>} work
   * @protected
   */
  async openMedia(video, work) {
    try {
      const microphone = await this.link.devices.openMicrophone();
      // A camera that is not there keeps nobody from talking.
      const camera = video ? await this.link.devices.openCamera().catch((failure) => this.emit('trouble', failure)) : undefined;
      if (this.state === 'ended') {
        stop(microphone);
        stop(camera);
        return;
      }
      const media = this.#newMedia(microphone);
      if (camera) await media.showCamera(camera);
      await work(media);
      this.changed();
    } catch (error) {
      if (this.state === 'answering') this.link.send('hangup', { callId: this.id });
      this.end(Failure.from(error, 'media'));
    }
  }

  /** @param {MediaStream} microphone */
  #newMedia(microphone) {
    const media = new Media(microphone);
    this.media = media;
    media.on('offer', (sdp) => this.link.send('changeMediaRequest', { callId: this.id, sdp }));
    media.on('change', () => this.changed());
    media.on('refused', () => this.emit('trouble', new Failure('no-video')));
    media.on('quality', (quality) => { this.quality = quality; this.changed(); });
    media.on('interrupted', (interrupted) => {
      this.interrupted = interrupted;
      if (interrupted) this.link.doubt();
      this.changed();
    });
    media.on('lost', () => {
      this.link.send('hangup', { callId: this.id });
      this.end(new Failure('media'));
    });
    return media;
  }
}

/** @param {MediaStream | void | undefined} stream */
function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
