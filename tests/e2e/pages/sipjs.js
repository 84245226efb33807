// SIP.js as a client of Tandem, under the names that lib/sip-page.js calls.
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from 'sip.js';

let agent;
let session;
const client = { state: 'idle', failure: '' };
window.client = client;

function adopt(newSession, state) {
  session = newSession;
  client.state = state;
  session.stateChange.addListener((next) => {
    if (next === SessionState.Established) client.state = 'talking';
    if (next === SessionState.Terminated) client.state = 'ended';
  });
}

client.register = async ({ server, user, password, domain }) => {
  agent = new UserAgent({
    uri: UserAgent.makeURI(`sip:${user}@${domain}`),
    transportOptions: { server },
    authorizationUsername: user,
    authorizationPassword: password,
    delegate: { onInvite: (invitation) => adopt(invitation, 'incoming') },
  });
  await agent.start();
  const registerer = new Registerer(agent);
  await new Promise((resolve, reject) => {
    registerer.stateChange.addListener((state) => { if (state === RegistererState.Registered) resolve(); });
    registerer.register({ requestDelegate: { onReject: ({ message }) => reject(new Error(message.reasonPhrase)) } });
  });
};
client.call = async (target) => {
  const inviter = new Inviter(agent, UserAgent.makeURI(target));
  adopt(inviter, 'calling');
  await inviter.invite();
};
client.answer = () => session.accept();
client.hangup = () => session.bye();
