/**
 * Which part of the page is seen: on a narrow screen one at a time, on a wide one the phone always.
 * @module
 */
import { $ } from './dom.js';

/** @typedef {'phone' | 'recents' | 'messages'} View */

/** As in side.css. */
const WIDE = matchMedia('(width >= 60rem)');

/** @param {View} view */
export function showView(view) {
  if (view === 'phone' && isWide()) return;
  document.body.dataset.view = view;
  for (const button of $('views').querySelectorAll('button')) {
    if (button.dataset.view === view) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
}

/** @param {import('./calls.js').Calls} calls */
export function installViews(calls) {
  for (const button of $('views').querySelectorAll('button')) {
    button.onclick = () => showView(button.dataset.view);
  }
  calls.on('began', () => showView('phone'));
  calls.on('change', () => document.body.classList.toggle('in-call', calls.all.length > 0));
  // On a wide screen the phone is there anyway: the button for it is not, and another part is seen beside it.
  const adapt = () => { if (isWide() && document.body.dataset.view === 'phone') showView('recents'); };
  WIDE.addEventListener('change', adapt);
  adapt();
}

function isWide() {
  return WIDE.matches;
}
