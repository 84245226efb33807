/**
 * The settings and their dialog: devices, a second call, notifications.
 * @module
 */
import { $, element } from './dom.js';
import { load, save } from './store.js';

/** @typedef {import('../lib/index.js').DeviceKind} DeviceKind */

const DEFAULTS = {
  /** The last login, without its password. */
  user: '', domain: '', proxy: '', authName: '',
  /** Device identifiers; empty: the browser's choice. */
  microphone: '', camera: '', speaker: '',
  /** Whether a second call is taken during a call. */
  waiting: true,
  /** Whether calls and messages are shown while the page is not. */
  notify: false,
};

/** The settings in force. */
export const settings = { ...DEFAULTS, ...load('settings', {}) };

/** @param {Partial<typeof DEFAULTS>} changed */
export function change(changed) {
  Object.assign(settings, changed);
  save('settings', settings);
}

/** @type {DeviceKind[]} */
const KINDS = ['microphone', 'camera', 'speaker'];
const DEFAULT_NAMES = { microphone: 'Microphone', camera: 'Camera', speaker: 'Speaker' };

/**
 * @param {import('../lib/index.js').Devices} devices
 * @param {() => void} clearHistory
 */
export function installSettings(devices, clearHistory) {
  for (const kind of KINDS) {
    devices.choose(kind, settings[kind]);
    $(`set-${kind}`).onchange = ({ target }) => {
      change({ [kind]: target.value });
      devices.choose(kind, target.value);
    };
  }
  devices.on('list', () => { if ($('settings').open) showDevices(devices); });
  $('set-waiting').onchange = ({ target }) => change({ waiting: target.checked });
  $('set-notify').onchange = ({ target }) => wantNotifications(target);
  $('clear-history').onclick = clearHistory;
  $('open-settings').onclick = () => {
    $('set-waiting').checked = settings.waiting;
    $('set-notify').checked = settings.notify;
    showDevices(devices);
    $('settings').showModal();
  };
  $('settings').addEventListener('click', closeOnBackdrop);
}

/**
 * A click beside a dialog closes it.
 * @param {MouseEvent} event
 */
export function closeOnBackdrop({ target, currentTarget }) {
  if (target === currentTarget) /** @type {HTMLDialogElement} */ (currentTarget).close('cancel');
}

/** @param {HTMLInputElement} box */
async function wantNotifications(box) {
  const canNotify = box.checked && 'Notification' in window && await Notification.requestPermission() === 'granted';
  box.checked = canNotify;
  change({ notify: canNotify });
}

/** @param {import('../lib/index.js').Devices} devices */
async function showDevices(devices) {
  const found = await devices.list();
  for (const kind of KINDS) {
    const list = $(`set-${kind}`);
    const options = found[kind].filter(({ deviceId }) => deviceId !== 'default').map(({ deviceId, label }, index) => (
      element('option', { value: deviceId, textContent: label || `${DEFAULT_NAMES[kind]} ${index + 1}` })));
    list.replaceChildren(element('option', { value: '', textContent: 'Chosen by the browser' }), ...options);
    list.value = devices.choice(kind);
    // A device that is not there at the moment.
    if (list.selectedIndex < 0) list.value = '';
    list.disabled = options.length === 0;
  }
  $('device-hint').hidden = Object.values(found).flat().every(({ label }) => label);
}
