/**
 * The call that is shown: who it is with, how it goes, and what can be done.
 * @module
 */
import { explain } from '../lib/index.js';
import { $, duration, element, hasKeyboard, icon, isWriting, say, setIcon } from './dom.js';
import { showPictures } from './pictures.js';

/** @typedef {import('../lib/index.js').Call} Call */

const STATE_WORDS = {
  calling: 'Calling…', alerting: 'Ringing…', incoming: 'Incoming call', answering: 'Connecting…', talking: 'In call', ended: '',
};
const TRANSFER_WORDS = { asked: 'Transferring…', ringing: 'Transferring, it rings there…', done: 'Transferred', failed: '' };
const TICK = 500;

/** @type {import('./calls.js').Calls} */
let calls;
let shownState = 'idle';
let showsKeypad = false;
let shownOthers = '';

/** @param {import('./calls.js').Calls} theCalls */
export function installPanel(theCalls) {
  calls = theCalls;
  calls.on('change', render);
  calls.on('began', (call) => {
    call.on('trouble', (failure) => {
      const name = call.transferState === 'failed' ? call.transferTarget : call.peerName;
      say(explain(failure, name || 'The other side'), true);
    });
  });
  $('mute').onclick = () => withShown((call) => { call.muted = !call.muted; });
  $('hold').onclick = () => withShown((call) => (call.held ? call.resume() : call.hold()));
  $('camera').onclick = () => withShown((call) => (call.camera ? call.stopVideo() : call.startVideo()));
  $('show-keypad').onclick = () => toggleKeypad(true);
  $('back-to-call').onclick = goBack;
  $('add-call').onclick = () => {
    calls.add(true);
    $('callee').focus();
  };
  $('answer').onclick = () => withShown((call) => calls.answer(call));
  $('answer-video').onclick = () => withShown((call) => calls.answer(call, { video: true }));
  $('hangup').onclick = () => withShown((call) => calls.hangup(call));
  setInterval(showTimers, TICK);
  render();
}

/** @param {(call: Call) => void} act */
function withShown(act) {
  if (calls.shown) act(calls.shown);
}

/** @param {boolean} shows */
function toggleKeypad(shows) {
  showsKeypad = shows;
  render();
  (shows ? $('keypad').querySelector('button') : $('show-keypad')).focus();
}

function goBack() {
  if (showsKeypad) toggleKeypad(false);
  else calls.add(false);
  if (document.activeElement === document.body) $('hangup').focus();
}

function render() {
  const call = calls.shown;
  const state = call?.state ?? 'idle';
  const isConnected = state !== 'idle' && state !== 'incoming';
  if (!isConnected) showsKeypad = false;
  $('phone').dataset.state = state;
  $('idle').hidden = Boolean(call);
  $('call').hidden = !call;
  $('keypad').hidden = Boolean(call) && !showsKeypad;
  $('controls').hidden = !isConnected || showsKeypad;
  $('call-button').hidden = $('video-call-button').hidden = Boolean(call);
  $('answer').hidden = state !== 'incoming';
  $('answer-video').hidden = state !== 'incoming' || !call?.offersVideo;
  $('hangup').hidden = !call;
  $('hangup-label').textContent = state === 'incoming' ? 'Decline' : 'Hang up';
  $('back-to-call').hidden = !(calls.isAdding && calls.all.length) && !showsKeypad;
  if (call) showCall(call);
  showPictures(call, showsKeypad);
  showOthers();
  showTimers();
  if (state !== shownState) moveFocus(state);
  shownState = state;
}

/** @param {Call} call */
function showCall(call) {
  $('peer').textContent = call.peerName || 'Unknown';
  $('peer').title = call.peer;
  $('avatar').textContent = initial(call.peerName);
  $('call-state').textContent = stateWords(call);
  $('quality').textContent = call.state === 'talking' ? qualityWords(call) : '';
  $('quality').dataset.level = call.quality?.level ?? '';
  const isTalking = call.state === 'talking';
  press('mute', call.muted, 'microphone-off', 'microphone');
  press('hold', call.held, 'play', 'pause');
  press('camera', Boolean(call.camera), 'camera', 'camera');
  $('mute').disabled = !call.remote;
  $('camera').disabled = !isTalking || call.held;
  for (const id of ['hold', 'transfer', 'add-call']) $(id).disabled = !isTalking;
  const { askedFor } = calls;
  $('connect').hidden = !askedFor || !isTalking;
  if (askedFor) $('connect').textContent = `Connect ${askedFor.peerName} with ${call.peerName}`;
}

