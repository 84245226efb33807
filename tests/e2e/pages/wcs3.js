// A client of WCS 3.0, written from the protocol's description alone, under the names that lib/sip-page.js calls.
let socket;
let connection;
let call;
let offer;
const client = { state: 'idle', failure: '', held: false, withVideo: false, frames: [] };
window.client = client;

const send = (message, argument) => socket.send(JSON.stringify(argument === undefined ? { message } : { message, data: [argument] }));

/** What the server calls. It applies the arguments by their positions. */
const callbacks = {
  registered() { client.registered(); },
  fail(code, words) { client.failure = code; client.words = words; client.failed?.(new Error(code)); },
  ring(which) {
    call = which;
    if (which.incoming) client.state = 'incoming';
    else client.rang = true;
  },
  sessionProgress(which) { call = which; },
  async setRemoteSDP(which, sdp, isInitiator) {
    call = which;
    if (isInitiator) await connection.setRemoteDescription({ type: 'answer', sdp });
    else if (connection) await answer(sdp);
    else offer = sdp;
  },
  talk(which) { call = which; client.state = 'talking'; },
  hold(which) { call = which; client.state = 'held'; },
  callbackHold(id, isHold) { client.held = isHold; },
  busy() { client.state = 'ended'; client.failure = 'busy'; },
  finish() { client.state = 'ended'; },
};

client.register = ({ server, user, password, domain, token, pageUrl }) => new Promise((resolve, reject) => {
  Object.assign(client, { registered: resolve, failed: reject });
  socket = new WebSocket(server);
  socket.onopen = () => send('connect', token ? { token, pageUrl } : {
    login: user, password, authenticationName: user, domain, outboundProxy: '', port: 5060, useProxy: true, visibleName: user,
    registerRequired: true,
  });
  socket.onmessage = ({ data }) => {
    client.frames.push(data);
    const { message, data: values } = JSON.parse(data);
    callbacks[message]?.(...values);
  };
});

/** It does not trickle: the description goes when all candidates are in it. */
async function described(description) {
  await connection.setLocalDescription(description);
  while (connection.iceGatheringState !== 'complete') {
    await new Promise((resolve) => { connection.onicegatheringstatechange = resolve; });
  }
  return connection.localDescription.sdp;
}

async function connect() {
  connection = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: client.withVideo });
  stream.getTracks().forEach((track) => connection.addTrack(track, stream));
}

async function answer(sdp) {
  await connection.setRemoteDescription({ type: 'offer', sdp });
  send('answer', { callId: call.id, sdp: await described(await connection.createAnswer()) });
}

client.call = async (callee) => {
  client.state = 'calling';
  await connect();
  const sdp = await described(await connection.createOffer());
  send('call', { callee, visibleName: 'A visitor', hasVideo: client.withVideo, inviteParameters: {}, isMsrp: false, sdp });
};
client.answer = async () => {
  await connect();
  await answer(offer);
};
client.hangup = () => send('hangup', call.id);
client.hold = () => send('hold', { callId: call.id, isHold: true });
client.resume = () => send('hold', { callId: call.id, isHold: false });
client.transfer = (callee) => send('transfer', { callId: call.id, callee });
client.sendDigit = (dtmf, type) => send('sendDtmf', { callId: call.id, dtmf, type });
