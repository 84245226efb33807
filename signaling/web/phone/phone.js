/**
 * The phone page: what is shown and pressed. Calls are tandem.js, tones tones.js, words words.js.
 * @module
 */
import { explain, Tandem } from '../lib/index.js';
import * as tones from '../lib/tones.js';

const KEYS = [
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'], ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
  ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'], ['*', ''], ['0', '+'], ['#', ''],
];
const KEY_NAMES = { '*': 'star', '#': 'hash' };

const STATE_WORDS = {
  calling: 'Calling…', alerting: 'Ringing…', incoming: 'Incoming call', answering: 'Connecting…', talking: 'In call',
};

const PRESSED_MILLISECONDS = 140;

const $ = (id) => document.getElementById(id);
const server = new Tandem();

/** The account in use. */
let account = null;
/** @type {import('../lib/index.js').Call | null} */
let call = null;
let talkingSince = 0;
let timerInterval = 0;
let notification = null;

// --- logging in and out

function say(text, bad = false) {
  $('message').textContent = text;
  $('message').classList.toggle('bad', bad);
}

async function login(event) {
  event.preventDefault();
  tones.wake();
  askForNotifications();
  account = {
    user: $('user').value.trim(),
    password: $('password').value,
    domain: $('domain').value.trim(),
    proxy: $('proxy').value.trim(),
    authName: $('auth-name').value.trim(),
  };
  $('login-button').disabled = true;
  say('Logging in…');
  try {
    await server.login(account);
    $('password').value = '';
    showAccount();
    say('');
    $('callee').focus();
  } catch (failure) {
    account = null;
    say(explain(failure), true);
    $('password').focus();
  } finally {
    $('login-button').disabled = false;
  }
}

function logout() {
  account = null;
  server.logout();
  $('phone').hidden = $('account').hidden = true;
  $('login').hidden = false;
  say('Logged out.');
  $('password').focus();
}

function showAccount() {
  $('address').textContent = account.domain ? `${account.user}@${account.domain}` : account.user;
  $('login').hidden = true;
  $('phone').hidden = $('account').hidden = false;
  showPresence(true);
}

function showPresence(online) {
  $('presence').classList.toggle('online', online);
  $('presence').title = online ? 'Connected' : 'Not connected';
  $('call-button').disabled = !online;
}

/** The connection to the server came or went; the calls on it live on for a while. */
function connectionChanged(state) {
  if (!account || $('phone').hidden) return;
  if (state === 'reconnecting') {
    showPresence(false);
    say('The connection to the server was lost. Reconnecting…', true);
  } else if (state === 'online') {
    showPresence(true);
    say('Connected again.');
  }
}

// --- calls

function dial(event) {
  event.preventDefault();
  const callee = $('callee').value.trim();
  if (!callee || call || !account) return;
  tones.wake();
  say('');
  adopt(server.call(callee));
  $('hangup').focus();
}

function incoming(newCall) {
  if (call) {
    newCall.reportBusy();
    say(`${newCall.peerName} called while you were in a call.`);
    return;
  }
  say('');
  adopt(newCall);
  tones.ring();
  notify(newCall);
  $('answer').focus();
}

function adopt(newCall) {
  call = newCall;
  talkingSince = 0;
  $('digits').textContent = '';
  let state = '';
  call.on('trouble', (failure) => say(explain(failure, newCall.peerName), true));
  call.on('change', () => {
    if (newCall.remote && $('remote').srcObject !== newCall.remote) $('remote').srcObject = newCall.remote;
    if (newCall.state !== state) entered(newCall, state);
    state = newCall.state;
    if (call) showCall();
  });
  state = call.state;
  showCall();
}

/** A call came into a new state. */
function entered({ state, earlyMedia }, before) {
  if (state === 'alerting' && !earlyMedia) tones.ringBack();
  else tones.silence();
  if (state !== 'incoming') closeNotification();
  if (state === 'talking' && before !== 'talking') {
    talkingSince = performance.now();
    timerInterval = setInterval(showTimer, 500);
    $('hangup').focus();
  }
  if (state === 'ended') ended(before);
}

function ended(before) {
  const { failure, peerName } = call;
  clearInterval(timerInterval);
  if (failure) say(explain(failure, peerName), true);
  else if (before === 'incoming' && !call.endedHere) say(`Missed call from ${peerName}.`);
  else say(call.endedHere ? 'Call ended.' : `${peerName} hung up.`);
  call = null;
  $('remote').srcObject = null;
  $('callee').value = '';
  showCall();
  $('callee').focus();
}

