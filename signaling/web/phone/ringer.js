/**
 * What is heard of calls besides the calls themselves, and what the browser shows while the page is hidden.
 * @module
 */
import * as tones from '../lib/tones.js';
import { $ } from './dom.js';
import { settings } from './settings.js';

const TITLE = document.title;

let sounding = '';
/** @type {Notification | undefined} */
let notification;
/** The calls' sounds. @type {Map<import('../lib/index.js').Call, HTMLAudioElement>} */
const elements = new Map();

/**
 * @param {import('./calls.js').Calls} calls
 * @param {import('../lib/index.js').Devices} devices
 */
export function installRinger(calls, devices) {
  calls.on('change', () => {
    play(wanted(calls));
    const ringing = calls.all.find(({ state }) => state === 'incoming');
    document.title = ringing ? `${ringing.peerName} is calling` : TITLE;
    if (!ringing) closeNotification();
    hear(calls, devices);
  });
  calls.on('began', (call) => { if (call.incoming) notify(`${call.peerName} is calling`, 'call'); });
  devices.on('choice', (kind) => {
    if (kind === 'speaker') for (const audio of elements.values()) devices.routeTo(audio);
  });
}

/** @param {import('./calls.js').Calls} calls */
function wanted({ all, shown }) {
  const isRinging = all.some(({ state }) => state === 'incoming');
  const isBusy = all.some(({ state }) => state !== 'incoming');
  if (isRinging) return isBusy ? 'waiting' : 'ring';
  return shown?.state === 'alerting' && !shown.earlyMedia ? 'ringBack' : '';
}

/** @param {string} tone */
function play(tone) {
  if (tone === sounding) return;
  sounding = tone;
  if (tone === 'ring') tones.ring();
  else if (tone === 'waiting') tones.callWaiting();
  else if (tone === 'ringBack') tones.ringBack();
  else tones.silence();
}

/**
 * An element for each call's sound.
 * @param {import('./calls.js').Calls} calls
 * @param {import('../lib/index.js').Devices} devices
 */
function hear({ all }, devices) {
  for (const [call, audio] of elements) {
    if (all.includes(call)) continue;
    audio.srcObject = null;
    audio.remove();
    elements.delete(call);
  }
  for (const call of all) {
    if (!call.remote) continue;
    if (!elements.has(call)) {
      const audio = new Audio();
      audio.autoplay = true;
      audio.srcObject = call.remote;
      $('sounds').append(audio);
      elements.set(call, audio);
      devices.routeTo(audio);
    }
    const audio = elements.get(call);
    if (audio) audio.muted = call.held;
  }
}

/**
 * Shows something outside the page, while nobody looks at it.
 * @param {string} text
 * @param {'call' | 'message'} tag
 */
export function notify(text, tag) {
  const isAllowed = settings.notify && 'Notification' in window && Notification.permission === 'granted';
  if (!isAllowed || !document.hidden) return;
  try {
    notification = new Notification(text, { icon: 'icon.svg', tag, requireInteraction: tag === 'call' });
    notification.onclick = () => { window.focus(); closeNotification(); };
  } catch {
    notification = undefined; // Some mobile browsers allow notifications from service workers only.
  }
}

function closeNotification() {
  if (notification?.tag === 'call') notification.close();
  notification = undefined;
}
