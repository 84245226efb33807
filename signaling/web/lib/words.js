/**
 * The words for everything that can go wrong.
 * @module
 */

/** SIP status to words; `%` is the other party (RFC 3261 section 21 and later RFCs). @type {Record<number, string>} */
const BY_STATUS = {
  401: 'The server did not accept the password for this call.',
  402: 'The provider asks for payment before this call.',
  403: 'You may not call %.',
  404: '% does not exist.',
  407: 'The server did not accept the password for this call.',
  408: '% did not answer.',
  410: '% does not exist any more.',
  415: '% uses a kind of sound this phone cannot make.',
  420: '% asks for something this server cannot do.',
  480: '% cannot be reached at the moment.',
  481: 'The call no longer exists.',
  482: 'The call went round in a circle.',
  483: 'The call went round in a circle.',
  484: 'The number is not complete.',
  485: 'The address is not clear: it may mean several people.',
  486: '% is busy.',
  487: 'The call was ended before it was answered.',
  488: '% and this phone have no kind of sound in common.',
  491: '% was changing the call at the same moment. Try again.',
  502: 'The provider answered with something that makes no sense.',
  503: 'The server has too much to do. Try again in a moment.',
  504: 'The provider did not answer.',
  513: 'The message was too long for the provider.',
  600: '% is busy.',
  603: '% declined the call.',
  604: '% does not exist.',
  606: '% and this phone have no kind of sound in common.',
  607: '% does not want this call.',
  608: 'The provider rejected the call.',
};

/** @type {Partial<Record<import('./failure.js').FailureCode, string>>} */
const BY_CODE = {
  unreachable: 'The server cannot be reached. Is it running, and are you connected?',
  dropped: 'The connection to the server was lost.',
  'wrong-password': 'The user or the password is wrong.',
  'locked-out': 'Too many wrong passwords. Wait a while, then try again.',
  'login-timeout': 'The provider did not answer. Are the domain and the server right?',
  'wrong-provider': 'This domain cannot be used here. Is it spelt right?',
  'login-failed': 'Logging in failed.',
  'microphone-denied': 'The microphone is not allowed. Allow it for this page in the browser’s settings, then try again.',
  'microphone-missing': 'No microphone was found. Connect one, then try again.',
  'microphone-taken': 'The microphone cannot be opened. Perhaps another program uses it.',
  'camera-denied': 'The camera is not allowed. Allow it for this page in the browser’s settings, then try again.',
  'camera-missing': 'No camera was found. Connect one, then try again.',
  'camera-taken': 'The camera cannot be opened. Perhaps another program uses it.',
  'no-video': '% and this phone have no kind of picture in common. The call goes on without one.',
  'message-too-long': 'The message is too long. Send it in parts.',
  'not-connected': 'There is no connection to the server at the moment.',
  insecure: 'The browser allows microphone and camera only on secure pages. Open this page with https://',
  'cut-off': 'The call was cut off.',
  media: 'The sound was interrupted and could not be restored.',
};

/**
 * @param {import('./failure.js').Failure} failure what went wrong
 * @param {string} [peer] the other party's name
 * @returns {string} a sentence or two for a person
 */
export function explain(failure, peer = 'The other side') {
  if (failure.code === 'refused' || failure.code === 'token-refused') return refusal(failure);
  // A server that says which limit is reached is to be heard; the phrase of RFC 3261 says nothing.
  if (failure.status === 503 && failure.text && failure.text !== 'Service Unavailable') return refusal(failure);
  const known = BY_CODE[failure.code] ?? BY_STATUS[failure.status];
  if (known) return known.replace('%', () => peer);
  const detail = [failure.status || '', failure.text || ''].join(' ').trim();
  if (failure.status >= 500) return detail ? `The server failed (${detail}).` : 'The server failed.';
  return detail ? `The call failed (${detail}).` : 'The call failed.';
}

/** Our own server refuses in words. @param {import('./failure.js').Failure} failure */
function refusal({ text }) {
  if (!text) return 'The server refused this.';
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
