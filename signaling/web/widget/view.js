/**
 * What the widget shows: a button, and while there is a call a panel in its place.
 * @module
 */
import { STYLE } from './style.js';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];
/** How keys are read aloud. */
const KEY_NAMES = { '*': 'star', '#': 'hash' };

const SVG = 'http://www.w3.org/2000/svg';
const HANDSET = 'M6.6 3.5 9.4 3l1.9 4.5-2 1.7a12 12 0 0 0 5.5 5.5l1.7-2 4.5 1.9-.5 2.8c-.2 1.5-1.5 2.6-3 2.6C10.6 20 4 13.4 4 6.5c0-1.5 1.1-2.8 2.6-3z';
const MICROPHONE = 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4';
const CAMERA = 'M4 7h11v10H4zM15 11l5-3v8l-5-3z';
const DIALPAD = 'M6 5h.01M12 5h.01M18 5h.01M6 12h.01M12 12h.01M18 12h.01M6 19h.01M12 19h.01M18 19h.01';
const SLASH = 'M4 3l16 18';

/**
 * An element without markup in text, which a page's Trusted Types would refuse.
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** @param {string} path @param {{solid?: boolean, slash?: boolean}} [options] */
function icon(path, { solid = false, slash = false } = {}) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  for (const [line, kind] of [[path, solid ? 'solid' : ''], ...(slash ? [[SLASH, 'slash']] : [])]) {
    const part = document.createElementNS(SVG, 'path');
    part.setAttribute('d', line);
    part.setAttribute('class', kind);
    svg.append(part);
  }
  return svg;
}

/** What is played already goes on: the same stream set anew would begin anew. @param {HTMLMediaElement} element @param {MediaStream | null} stream */
function show(element, stream) {
  if (element.srcObject !== stream) element.srcObject = stream;
}

/** @param {string} label @param {string} kind @param {Record<string, string>} attributes @param {SVGElement} picture */
function round(label, kind, attributes, picture) {
  return make('button', { type: 'button', class: `round ${kind}`, 'aria-label': label, title: label, ...attributes }, picture);
}

/**
 * The widget's shadow tree. Events: `launch`, `hangup`, `again`, `close`, `mute`, `camera` and `key` (`detail`: which).
 */
export class View extends EventTarget {
  /**
   * @param {ShadowRoot} root
   * @param {{label: string, video: boolean}} options
   */
  constructor(root, { label, video }) {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.launch = make('button', { type: 'button', class: 'launch', part: 'button' }, icon(HANDSET, { solid: true }), label);
    this.state = make('p', { class: 'state', role: 'status', 'aria-live': 'polite' });
    this.timer = make('span', { class: 'timer', role: 'timer', 'aria-label': 'Duration' });
    this.mute = round('Mute', 'mute', { 'aria-pressed': 'false' }, icon(MICROPHONE, { slash: true }));
    this.camera = round('Camera off', 'camera', { 'aria-pressed': 'false' }, icon(CAMERA, { slash: true }));
    this.dialpad = round('Keypad', 'dialpad', { 'aria-expanded': 'false' }, icon(DIALPAD));
    this.hangup = round('Hang up', 'hangup', {}, icon(HANDSET, { solid: true }));
    this.again = make('button', { type: 'button', class: 'again' }, 'Call again');
    this.close = make('button', { type: 'button', class: 'close' }, 'Close');
    this.keypad = make('div', { class: 'keypad', role: 'group', 'aria-label': 'Keypad' }, ...KEYS.map((key) => this.#key(key)));
    this.remote = make('video', { autoplay: '', playsinline: '', 'aria-label': 'The other side' });
    this.self = make('video', { class: 'self', autoplay: '', playsinline: '', 'aria-label': 'You' });
    this.self.muted = true;
    this.screen = make('div', { class: 'screen' }, this.remote, this.self);
    this.sound = make('audio', { autoplay: '' });
    this.actions = make('div', { class: 'actions' }, this.mute, ...(video ? [this.camera] : []), this.dialpad, this.hangup);
    this.after = make('div', { class: 'actions' }, this.again, this.close);
    this.panel = make(
      'section', { class: 'panel', part: 'panel', 'aria-label': label },
      make('h2', { class: 'name' }, label), this.state, this.timer, this.screen, this.keypad, this.actions, this.after,
    );
    root.append(make('div', { class: 'root' }, this.launch, this.panel, this.sound));
    this.#listen();
    this.idle();
  }

  #key(key) {
    const button = make('button', { type: 'button', 'aria-label': KEY_NAMES[key] ?? key }, key);
    button.addEventListener('click', () => this.#tell('key', key));
    return button;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #listen() {
    for (const name of ['launch', 'hangup', 'again', 'close', 'mute', 'camera']) {
      this[name].addEventListener('click', () => this.#tell(name));
    }
    this.dialpad.addEventListener('click', () => this.#showKeypad(this.keypad.hidden));
    this.panel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !this.after.hidden) this.#tell('close');
      else if (KEYS.includes(event.key) && !this.dialpad.disabled) this.#tell('key', event.key);
    });
  }

  #showKeypad(shown) {
    this.keypad.hidden = !shown;
    this.dialpad.setAttribute('aria-expanded', String(shown));
  }

