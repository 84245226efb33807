/**
 * The dialog that hands a call over to somebody else.
 * @module
 */
import { $, element, say } from './dom.js';
import { closeOnBackdrop } from './settings.js';

/** @param {import('./calls.js').Calls} calls */
export function installTransfer(calls) {
  const dialog = $('transfer-dialog');
  /** The call that is handed over; another may be shown before the dialog is answered. */
  let call = calls.shown;
  $('transfer').onclick = () => {
    call = calls.shown;
    if (!call) return;
    $('transfer-title').textContent = `Transfer ${call.peerName}`;
    $('transfer-target').value = '';
    showOthers(calls, call);
    dialog.showModal();
    $('transfer-target').focus();
  };
  dialog.addEventListener('click', closeOnBackdrop);
  // What is closed without an answer gives the last one again.
  dialog.addEventListener('cancel', () => { dialog.returnValue = 'cancel'; });
  dialog.addEventListener('close', () => {
    const target = $('transfer-target').value.trim();
    if (dialog.returnValue === 'cancel' || !call || call.state !== 'talking' || !target) return;
    if (dialog.returnValue === 'blind') handOver(call, target);
    else calls.ask(target);
  });
  $('connect').onclick = () => {
    const { shown, askedFor } = calls;
    if (shown && askedFor) join(calls, askedFor, shown);
  };
  calls.on('change', () => {
    if (dialog.open && call?.state !== 'talking') dialog.close('cancel');
  });
}

/**
 * @param {import('../lib/index.js').Call} call
 * @param {string} target
 */
function handOver(call, target) {
  say(`Transferring ${call.peerName} to ${target}…`);
  call.transfer(target);
}

/**
 * @param {import('./calls.js').Calls} calls
 * @param {import('../lib/index.js').Call} call
 * @param {import('../lib/index.js').Call} other
 */
function join(calls, call, other) {
  say(`Connecting ${call.peerName} with ${other.peerName}…`);
  calls.join(call, other);
}

/**
 * Buttons to join the call with each other one that talks.
 * @param {import('./calls.js').Calls} calls
 * @param {import('../lib/index.js').Call} call
 */
function showOthers(calls, call) {
  const others = calls.all.filter((other) => other !== call && other.state === 'talking');
  $('join-calls').replaceChildren(...others.map((other) => element('button', {
    type: 'button', className: 'secondary', textContent: `Connect with ${other.peerName}`,
    onclick: () => {
      $('transfer-dialog').close('cancel');
      join(calls, call, other);
    },
  })));
}
