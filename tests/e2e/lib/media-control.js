// Has the proxy call a function of its rtpengine module for a call, by an INFO that peers/relay.cfg understands.
import { createSocket } from 'node:dgram';
import { randomInt } from 'node:crypto';

/**
 * @param {string} proxy its address
 * @param {object} request
 * @param {string} request.callId
 * @param {string} request.fromTag whose media it is about
 * @param {string} request.toTag
 * @param {string} request.name of the function
 * @param {string} [request.flags] its flags
 * @returns {Promise<{status: number, duration: number}>} the status of the reply, and the length of what is played in
 *   milliseconds, as the module tells it
 */
export function mediaFunction(proxy, { callId, fromTag, toTag, name, flags = '' }) {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => { socket.close(); reject(new Error(`the proxy does not answer to ${name}`)); }, 5000);
    socket.once('message', (message) => {
      clearTimeout(timer);
      socket.close();
      const text = message.toString('utf8');
      resolve({
        status: Number(/^SIP\/2\.0 (\d+)/.exec(text)[1]), duration: Number(/^X-Duration: (-?\d+)/m.exec(text)?.[1] ?? NaN),
      });
    });
    socket.connect(5060, proxy, () => socket.send([
      `INFO sip:media@${proxy} SIP/2.0`,
      `Via: SIP/2.0/UDP ${socket.address().address}:${socket.address().port};rport;branch=z9hG4bK${randomInt(2 ** 40)}`,
      `From: <sip:control@${proxy}>;tag=${fromTag}`, `To: <sip:control@${proxy}>;tag=${toTag}`, `Call-ID: ${callId}`,
      `CSeq: ${randomInt(2 ** 30)} INFO`, 'Max-Forwards: 70', `X-Media: ${name}`, `X-Flags: ${flags}`, 'Content-Length: 0', '', '',
    ].join('\r\n')));
  });
}
