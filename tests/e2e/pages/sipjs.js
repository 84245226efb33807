// SIP.js as a client of Tandem, under the names that lib/sip-page.js calls.
import { Inviter, Registerer, RegistererState, SessionState, Subscriber, UserAgent } from 'sip.js';

let agent;
let session;
let held;
const client = { state: 'idle', failure: '', told: {} };
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

/** Transfers the call; resolves once it is done, and is rejected with the words that say why it is not. */
const refer = (from, target) => new Promise((resolve, reject) => {
  from.refer(target, {
    requestDelegate: { onReject: ({ message }) => reject(new Error(`${message.statusCode} ${message.reasonPhrase}`)) },
    onNotify: (notification) => {
      notification.accept();
      const [, status] = /^SIP\/2\.0 (\d{3})/.exec(notification.request.body);
      if (status.startsWith('2')) resolve();
      else if (status >= '300') reject(new Error(notification.request.body.trim()));
    },
  });
});
client.transfer = (target) => refer(session, UserAgent.makeURI(target));
/** Calls somebody else, to whom the call shall go. */
client.consult = (target) => {
  held = session;
  return client.call(target);
};
client.join = () => refer(held, session);
/** Subscribes to an event of somebody: each document that comes goes to `told`, under the event's name. */
client.watch = async (target, event) => {
  const documents = [];
  client.told[event] = documents;
  const subscriber = new Subscriber(agent, UserAgent.makeURI(target), event);
  subscriber.delegate = {
    onNotify: async (notification) => {
      await notification.accept();
      documents.push(notification.request.body);
    },
  };
  await subscriber.subscribe();
};
