/**
 * What went wrong, as a value.
 * @module
 */

/**
 * @typedef {'sip' | 'unreachable' | 'dropped' | 'wrong-password' | 'locked-out' | 'login-timeout' | 'wrong-provider'
 *   | 'login-failed' | 'token-refused' | 'replaced' | 'microphone-denied' | 'microphone-missing' | 'microphone-taken'
 *   | 'camera-denied' | 'camera-missing' | 'camera-taken' | 'insecure' | 'media' | 'cut-off' | 'no-video'
 *   | 'message-too-long' | 'not-connected' | 'refused'} FailureCode
 *   `sip`: the far end or a server on the way refused, see `status`; `refused`: our server refused, see `text`
 */

/** Something went wrong that a person should be told; `explain` has the words. */
export class Failure extends Error {
  /**
   * @param {FailureCode} code
   * @param {{status?: number, text?: string}} [detail] the SIP status and the reason phrase, where there are any
   */
  constructor(code, { status = 0, text = '' } = {}) {
    super(text || code);
    this.name = 'Failure';
    /** @type {FailureCode} */
    this.code = code;
    /** The SIP status; 0: none. */
    this.status = status;
    /** The reason as the server gave it; may be empty. */
    this.text = text;
  }

  /**
   * @param {unknown} error anything that was thrown
   * @param {FailureCode} code for what is no Failure already
   * @returns {Failure}
   */
  static from(error, code) {
    if (error instanceof Failure) return error;
    return new Failure(code, { text: error instanceof Error ? error.message : String(error) });
  }
}