  #show({ panel, over = false }) {
    this.launch.hidden = panel;
    this.panel.hidden = !panel;
    this.actions.hidden = over;
    this.after.hidden = !over;
    this.screen.hidden = true;
    this.timer.hidden = true;
    this.#showKeypad(false);
  }

  /** Whether the visitor is in the panel; whoever is elsewhere in the page is left there. */
  get #hasFocus() {
    return this.panel.contains(this.panel.getRootNode().activeElement);
  }

  /** The button alone. */
  idle() {
    const hadFocus = this.#hasFocus;
    this.#show({ panel: false });
    if (hadFocus) this.launch.focus();
  }

  /** A call that is not answered yet. @param {string} words */
  calling(words) {
    if (this.panel.hidden || this.actions.hidden) {
      this.#show({ panel: true });
      this.hangup.focus();
    }
    this.say(words);
    this.mute.disabled = true;
    this.camera.disabled = true;
    this.dialpad.disabled = true;
    this.pressed(this.mute, false);
    this.pressed(this.camera, false);
  }

  /** A call that is answered. @param {string} words */
  talking(words) {
    this.say(words);
    this.timer.hidden = false;
    this.mute.disabled = false;
    this.camera.disabled = false;
    this.dialpad.disabled = false;
  }

  /** The call is over, or was not made. @param {string} words @param {boolean} bad */
  over(words, bad) {
    const hadFocus = this.#hasFocus;
    this.#show({ panel: true, over: true });
    this.say(words, bad);
    if (hadFocus) this.again.focus();
  }

  /** @param {string} words @param {boolean} [bad] */
  say(words, bad = false) {
    this.state.textContent = words;
    this.state.classList.toggle('bad', bad);
  }

  /** @param {HTMLElement} button @param {boolean} pressed */
  pressed(button, pressed) {
    button.setAttribute('aria-pressed', String(pressed));
  }

  /** @param {number} seconds */
  time(seconds) {
    const rest = String(seconds % 60).padStart(2, '0');
    this.timer.textContent = `${Math.floor(seconds / 60)}:${rest}`;
  }

  /**
   * The far end's sound and picture, and one's own picture.
   * @param {MediaStream | undefined} remote
   * @param {MediaStream | undefined} self
   * @param {boolean} [isPictured] whether the far end shows something
   */
  play(remote, self, isPictured = false) {
    show(this.sound, remote ?? null);
    show(this.remote, isPictured && remote ? remote : null);
    this.remote.hidden = !isPictured;
    this.remote.muted = true;
    show(this.self, self?.getVideoTracks().length ? self : null);
    this.self.hidden = !this.self.srcObject;
    this.screen.hidden = !(isPictured || this.self.srcObject);
  }
}
