/**
 * `<tandem-call token="TOKEN">`: a call button that becomes a small telephone while there is a call.
 *
 * Nothing is asked of the visitor, and nothing is sent to the gateway, before the button is clicked; the library is loaded
 * then, too. Attributes: `token`, `label`, `video` (the camera is shown as well), `theme` (`light`, `dark`), `place`
 * (`corner`: fixed at the window's corner), `server` (its WebSocket, where that is not beside this script).
 * Event: `tandem-call`, whose `detail.state` is `calling`, `alerting`, `talking` or `ended`.
 * @module
 */
import { View } from './view.js';

const OUR_SERVER = new URL('..', import.meta.url).href.replace(/^http/, 'ws');
const LABEL = 'Call us';

/** Only what is used of them: the library comes with the first click. */
const library = () => Promise.all([import('../lib/index.js'), import('../lib/tones.js')]);

const WORDS = {
  connecting: 'Connecting …',
  calling: 'Please allow the microphone.',
  alerting: 'Ringing …',
  talking: 'Connected',
};

class TandemCall extends HTMLElement {
  /** @type {View | undefined} */
  #view;
  /** @type {import('../lib/tandem.js').Tandem | undefined} */
  #tandem;
  /** @type {import('../lib/call.js').Call | undefined} */
  #call;
  /** @type {typeof import('../lib/tones.js') | undefined} */
  #tones;
  #clock = 0;
  #leave = () => this.#end();

  connectedCallback() {
    this.#view ??= this.#build();
    addEventListener('pagehide', this.#leave);
  }

  /** The page took the button away: the call ends. */
  disconnectedCallback() {
    removeEventListener('pagehide', this.#leave);
    this.#end();
    this.#view?.idle();
  }

  #build() {
    const label = this.getAttribute('label') || LABEL;
    const view = new View(this.attachShadow({ mode: 'open' }), { label, video: this.#hasVideo });
    view.addEventListener('launch', () => this.#start());
    view.addEventListener('again', () => this.#start());
    view.addEventListener('hangup', () => this.#hangUp());
    view.addEventListener('close', () => view.idle());
    view.addEventListener('key', ({ detail }) => this.#key(detail));
    view.addEventListener('mute', () => { if (this.#call) this.#call.muted = !this.#call.muted; });
    view.addEventListener('camera', () => (this.#call?.camera ? this.#call.stopVideo() : this.#call?.startVideo()));
    return view;
  }

  get #hasVideo() {
    return this.hasAttribute('video') && this.getAttribute('video') !== 'false';
  }

  async #start() {
    const view = this.#view;
    view.calling(WORDS.connecting);
    try {
      const [{ Tandem }, tones] = await library();
      this.#tones = tones;
      tones.wake();
      const tandem = new Tandem(this.getAttribute('server') || OUR_SERVER);
      this.#tandem = tandem;
      tandem.on('closed', (failure) => this.#over(failure));
      tandem.on('state', (state) => { if (state === 'reconnecting' && this.#call) view.say('Reconnecting …'); });
      await tandem.login({ token: this.getAttribute('token') ?? '' });
      if (tandem === this.#tandem) this.#place(tandem);
    } catch (error) {
      // Without a login there is no telephone any more: the visitor hung up meanwhile.
      if (this.#tandem || !this.#tones) this.#over(error);
    }
  }

  /** @param {import('../lib/tandem.js').Tandem} tandem */
  #place(tandem) {
    const call = tandem.call(undefined, { video: this.#hasVideo });
    this.#call = call;
    call.on('change', () => { if (call === this.#call) this.#changed(call); });
    call.on('trouble', (failure) => this.#explain(failure).then((words) => this.#view.say(words, true)));
    this.#changed(call);
  }

  /** @param {import('../lib/call.js').Call} call */
  #changed(call) {
    const view = this.#view;
    const rings = call.state === 'alerting' && !call.earlyMedia;
    if (rings && this.dataset.state !== 'alerting') this.#tones.ringBack();
    if (!rings) this.#tones.silence();
    if (call.state === 'ended') {
      this.#over(call.failure);
      return;
    }
    if (call.state === 'talking') this.#talking(call);
    else view.calling(WORDS[call.state]);
    view.play(call.remote, call.camera, call.isReceivingVideo);
    this.#tell(call.state);
  }

  /** @param {import('../lib/call.js').Call} call */
  #talking(call) {
    const view = this.#view;
    const time = () => view.time(Math.floor((Date.now() - call.answeredAt.getTime()) / 1000));
    if (!this.#clock) this.#clock = setInterval(time, 1000);
    time();
    view.talking(call.interrupted ? 'The sound is being restored …' : call.heldByPeer ? 'On hold' : WORDS.talking);
    view.pressed(view.mute, call.muted);
    view.pressed(view.camera, !call.camera);
  }

  /** @param {string} key */
  #key(key) {
    this.#tones?.key(key);
    this.#call?.sendDigits(key);
  }

  /** The visitor ends it, in whatever state it is. */
  #hangUp() {
    this.#end();
    this.#view.over('The call has ended.', false);
    this.#tell('ended');
  }

  /** It ended by itself. @param {unknown} [failure] */
  async #over(failure) {
    this.#end();
    this.#view.over(failure ? await this.#explain(failure) : 'The call has ended.', Boolean(failure));
    this.#tell('ended');
  }

  /** Lets go of everything. */
  #end() {
    const tandem = this.#tandem;
    this.#tandem = undefined;
    this.#call = undefined;
    clearInterval(this.#clock);
    this.#clock = 0;
    this.#tones?.silence();
    this.#view?.play(undefined, undefined);
    tandem?.logout();
  }

  /** @param {unknown} error */
  async #explain(error) {
    try {
      const [{ Failure, explain }] = await library();
      return explain(Failure.from(error, 'unreachable'));
    } catch {
      return 'The server cannot be reached. Are you connected?';
    }
  }

  /** @param {string} state */
  #tell(state) {
    if (this.dataset.state === state) return;
    this.dataset.state = state;
    this.dispatchEvent(new CustomEvent('tandem-call', { bubbles: true, composed: true, detail: { state } }));
  }
}

// Two scripts on one page bring one element.
if (!customElements.get('tandem-call')) customElements.define('tandem-call', TandemCall);
