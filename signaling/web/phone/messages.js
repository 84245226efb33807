/**
 * The view of messages: who wrote, one conversation, and the field for what one writes.
 * @module
 */
import { explain } from '../lib/index.js';
import { Conversations } from './conversations.js';
import { $, element, hasKeyboard, shortTime } from './dom.js';
import { notify } from './ringer.js';
import { showView } from './views.js';

/** @typedef {import('./conversations.js').Thread} Thread */

const STATE_WORDS = { sending: 'Sending…', sent: 'Sent', delivered: 'Delivered', failed: 'Not delivered', received: '' };

export const conversations = new Conversations();

/** @type {import('../lib/index.js').Tandem} */
let tandem;
/** Whose conversation is seen; empty: a new one; `undefined`: the list of all. @type {string | undefined} */
let peer;

/**
 * @param {import('../lib/index.js').Tandem} theTandem
 * @param {(peer: string) => void} dial
 */
export function installMessages(theTandem, dial) {
  tandem = theTandem;
  tandem.on('message', (message) => {
    conversations.add(message, explain);
    notify(`${message.peer}: ${message.text}`, 'message');
  });
  conversations.on('change', render);
  $('new-thread').onclick = () => openThread('');
  $('close-thread').onclick = () => {
    peer = undefined;
    render();
    ($('threads').querySelector('button') ?? $('new-thread')).focus();
  };
  $('call-thread').onclick = () => { if (peer) dial(peer); };
  $('compose').onsubmit = send;
  $('text').oninput = fitText;
  $('text').onkeydown = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $('compose').requestSubmit();
  };
  document.addEventListener('visibilitychange', render);
  // A conversation that comes into view is read then.
  new MutationObserver(render).observe(document.body, { attributeFilter: ['data-view'] });
}

/** @param {string} withWhom empty: a new conversation */
export function openThread(withWhom) {
  peer = withWhom;
  showView('messages');
  render();
  $('thread').scrollTop = $('thread').scrollHeight;
  if (!withWhom) $('to').focus();
  else if (hasKeyboard()) $('text').focus();
  else $('messages-title').focus();
}

/** @param {SubmitEvent} event */
function send(event) {
  event.preventDefault();
  const to = peer || $('to').value.trim();
  const text = $('text').value.trim();
  if (!to || !text) return;
  peer = conversations.find(to)?.peer ?? to;
  $('text').value = $('to').value = '';
  fitText();
  conversations.add(tandem.sendMessage(peer, text), (failure) => explain(failure, to));
  $('text').focus();
}

/** The field is as high as what is written, within bounds. */
function fitText() {
  const field = $('text');
  field.rows = Math.min(5, field.value.split('\n').length);
}

function render() {
  const thread = peer ? conversations.find(peer) : undefined;
  const isSeen = document.body.dataset.view === 'messages' && !document.hidden;
  if (thread?.unread && isSeen) {
    conversations.read(thread);
    return;
  }
  const { unread, threads } = conversations;
  $('unread').hidden = unread === 0;
  $('unread').textContent = String(unread);
  $('unread').setAttribute('aria-label', `${unread} unread`);
  const isList = peer === undefined;
  $('messages-title').textContent = isList ? 'Messages' : peer ? thread?.name ?? peer : 'New message';
  $('close-thread').hidden = isList;
  $('new-thread').hidden = !isList;
  $('call-thread').hidden = !peer;
  $('call-thread').title = `Call ${thread?.name ?? peer}`;
  $('call-thread').setAttribute('aria-label', $('call-thread').title);
  $('threads').hidden = !isList;
  $('no-threads').hidden = !isList || threads.length > 0;
  $('thread').hidden = isList;
  $('compose').hidden = isList;
  $('to-field').hidden = $('to').disabled = Boolean(peer);
  if (isList) $('threads').replaceChildren(...threads.map(threadRow));
  else showLines(thread);
}

/** @param {Thread} thread */
function threadRow({ peer: withWhom, name, unread, lines }) {
  const last = lines.at(-1);
  const when = last ? shortTime(new Date(last.at)) : '';
  return element('li', {}, element('button', {
    type: 'button', className: unread ? 'row unread' : 'row', title: withWhom, onclick: () => openThread(withWhom),
  }, element('span', { className: 'words' },
    element('strong', { textContent: name }), element('small', { textContent: last?.text ?? '' })),
  element('time', { textContent: when }),
  ...unread ? [element('span', { className: 'badge', textContent: String(unread), 'aria-label': `${unread} unread` })] : []));
}

/** Lines that are shown already stay, so that screen readers hear only the new ones. @param {Thread} [thread] */
function showLines(thread) {
  const list = $('thread');
  const wasAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const lines = thread?.lines ?? [];
  if (list.dataset.peer !== (thread?.peer ?? '')) list.replaceChildren();
  list.dataset.peer = thread?.peer ?? '';
  const shown = new Map([...list.children].map((item) => [item.dataset.id, item]));
  for (const line of lines) {
    const item = shown.get(line.id) ?? newLine(line);
    shown.delete(line.id);
    if (!item.parentNode) list.append(item);
    const state = line.trouble ?? STATE_WORDS[line.state];
    const words = [shortTime(new Date(line.at)), state].filter(Boolean).join(' · ');
    const status = item.querySelector('small');
    if (status && status.textContent !== words) status.textContent = words;
    item.classList.toggle('failed', line.state === 'failed');
  }
  for (const old of shown.values()) old.remove();
  if (wasAtEnd) list.scrollTop = list.scrollHeight;
}

/** @param {import('./conversations.js').Line} line */
function newLine({ id, text, incoming }) {
  return element('li', { className: incoming ? 'theirs' : 'ours', 'data-id': id },
    element('p', { textContent: text }), element('small'));
}
