// JsSIP as a client of Tandem, under the names that lib/sip-page.js calls.
import JsSIP from 'jssip';

let agent;
let session;
let held;
const client = { state: 'idle', failure: '', messages: [], lamps: [] };
window.client = client;

function adopt(newSession) {
  session = newSession;
  client.state = session.direction === 'incoming' ? 'incoming' : 'calling';
  session.on('accepted', () => { client.state = 'talking'; });
  session.on('ended', () => { client.state = 'ended'; });
  session.on('failed', ({ cause }) => { client.state = 'ended'; client.failure = cause; });
}

client.register = ({ server, user, password, domain }) => new Promise((resolve, reject) => {
  agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(server)], uri: `sip:${user}@${domain}`, password, session_timers: false,
  });
  agent.on('registered', () => resolve());
  agent.on('registrationFailed', ({ cause }) => reject(new Error(cause)));
  agent.on('newRTCSession', (event) => adopt(event.session));
  agent.on('newMessage', ({ originator, request }) => { if (originator === 'remote') client.messages.push(request.body); });
  agent.start();
});
/** Whether calls begin with video. */
client.withVideo = false;
/** More of JsSIP's options of calls. */
client.callOptions = {};
client.call = (target) => { agent.call(target, { mediaConstraints: { audio: true, video: client.withVideo }, ...client.callOptions }); };
client.answer = () => session.answer({ mediaConstraints: { audio: true, video: client.withVideo } });
client.hangup = () => session.terminate();
/** By INFO, with this many milliseconds from one to the next. */
client.sendDigits = (digits, gap) => session.sendDTMF(digits, { duration: 100, interToneGap: gap, transportType: 'INFO' });
client.restartIce = () => new Promise((resolve, reject) => {
  const begun = session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, resolve);
  if (!begun) reject(new Error('not now'));
});
const renegotiate = (method) => () => new Promise((resolve, reject) => {
  if (!session[method]({}, resolve)) reject(new Error('not now'));
});
client.hold = renegotiate('hold');
client.resume = renegotiate('unhold');
client.addVideo = async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  stream.getVideoTracks().forEach((track) => session.connection.addTrack(track, stream));
  await renegotiate('renegotiate')();
};
/** Ends video for both sides (RFC 8829 section 4.1.4: a stopped transceiver is refused for good). */
client.dropVideo = async () => {
  session.connection.getTransceivers().filter(({ receiver }) => receiver.track.kind === 'video')
    .forEach((transceiver) => transceiver.stop());
  await renegotiate('renegotiate')();
};
/** Sends a message, and waits until it was taken. */
client.write = (target, body) => new Promise((resolve, reject) => {
  const eventHandlers = { succeeded: () => resolve(), failed: ({ cause }) => reject(new Error(cause)) };
  agent.sendMessage(target, body, { contentType: 'text/plain;charset=utf-8', eventHandlers });
});
client.leave = () => agent.stop();
/** Watches whether somebody is in a call: each state that is told goes to `lamps`, with what is in the document. */
client.watch = (target) => new Promise((resolve, reject) => {
  const subscriber = agent.subscribe(target, 'dialog', 'application/dialog-info+xml', { expires: 600, contentType: null });
  subscriber.on('notify', (isFinal, request, body) => {
    const document = new DOMParser().parseFromString(body ?? request.body, 'application/xml');
    client.lamps.push([...document.querySelectorAll('dialog')]
      .map((dialog) => `${dialog.getAttribute('direction')} ${dialog.querySelector('state').textContent}`).join(', '));
    resolve();
  });
  subscriber.on('terminated', (code) => reject(new Error(`terminated: ${code}`)));
  subscriber.subscribe();
});
/** Transfers the call; resolves once it is done, and is rejected with the words that say why it is not. */
const refer = (from, target, options) => new Promise((resolve, reject) => {
  from.refer(target, {
    ...options,
    eventHandlers: {
      accepted: () => resolve(),
      requestFailed: ({ response }) => reject(new Error(`${response.status_code} ${response.reason_phrase}`)),
      failed: ({ status_line: status }) => reject(new Error(`${status.status_code} ${status.reason_phrase}`)),
    },
  });
});
client.transfer = (target) => refer(session, target);
/** Holds the call and calls somebody else, to whom the held one shall go. */
client.consult = async (target) => {
  held = session;
  await client.hold();
  client.call(target);
};
client.join = () => refer(held, session.remote_identity.uri, { replaces: session });
