/**
 * The phone page: logging in and out, dialling, and what is said when a call ends. Everything else has a file of its own.
 * @module
 */
import { explain, Tandem } from '../lib/index.js';
import * as tones from '../lib/tones.js';
import { Calls } from './calls.js';
import { $, hasKeyboard, say } from './dom.js';
import { installKeypad } from './keypad.js';
import { clearLog, installLog, openLog } from './log.js';
import { conversations, installMessages, openThread } from './messages.js';
import { installPanel } from './panel.js';
import { installPictures } from './pictures.js';
import { installRinger } from './ringer.js';
import { change, installSettings, settings } from './settings.js';
import { installTransfer } from './transfer.js';
import { installViews, showView } from './views.js';

const tandem = new Tandem();
const calls = new Calls(tandem);
let isLoggedIn = false;

// --- logging in and out

/** @param {SubmitEvent} event */
async function login(event) {
  event.preventDefault();
  tones.wake();
  const account = {
    user: $('user').value.trim(), domain: $('domain').value.trim(), proxy: $('proxy').value.trim(),
    authName: $('auth-name').value.trim(),
  };
  $('login-button').disabled = true;
  say('Logging in…');
  try {
    await tandem.login({ ...account, password: $('password').value });
    $('password').value = '';
    change(account);
    showWorkplace(account);
    say('');
  } catch (failure) {
    say(explain(failure), true);
    $('password').focus();
  } finally {
    $('login-button').disabled = false;
  }
}

/** @param {{user: string, domain: string}} account */
function showWorkplace({ user, domain }) {
  const address = domain ? `${user}@${domain}` : user;
  isLoggedIn = true;
  $('address').textContent = address;
  $('login').hidden = true;
  $('workplace').hidden = $('account').hidden = false;
  openLog(address);
  conversations.open(address);
  showPresence(true);
  if (hasKeyboard()) $('callee').focus();
}

/** @param {string} [words] why, if not because the user wanted to */
function showLogin(words) {
  isLoggedIn = false;
  $('settings').close();
  $('workplace').hidden = $('account').hidden = true;
  $('login').hidden = false;
  say(words ?? 'Logged out.', Boolean(words));
  $('password').focus();
}

function logout() {
  tandem.logout();
  showLogin();
}

/** @param {boolean} isOnline */
function showPresence(isOnline) {
  const words = isOnline ? 'Connected' : 'Not connected';
  $('presence').classList.toggle('online', isOnline);
  $('presence').title = words;
  $('presence').setAttribute('aria-label', words);
  $('call-button').disabled = $('video-call-button').disabled = !isOnline;
}

/** Fills in who logged in last; the password is the browser's business. */
function fillLogin() {
  $('user').value = settings.user;
  $('domain').value = settings.domain;
  $('proxy').value = settings.proxy;
  $('auth-name').value = settings.authName;
  $('provider').open = Boolean(settings.domain);
  (settings.user ? $('password') : $('user')).focus();
}

/** The connection came or went; the calls on it live on for a while. @param {import('../lib/index.js').SessionState} state */
function connectionChanged(state) {
  if (!isLoggedIn) return;
  if (state === 'reconnecting') {
    showPresence(false);
    say('The connection to the server was lost. Reconnecting…', true);
  } else if (state === 'online') {
    showPresence(true);
    say('Connected again.');
  }
}

// --- calls

/**
 * @param {string} callee
 * @param {{video?: boolean}} [options]
 */
function dial(callee, options) {
  if (!callee || tandem.state !== 'online') return;
  tones.wake();
  say('');
  showView('phone');
  if (!calls.dial(callee, options)) say('There are too many calls at once. End one first.', true);
  else $('callee').value = '';
}

/** @param {import('./calls.js').CallsEvents['ended']} ended */
function callEnded({ call, before, byUs, joinedWith }) {
  const { failure, transferState } = call;
  const name = call.peerName || 'The other side';
  if (failure) say(explain(failure, name), true);
  else if (before === 'incoming' && !byUs) say(`Missed call from ${name}.`);
  else if (joinedWith && !byUs) say(`${name} and ${joinedWith.peerName} are connected.`);
  else if (transferState && transferState !== 'failed') say(`${name} was transferred.`);
  else say(byUs ? 'Call ended.' : `${name} hung up.`);
}

function clearHistory() {
  clearLog();
  conversations.clear();
}

installPanel(calls);
installKeypad(calls);
installPictures();
installRinger(calls, tandem.devices);
installTransfer(calls);
installLog(calls, dial, openThread);
installMessages(tandem, dial);
installSettings(tandem.devices, clearHistory);
installViews(calls);
fillLogin();

$('login').onsubmit = login;
$('login-button').disabled = false;
$('logout').onclick = logout;
$('dial').onsubmit = (event) => {
  event.preventDefault();
  dial($('callee').value.trim());
};
$('video-call-button').onclick = () => {
  if ($('dial').reportValidity()) dial($('callee').value.trim(), { video: true });
};
calls.on('began', (call) => { if (call.incoming) say(''); });
calls.on('ended', callEnded);
calls.on('turnedAway', ({ peerName }) => say(`${peerName} called while you were in a call.`));
tandem.on('state', connectionChanged);
tandem.on('closed', (failure) => showLogin(explain(failure)));
tandem.on('unregistered', (failure) => {
  showPresence(false);
  say(explain(failure), true);
});
tandem.on('registered', () => {
  showPresence(true);
  say('Connected again.');
});
// Whoever leaves the page hangs up. A page that comes back from the browser's store has no connection any more.
window.addEventListener('pagehide', () => tandem.logout());
window.addEventListener('pageshow', ({ persisted }) => { if (persisted) location.reload(); });
