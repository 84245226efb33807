/** Something went wrong that a person should be told; words.js has the words. */
export class Failure extends Error {
  /**
   * @param {string} code `sip` with a status, or one of: unreachable, dropped, wrong-password, locked-out,
   *   login-timeout, wrong-provider, login-failed, microphone-denied, microphone-missing, microphone-taken,
   *   insecure, media, cut-off
   * @param {{status?: number, text?: string}} [detail] the SIP status and the reason phrase, where there are any
   */
  constructor(code, { status = 0, text = '' } = {}) {
    super(text || code);
    this.name = 'Failure';
    this.code = code;
    this.status = status;
    this.text = text;
  }
}
