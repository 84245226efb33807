// Janus with its SIP plugin, and a page that calls through it as janus.js would.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Process } from '../../tests/e2e/lib/process.js';
import { until } from '../../tests/e2e/lib/wait.js';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/janus';
const WEBSOCKET_PORT = 8188;

/** @param {{address: string, directory: string}} options */
export async function startJanus({ address, directory }) {
  const folder = join(directory, 'janus');
  mkdirSync(folder, { recursive: true });
  const none = join(folder, 'none');
  mkdirSync(none);
  writeFileSync(join(folder, 'janus.jcfg'), `general: {
    configs_folder = "${folder}"
    plugins_folder = "${LIBRARY}/plugins"
    transports_folder = "${LIBRARY}/transports"
    events_folder = "${none}"
    loggers_folder = "${none}"
    debug_level = 3
  }
  plugins: { disable = "${['audiobridge', 'duktape', 'echotest', 'lua', 'nosip', 'recordplay', 'streaming', 'textroom',
    'videocall', 'videoroom', 'voicemail'].map((name) => `libjanus_${name}.so`).join(',')}" }
  transports: { disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }\n`);
  writeFileSync(join(folder, 'janus.transport.websockets.jcfg'),
    `general: { ws = true\n ws_port = ${WEBSOCKET_PORT}\n ws_ip = "${address}" }\n`);
  writeFileSync(join(folder, 'janus.plugin.sip.jcfg'), `general: { local_ip = "${address}"\n rtp_port_range = "50000-52000" }\n`);
  const janus = new Process('janus', directory, ['janus', '--configs-folder', folder, '--config', join(folder, 'janus.jcfg'), '--interface', address]);
  const url = `ws://${address}:${WEBSOCKET_PORT}`;
  await until('Janus listens', () => fetch(url.replace('ws', 'http')).then(() => true, (error) => /ECONNREFUSED/.test(error.cause) ? false : true));
  return { url, stop: () => janus.stop() };
}

/**
 * Runs inside the page: registers at once; a click on the page's button calls.
 * @param {{url: string, user: string, password: string, domain: string, proxy: string, callee: string}} account
 */
export async function installJanusPage({ url, user, password, domain, proxy, callee }) {
  const socket = new WebSocket(url, 'janus-protocol');
  const transactions = new Map();
  const events = new EventTarget();
  let ids = {};
  let connection;
  const send = (message) => new Promise((resolve) => {
    const transaction = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
    transactions.set(transaction, resolve);
    socket.send(JSON.stringify({ ...ids, ...message, transaction }));
  });
  const sip = (body, jsep) => send({ janus: 'message', body, ...(jsep && { jsep }) });
  const once = (type) => new Promise((resolve) => events.addEventListener(type, resolve, { once: true }));

  socket.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    if (message.janus === 'success') transactions.get(message.transaction)?.(message.data);
    if (message.janus !== 'event') return;
    const event = message.plugindata.data.result?.event;
    if (message.jsep) await connection.setRemoteDescription(message.jsep);
    if (event) events.dispatchEvent(new Event(event));
  };
  await new Promise((resolve) => { socket.onopen = resolve; });
  ids = { session_id: (await send({ janus: 'create' })).id };
  ids.handle_id = (await send({ janus: 'attach', plugin: 'janus.plugin.sip' })).id;
  const registered = once('registered');
  sip({
    request: 'register', username: `sip:${user}@${domain}`, authuser: user, secret: password,
    proxy: `sip:${proxy}`, outbound_proxy: `sip:${proxy}`,
  });
  await registered;

  const button = document.body.appendChild(document.createElement('button'));
  button.textContent = 'Call';
  button.onclick = async () => {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    microphone.getTracks().forEach((track) => connection.addTrack(track, microphone));
    connection.onicecandidate = ({ candidate }) => send({ janus: 'trickle', candidate: candidate ?? { completed: true } });
    await connection.setLocalDescription(await connection.createOffer());
    const { type, sdp } = connection.localDescription;
    sip({ request: 'call', uri: `sip:${callee}@${domain}` }, { type, sdp });
  };
  window.hangup = async () => {
    const over = once('hangup');
    sip({ request: 'hangup' });
    await over;
    connection.close();
  };
}
