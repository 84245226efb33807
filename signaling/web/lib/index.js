/**
 * Telephone calls from a web page, through a Tandem server.
 * @module
 */
export { Call } from './call.js';
export { Devices } from './devices.js';
export { Failure } from './failure.js';
export { MAX_MESSAGE, Message } from './message.js';
export { Tandem } from './tandem.js';
export { explain } from './words.js';

/**
 * @typedef {import('./call.js').CallState} CallState
 * @typedef {import('./call.js').TransferState} TransferState
 * @typedef {import('./devices.js').DeviceKind} DeviceKind
 * @typedef {import('./failure.js').FailureCode} FailureCode
 * @typedef {import('./login.js').Account} Account
 * @typedef {import('./login.js').Token} Token
 * @typedef {import('./message.js').MessageState} MessageState
 * @typedef {import('./quality.js').Quality} Quality
 * @typedef {import('./session.js').SessionState} SessionState
 */
