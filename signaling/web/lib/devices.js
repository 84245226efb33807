/**
 * Microphones, cameras and speakers.
 * @module
 */
import { Emitter } from './emitter.js';
import { Failure } from './failure.js';

/** @typedef {'microphone' | 'camera' | 'speaker'} DeviceKind */

const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const PICTURE = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };

/** @type {Record<string, DeviceKind>} */
const KINDS = { audioinput: 'microphone', videoinput: 'camera', audiooutput: 'speaker' };

/**
 * Which devices are there, and which are wanted.
 * @extends {Emitter<{choice: DeviceKind, list: void}>} `choice`: another device is wanted; `list`: one came or went
 */
export class Devices extends Emitter {
  /** Device identifiers; absent: the browser's choice. @type {Partial<Record<DeviceKind, string>>} */
  #choices = {};

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.emit('list', undefined));
  }

  /**
   * What there is. Browsers tell names only after a device of the kind was allowed.
   * @returns {Promise<Record<DeviceKind, MediaDeviceInfo[]>>}
   */
  async list() {
    /** @type {Record<DeviceKind, MediaDeviceInfo[]>} */
    const found = { microphone: [], camera: [], speaker: [] };
    const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
    for (const device of all) {
      const kind = KINDS[device.kind];
      if (kind && device.deviceId) found[kind].push(device);
    }
    return found;
  }

  /**
   * @param {DeviceKind} kind
   * @returns {string} the wanted device's identifier; empty: the browser's choice
   */
  choice(kind) {
    return this.#choices[kind] ?? '';
  }

  /**
   * Wants another device, in running calls too.
   * @param {DeviceKind} kind
   * @param {string} deviceId empty: the browser's choice
   */
  choose(kind, deviceId) {
    if (deviceId === this.choice(kind)) return;
    this.#choices[kind] = deviceId;
    this.emit('choice', kind);
  }

  /**
   * Opens the microphone; the browser asks its user where that is needed.
   * @returns {Promise<MediaStream>}
   * @throws {Failure}
   */
  openMicrophone() {
    return open('microphone', { audio: { ...SOUND, ...this.#wanted('microphone') } });
  }

  /**
   * Opens the camera.
   * @returns {Promise<MediaStream>}
   * @throws {Failure}
   */
  openCamera() {
    return open('camera', { video: { ...PICTURE, ...this.#wanted('camera') } });
  }

  /**
   * Lets an element be heard from the wanted speaker, where the browser can do that.
   * @param {HTMLMediaElement} element
   */
  async routeTo(element) {
    if (!element.setSinkId) return;
    // A speaker that is gone: the browser's choice is better than silence.
    await element.setSinkId(this.choice('speaker')).catch(() => element.setSinkId('').catch(() => {}));
  }

  /** @param {DeviceKind} kind */
  #wanted(kind) {
    const id = this.#choices[kind];
    return id ? { deviceId: { ideal: id } } : {};
  }
}

/**
 * @param {'microphone' | 'camera'} kind
 * @param {MediaStreamConstraints} constraints
 */
async function open(kind, constraints) {
  if (!navigator.mediaDevices) throw new Failure('insecure');
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    const text = error instanceof Error ? error.message : '';
    if (name === 'NotAllowedError') throw new Failure(`${kind}-denied`, { text });
    if (name === 'NotFoundError') throw new Failure(`${kind}-missing`, { text });
    throw new Failure(`${kind}-taken`, { text });
  }
}
