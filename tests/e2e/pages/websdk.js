// The unmodified @flashphoner/websdk as a client of Tandem, under the names that lib/sip-page.js calls.
import Flashphoner from '@flashphoner/websdk';

const { SESSION_STATUS, CALL_STATUS } = Flashphoner.constants;
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

client.register = ({ server, user, password, domain }) => new Promise((resolve, reject) => {
  Flashphoner.init({});
  session = Flashphoner.createSession({
    urlServer: server, sipOptions: { login: user, authenticationName: user, password, domain, port: 5060, registerRequired: true },
  });
  session.on(SESSION_STATUS.REGISTERED, () => resolve());
  session.on(SESSION_STATUS.FAILED, () => reject(new Error('failed')));
  session.on(SESSION_STATUS.WARN, (warning) => reject(new Error(JSON.stringify(warning))));
  session.on(SESSION_STATUS.APP_DATA, ({ payload }) => { client.heard = payload; });
  session.on(SESSION_STATUS.INCOMING_CALL, (incoming) => adopt(incoming, 'incoming'));
});
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