function hangup() {
  if (!call) return;
  call.endedHere = true;
  call.hangup();
}

function toggleMute() {
  if (call) call.muted = !call.muted;
}

// --- what is shown

function showCall() {
  const state = call?.state;
  $('phone').dataset.state = state ?? 'idle';
  $('dial').hidden = $('call-button').hidden = Boolean(call);
  $('call').hidden = $('hangup').hidden = !call;
  $('answer').hidden = state !== 'incoming';
  $('mute').hidden = !call?.remote;
  $('keypad').hidden = state === 'incoming';
  $('hangup-label').textContent = state === 'incoming' ? 'Decline' : 'Hang up';
  document.title = state === 'incoming' ? `${call.peerName} is calling` : 'Tandem phone';
  if (!call) return;
  const muted = call.muted;
  $('mute').setAttribute('aria-pressed', String(muted));
  $('peer').textContent = call.peerName;
  $('peer').title = call.peer;
  $('call-state').textContent = call.interrupted ? 'Sound interrupted, restoring it…'
    : muted && state === 'talking' ? 'In call, muted' : STATE_WORDS[state];
  showTimer();
}

function showTimer() {
  if (!talkingSince) {
    $('timer').textContent = '';
    return;
  }
  const seconds = Math.floor((performance.now() - talkingSince) / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, '0'));
  if (seconds >= 3600) parts.unshift(String(Math.floor(seconds / 3600)));
  $('timer').textContent = parts.join(':');
}

function askForNotifications() {
  if ('Notification' in window && Notification.permission === 'default') Notification.requestPermission();
}

function notify({ peerName }) {
  if (!('Notification' in window) || Notification.permission !== 'granted' || !document.hidden) return;
  try {
    notification = new Notification(`${peerName} is calling`, { icon: 'icon.svg', tag: 'call', requireInteraction: true });
    notification.onclick = () => { window.focus(); closeNotification(); };
  } catch {
    notification = null; // Some mobile browsers allow notifications from service workers only.
  }
}

function closeNotification() {
  notification?.close();
  notification = null;
}

// --- keypad and keyboard

function pressKey(key) {
  if (call?.state === 'talking' || call?.earlyMedia) {
    tones.key(key);
    call.sendDigits(key);
    $('digits').textContent += key;
  } else if (!call) {
    tones.key(key);
    insert(key);
  }
}

function insert(text) {
  const field = $('callee');
  field.setRangeText(text, field.selectionStart, field.selectionEnd, 'end');
}

function erase() {
  const field = $('callee');
  if (field.selectionStart === field.selectionEnd && field.selectionStart > 0) field.selectionStart -= 1;
  field.setRangeText('');
  field.focus();
}

function buildKeypad() {
  for (const [key, letters] of KEYS) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'key';
    button.dataset.key = key;
    button.setAttribute('aria-label', KEY_NAMES[key] ?? key);
    const digit = document.createElement('span');
    digit.textContent = key;
    const caption = document.createElement('small');
    caption.textContent = letters;
    button.append(digit, caption);
    button.onclick = () => pressKey(key);
    $('keypad').append(button);
  }
}

function keyDown(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || !account) return;
  const typing = event.target.matches('input');
  if (event.key === 'Escape' && call) {
    hangup();
  } else if (/^[0-9*#]$/.test(event.key) && !typing && !event.repeat) {
    const button = $('keypad').querySelector(`[data-key="${event.key}"]`);
    button.classList.add('pressed');
    setTimeout(() => button.classList.remove('pressed'), PRESSED_MILLISECONDS);
    pressKey(event.key);
  }
}

buildKeypad();
$('login').onsubmit = login;
$('logout').onclick = logout;
$('dial').onsubmit = dial;
$('erase').onclick = erase;
$('answer').onclick = () => { tones.wake(); call?.answer(); };
$('hangup').onclick = hangup;
$('mute').onclick = toggleMute;
document.addEventListener('keydown', keyDown);
window.addEventListener('pagehide', () => server.logout());
server.on('call', incoming);
server.on('state', connectionChanged);
server.on('closed', (failure) => { logout(); say(explain(failure), true); });
server.on('unregistered', (failure) => { showPresence(false); say(explain(failure), true); });
server.on('registered', () => { showPresence(true); say('Connected again.'); });
