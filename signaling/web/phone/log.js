/**
 * The calls that were: made, taken and missed.
 * @module
 */
import { $, duration, element, icon, shortTime } from './dom.js';
import { load, save } from './store.js';

const MAX_ENTRIES = 100;

/**
 * @typedef {object} Entry
 * @property {string} peer number, name or address
 * @property {string} name
 * @property {'incoming' | 'outgoing' | 'missed' | 'declined'} kind
 * @property {number} at milliseconds since 1970
 * @property {number} seconds that were talked
 */

const KIND_WORDS = { incoming: 'Incoming', outgoing: 'Outgoing', missed: 'Missed', declined: 'Declined' };

/** @type {Entry[]} */
let entries = [];
let key = '';

/**
 * @param {import('./calls.js').Calls} calls
 * @param {(peer: string) => void} dial
 * @param {(peer: string) => void} write
 */
export function installLog(calls, dial, write) {
  calls.on('ended', ({ call, before, byUs }) => {
    const rang = byUs ? 'declined' : 'missed';
    add(call, before === 'incoming' ? rang : call.incoming ? 'incoming' : 'outgoing');
  });
  calls.on('turnedAway', (call) => add(call, 'missed'));
  $('log').addEventListener('click', ({ target }) => {
    const button = target.closest('button');
    if (!button) return;
    (button.dataset.act === 'write' ? write : dial)(button.dataset.peer);
  });
}

/** Whose log it is. @param {string} account */
export function openLog(account) {
  key = `log.${account}`;
  entries = load(key, []);
  render();
}

export function clearLog() {
  entries = [];
  save(key, undefined);
  render();
}

/**
 * @param {import('../lib/index.js').Call} call
 * @param {Entry['kind']} kind
 */
function add(call, kind) {
  const since = call.answeredAt?.getTime();
  entries.unshift({
    peer: call.peer,
    name: call.peerName,
    kind,
    at: Date.now(),
    seconds: since ? Math.round((Date.now() - since) / 1000) : 0,
  });
  entries.length = Math.min(entries.length, MAX_ENTRIES);
  save(key, entries);
  render();
}

function render() {
  $('no-log').hidden = entries.length > 0;
  $('log').replaceChildren(...entries.map(row));
}

/** @param {Entry} entry */
function row({ peer, name, kind, at, seconds }) {
  const when = shortTime(new Date(at));
  const outcome = seconds ? duration(seconds) : kind === 'outgoing' ? 'not answered' : '';
  const detail = [KIND_WORDS[kind], outcome].filter(Boolean).join(' · ');
  const call = element('button', {
    type: 'button', className: `row ${kind}`, 'data-peer': peer, title: `Call ${peer}`,
  }, element('span', { className: 'unseen', textContent: 'Call ' }), icon(kind === 'declined' ? 'incoming' : kind), element('span', { className: 'words' },
    element('strong', { textContent: name }), element('small', { textContent: detail })),
  element('time', { textContent: when, dateTime: new Date(at).toISOString() }));
  const write = element('button', {
    type: 'button', className: 'quiet icon', 'data-peer': peer, 'data-act': 'write', title: `Write to ${name}`, 'aria-label': `Write to ${name}`,
  }, icon('bubble'));
  return element('li', {}, call, write);
}
