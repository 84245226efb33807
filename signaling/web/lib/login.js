/**
 * Who logs in, and what it means when that fails.
 * @module
 */
import { Failure } from './failure.js';

/**
 * An account at the server or, with `domain`, at a VoIP provider.
 * @typedef {object} Account
 * @property {string} user
 * @property {string} password
 * @property {string} [domain] empty: the server's local domain
 * @property {string} [proxy] the provider's outbound proxy, `host` or `host:port`
 * @property {string} [authName] if it is not the user
 * @property {string} [name] the user's name for people
 */

/**
 * A click-to-call token: the account and the callee are known to the server only.
 * @typedef {object} Token
 * @property {string} token
 * @property {string} [pageUrl] the page that the token is used on; default: this one
 */

/** The `fail` codes of the protocol that mean more than "it failed". @type {Record<string, import('./failure.js').FailureCode>} */
const BY_WORD = {
  AUTHENTICATION_FAIL: 'wrong-password',
  USER_NOT_AVAILABLE: 'wrong-password',
  WRONG_SIPPROVIDER_ADDRESS: 'wrong-provider',
  REGISTER_EXPIRE: 'login-timeout',
};

/** SIP statuses with the same meanings; 429 is the server's lock-out. @type {Record<number, import('./failure.js').FailureCode>} */
const BY_STATUS = {
  401: 'wrong-password', 403: 'wrong-password', 404: 'wrong-password', 407: 'wrong-password',
  408: 'login-timeout', 429: 'locked-out', 503: 'login-timeout', 504: 'login-timeout',
};

/** What every first message says: it answers offers in mid-call, and comes back after a lost connection. */
const CLIENT = {
  appKey: 'defaultApp', mediaProviders: ['WebRTC'], clientVersion: '2.0', keepAlive: true, remoteOffers: true, resume: true,
};

/**
 * @param {Account | Token} login
 * @returns {object} the argument of `connection`
 */
export function connectionRequest(login) {
  if ('token' in login) {
    return { ...CLIENT, token: login.token, pageUrl: login.pageUrl ?? location.href };
  }
  const { user, password, domain, proxy, authName, name } = login;
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(proxy ?? '') ?? [];
  return {
    ...CLIENT,
    sipLogin: user,
    sipAuthenticationName: authName || user,
    sipPassword: password,
    sipDomain: domain ?? '',
    sipOutboundProxy: host,
    sipPort: Number(port) || 5060,
    sipRegisterRequired: true,
    ...(name ? { visibleName: name } : {}),
  };
}

/**
 * @param {string} resumeToken from the connection that was lost
 * @param {number} received how many frames the server need not send again
 * @returns {object} the argument of `connection`
 */
export function resumeRequest(resumeToken, received) {
  return { ...CLIENT, resumeToken, received };
}

/**
 * A `fail` message to a Failure. WCS 3 brings a bare code, WCS 5 an object.
 * @param {unknown} detail
 * @param {boolean} byToken the server's words are for the page's visitor then
 * @returns {Failure}
 */
export function loginFailure(detail, byToken) {
  /** @type {{sipStatus?: unknown, info?: unknown, status?: unknown}} */
  const { sipStatus, info, status } = typeof detail === 'object' && detail ? detail : { info: detail };
  const number = Number(sipStatus) || 0;
  const text = String(info ?? '');
  if (byToken) return new Failure('token-refused', { status: number, text });
  return new Failure(BY_WORD[text] ?? BY_WORD[String(status)] ?? BY_STATUS[number] ?? 'login-failed', { status: number, text });
}
