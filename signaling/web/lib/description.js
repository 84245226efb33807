/**
 * What descriptions say of pictures, and how Chromium needs to hear it.
 * @module
 */

/**
 * The sections of a description, the session's first.
 * @param {string} sdp
 */
const sections = (sdp) => sdp.split(/^(?=m=)/m);

/**
 * Whether whoever wrote this sends pictures.
 * @param {string} sdp
 * @returns {boolean}
 */
export function sendsPictures(sdp) {
  return sections(sdp).some((section) => /^m=video [1-9]/.test(section) && !/^a=(recvonly|inactive)/m.test(section));
}

/**
 * Says of the pictures that they may come, even if they do not: {@link sendsPictures} knows better.
 *
 * Chromium hears sound whose SSRC no description names (RFC 8843 section 9.2: by its payload type) only if every bundled
 * stream beside it may receive, or is refused: with pictures one way, or held, the call would be silent.
 * @param {string} sdp
 * @returns {string}
 */
export function withRoomForPictures(sdp) {
  return sections(sdp).map((section) => (section.startsWith('m=video')
    ? section.replace(/^a=recvonly/m, 'a=sendrecv').replace(/^a=inactive/m, 'a=sendonly') : section)).join('');
}

/** What may be answered to an offer of pictures that do not come (RFC 3264 section 6.1). @type {Record<string, Record<string, string>>} */
const ANSWERS = {
  recvonly: { sendrecv: 'sendonly', recvonly: 'inactive' },
  inactive: { sendrecv: 'inactive', sendonly: 'inactive', recvonly: 'inactive' },
};

/**
 * Makes the answer to {@link withRoomForPictures} one to the offer as it was.
 * @param {string} answer
 * @param {string} offer
 * @returns {string}
 */
export function asOffered(answer, offer) {
  const offered = sections(offer);
  return sections(answer).map((section, index) => {
    const direction = section.startsWith('m=video') ? /^a=(recvonly|inactive)/m.exec(offered[index] ?? '')?.[1] : undefined;
    return direction ? section.replace(/^a=(sendrecv|sendonly|recvonly)/m, (_line, ours) => (
      `a=${ANSWERS[direction]?.[ours] ?? ours}`)) : section;
  }).join('');
}
