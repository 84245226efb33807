// The unmodified @flashphoner/websdk as a client of Tandem, under the names that lib/sip-page.js calls.
import Flashphoner from '@flashphoner/websdk';

const { SESSION_STATUS, CALL_STATUS, STREAM_STATUS, STREAM_EVENT } = Flashphoner.constants;
let session;
let call;
const client = { state: 'idle', failure: '', withVideo: false };
window.client = client;

const display = () => document.body.appendChild(document.createElement('div'));

function adopt(newCall, state) {
  call = newCall;
  client.state = state;
  call.on(CALL_STATUS.RING, () => { client.rang = true; });
  call.on(CALL_STATUS.ESTABLISHED, () => { client.state = 'talking'; });
  call.on(CALL_STATUS.HOLD, () => { client.state = 'held'; });
  call.on(CALL_STATUS.FINISH, () => { client.state = 'ended'; });
  call.on(CALL_STATUS.FAILED, () => { client.state = 'ended'; client.failure = 'failed'; });
  call.on(CALL_STATUS.BUSY, () => { client.state = 'ended'; client.failure = 'busy'; });
}

const logIn = ({ server, user, password, domain }, registerRequired) => new Promise((resolve, reject) => {
  Flashphoner.init({});
  session = Flashphoner.createSession({
    urlServer: server, sipOptions: { login: user, authenticationName: user, password, domain, port: 5060, registerRequired },
  });
  session.on(registerRequired ? SESSION_STATUS.REGISTERED : SESSION_STATUS.ESTABLISHED, () => resolve());
  session.on(SESSION_STATUS.FAILED, () => reject(new Error('failed')));
  session.on(SESSION_STATUS.WARN, (warning) => reject(new Error(JSON.stringify(warning))));
  session.on(SESSION_STATUS.APP_DATA, ({ payload }) => { client.heard = payload; });
  session.on(SESSION_STATUS.INCOMING_CALL, (incoming) => adopt(incoming, 'incoming'));
});
client.register = (account) => logIn(account, true);
client.call = (callee) => {
  adopt(session.createCall({
    callee, localVideoDisplay: display(), remoteVideoDisplay: display(), constraints: { audio: true, video: client.withVideo },
  }), 'calling');
  call.call();
};
client.answer = () => call.answer({
  localVideoDisplay: display(), remoteVideoDisplay: display(), constraints: { audio: true, video: false },
});
client.hangup = () => call.hangup();
client.hold = () => call.hold();
client.resume = () => call.unhold();
client.transfer = (target) => call.transfer(target);
/** Resolves when the application took it; a refusal is the error's text. */
client.say = (payload) => session.sendData(payload).then(() => 'accepted', ({ info }) => info);
client.sendDigit = (digit, type = 'RFC2833') => call.sendDTMF(digit, type);

// Streams, which the library has in no session that is registered.
client.connect = (account) => logIn(account, false);
client.streams = [];
const openStream = (name, options) => {
  const stream = session.createStream({ name, display: display(), ...options });
  const end = { status: 'NEW', info: '', events: [], size: null };
  Object.defineProperty(end, 'stream', { value: stream });
  client.streams.push(end);
  for (const status of Object.values(STREAM_STATUS)) {
    stream.on(status, () => {
      [end.status, end.info] = [stream.status(), stream.getInfo() ?? ''];
      if (status === STREAM_STATUS.RESIZE) end.size = { ...stream.videoResolution() };
    });
  }
  stream.on(STREAM_EVENT, (event) => end.events.push(event));
  return stream;
};
const last = () => client.streams.at(-1).stream;
client.publish = (name) => openStream(name, { constraints: { audio: true, video: true } }).publish();
client.play = (name) => openStream(name).play();
client.stopStream = () => last().stop();
client.sendData = (payload) => last().sendData(payload);
client.muteVideo = () => last().muteVideo();
client.snapshot = (name) => openStream(name).snapshot();
client.available = (name) => openStream(name).available().then(() => true, (stream) => stream.getInfo());
