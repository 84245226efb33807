/**
 * A description as Chromium needs it.
 * @module
 */

/**
 * Says of the pictures in a call's first description that they may come, although they do not.
 *
 * Chromium hears sound whose SSRC no description names (RFC 8843 section 9.2: by its payload type) only if every bundled
 * stream beside it may receive, or is refused: with pictures one way, or held, the call would be silent. What does not come
 * is never shown: a track is muted until its first packet.
 * @param {string} sdp
 * @returns {string}
 */
export function withRoomForPictures(sdp) {
  const sections = sdp.split(/^(?=m=)/m);
  return sections.map((section) => (section.startsWith('m=video')
    ? section.replace(/^a=recvonly/m, 'a=sendrecv').replace(/^a=inactive/m, 'a=sendonly') : section)).join('');
}
