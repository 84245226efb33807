/**
 * The keypad: digits to dial, and in a call digits to send.
 * @module
 */
import * as tones from '../lib/tones.js';
import { $, element } from './dom.js';

const KEYS = [
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'], ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
  ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'], ['*', ''], ['0', '+'], ['#', ''],
];
/** @type {Record<string, string>} */
const NAMES = { '*': 'star', '#': 'hash' };
const PRESSED_MILLISECONDS = 140;
const MAX_SHOWN_DIGITS = 32;

/** What was sent in each call. @type {WeakMap<import('../lib/index.js').Call, string>} */
const sent = new WeakMap();

/** @param {import('./calls.js').Calls} calls */
export function installKeypad(calls) {
  for (const [key, letters] of KEYS) {
    $('keypad').append(element('button', {
      type: 'button', className: 'key', textContent: key, 'data-key': key, 'data-letters': letters,
      'aria-label': NAMES[key] ?? key, onclick: () => pressKey(calls, key),
    }));
  }
  $('erase').onclick = erase;
  document.addEventListener('keydown', (event) => keyDown(calls, event));
  calls.on('change', () => {
    $('digits').textContent = calls.shown && sent.get(calls.shown) || '';
  });
}

/**
 * @param {import('./calls.js').Calls} calls
 * @param {string} key
 */
function pressKey(calls, key) {
  const call = calls.shown;
  if (call?.state === 'talking' || call?.earlyMedia) {
    tones.key(key);
    call.sendDigits(key);
    const digits = ((sent.get(call) ?? '') + key).slice(-MAX_SHOWN_DIGITS);
    sent.set(call, digits);
    $('digits').textContent = digits;
  } else if (!call) {
    tones.key(key);
    const field = $('callee');
    field.setRangeText(key, field.selectionStart, field.selectionEnd, 'end');
  }
}

function erase() {
  const field = $('callee');
  if (field.selectionStart === field.selectionEnd && field.selectionStart > 0) field.selectionStart -= 1;
  field.setRangeText('');
  field.focus();
}

/**
 * Digits of the keyboard press the keys, except where something is written.
 * @param {import('./calls.js').Calls} calls
 * @param {KeyboardEvent} event
 */
function keyDown(calls, event) {
  const { target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || $('workplace').hidden) return;
  if (!/^[0-9*#]$/.test(event.key) || !(target instanceof Element)) return;
  if (target.matches('input, textarea, select') || target.closest('dialog')) return;
  const button = $('keypad').querySelector(`[data-key="${event.key}"]`);
  button.classList.add('pressed');
  setTimeout(() => button.classList.remove('pressed'), PRESSED_MILLISECONDS);
  pressKey(calls, event.key);
}