/** The first letter of a name, in any script; nothing of a number. @param {string} name */
function initial(name) {
  return /\p{Letter}/u.exec(name)?.[0].toLocaleUpperCase() ?? '#';
}

/**
 * @param {string} id
 * @param {boolean} isPressed
 * @param {string} pressedIcon
 * @param {string} otherIcon
 */
function press(id, isPressed, pressedIcon, otherIcon) {
  $(id).setAttribute('aria-pressed', String(isPressed));
  setIcon($(id), isPressed ? pressedIcon : otherIcon);
}

/** @param {Call} call */
function stateWords(call) {
  if (call.state !== 'talking') return call.state === 'incoming' && call.offersVideo ? 'Incoming video call' : STATE_WORDS[call.state];
  if (call.interrupted) return 'Sound interrupted, restoring it…';
  const transfer = call.transferState && TRANSFER_WORDS[call.transferState];
  if (transfer) return transfer;
  if (call.held) return 'On hold';
  if (call.heldByPeer) return `${call.peerName} put you on hold`;
  return call.muted ? 'In call, muted' : 'In call';
}

/** @param {Call} call */
function qualityWords({ quality, peerName, held, heldByPeer, interrupted }) {
  if (!quality || held || heldByPeer || interrupted) return '';
  if (quality.level === 'good') return 'Good connection';
  const isBad = quality.level === 'poor';
  if (quality.side === 'there') return isBad ? `Bad connection: ${peerName} may not understand you` : `Weak connection to ${peerName}`;
  return isBad ? 'Bad connection: the sound breaks up' : 'Weak connection: the sound may break up';
}

/** The calls beside the one that is shown, each in a row. */
function showOthers() {
  const list = $('other-calls');
  const { others } = calls;
  list.hidden = others.length === 0;
  // Made anew only for a reason: a button that is being pressed must stay.
  const looks = JSON.stringify(others.map((call) => [call.id, call.peerName, call.state, stateWords(call)]));
  if (looks === shownOthers) return;
  shownOthers = looks;
  const focused = document.activeElement?.closest('li')?.dataset.call;
  list.replaceChildren(...others.map((call) => otherRow(call)));
  if (focused) list.querySelector(`[data-call="${CSS.escape(focused)}"] button`)?.focus();
}

/** @param {Call} call */
function otherRow(call) {
  const isIncoming = call.state === 'incoming';
  const name = call.peerName || 'Unknown';
  const words = element('span', { className: 'words' },
    element('strong', { textContent: name }),
    element('small', { textContent: isIncoming ? 'is calling' : stateWords(call) }));
  const row = element('li', { className: isIncoming ? 'ringing' : '', 'data-call': call.id }, words);
  const button = (label, symbol, kind, act) => element('button', {
    type: 'button', className: `small ${kind}`, onclick: act, title: label, 'aria-label': `${label} ${name}`,
  }, icon(symbol));
  if (isIncoming) {
    row.append(
      button('Decline', 'handset', 'bad', () => calls.hangup(call)),
      button('Hold and answer', 'handset', 'good', () => calls.answer(call)));
  } else {
    row.append(element('button', {
      type: 'button', className: 'quiet', textContent: 'Switch', 'aria-label': `Switch to ${name}`, onclick: () => calls.show(call),
    }));
  }
  return row;
}

function showTimers() {
  const since = calls.shown?.answeredAt;
  const text = since ? duration((Date.now() - since.getTime()) / 1000) : '';
  if ($('timer').textContent !== text) $('timer').textContent = text;
}

/** What was focused may be gone with the old state. @param {string} state */
function moveFocus(state) {
  if (isWriting()) return;
  if (state === 'idle') {
    if (hasKeyboard()) $('callee').focus();
    else $('call-button').focus({ preventScroll: true });
  } else if (state === 'incoming') {
    $('answer').focus();
  } else {
    $('hangup').focus();
  }
}
