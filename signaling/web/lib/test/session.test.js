// A login outlives its WebSocket.
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { Session } from '../session.js';
import { network, pass, reset, settle, sockets } from './server.js';

const ACCOUNT = { user: 'alice', password: 'secret' };
const LONG = 60_000;

beforeEach(reset);

/** A session that is logged in, and what it tells. */
async function online(login = ACCOUNT) {
  const session = new Session('wss://gateway.example/');
  const told = [];
  for (const name of ['state', 'resumed', 'gone', 'closed', 'unregistered', 'registered']) {
    session.on(name, (detail) => told.push([name, detail?.code ?? detail]));
  }
  const result = session.login(login);
  await settle();
  await sockets[0].tell('getUserData', { resumeToken: 'first' });
  await sockets[0].tell('registered');
  await result;
  told.length = 0;
  return { session, told };
}

test('logs in', async () => {
  const { session } = await online();
  assert.equal(session.state, 'online');
  const [request] = sockets[0].heard('connection');
  assert.equal(request.sipLogin, 'alice');
  assert.equal(request.sipPassword, 'secret');
  assert.equal(request.sipPort, 5060);
});

test('a token is told with the page that it is used on, and nothing else', async () => {
  await online({ token: 'shop' });
  const [request] = sockets[0].heard('connection');
  assert.equal(request.token, 'shop');
  assert.equal(request.pageUrl, 'https://shop.example/contact');
  assert.equal(request.sipLogin, undefined);
});

for (const [detail, code] of [
  [{ sipStatus: 401, info: 'AUTHENTICATION_FAIL' }, 'wrong-password'],
  [{ sipStatus: 429 }, 'locked-out'],
  [{ status: 'WRONG_SIPPROVIDER_ADDRESS' }, 'wrong-provider'],
  ['REGISTER_EXPIRE', 'login-timeout'],
  [{ info: 'something else' }, 'login-failed'],
]) {
  test(`a login that is refused: ${code}`, async () => {
    const session = new Session('wss://gateway.example/');
    const result = assert.rejects(session.login(ACCOUNT), { code });
    await settle();
    await sockets[0].tell('fail', detail);
    await result;
    assert.equal(session.state, 'offline');
  });
}

test('a server that is not there, and one that says nothing', async () => {
  network.isThere = false;
  const unreachable = assert.rejects(new Session('wss://gateway.example/').login(ACCOUNT), { code: 'unreachable' });
  await pass(LONG);
  await unreachable;
  network.isThere = true;
  const silent = assert.rejects(new Session('wss://gateway.example/').login(ACCOUNT), { code: 'login-timeout' });
  await settle();
  await pass(LONG);
  await silent;
});

test('a lost connection is resumed with the token, without the password', async () => {
  const { session, told } = await online();
  await sockets[0].drop();
  assert.equal(session.state, 'reconnecting');
  await pass(1);
  const [request] = sockets[1].heard('connection');
  assert.equal(request.resumeToken, 'first');
  assert.equal(request.sipPassword, undefined);
  await sockets[1].tell('getUserData', { resumeToken: 'second' });
  await sockets[1].tell('registered');
  assert.equal(session.state, 'reconnecting', 'the calls are not known yet');
  await sockets[1].tell('resumed', { calls: [{ callId: 'one' }] });
  assert.deepEqual(told, [['state', 'reconnecting'], ['state', 'online'], ['resumed', [{ callId: 'one' }]]]);
  await sockets[1].drop();
  await pass(1);
  assert.equal(sockets[2].heard('connection')[0].resumeToken, 'second');
});

test('where the server kept nothing, the calls are gone and the login is made anew', async () => {
  const { session, told } = await online();
  await sockets[0].drop();
  await pass(1);
  await sockets[1].tell('fail', { status: 'RESUME_FAIL' });
  assert.deepEqual(told.at(-1), ['gone', 'cut-off']);
  await pass(1);
  assert.equal(sockets[2].heard('connection')[0].sipPassword, 'secret');
  await sockets[2].tell('getUserData', {});
  await sockets[2].tell('registered');
  assert.equal(session.state, 'online');
});

test('while a call waits, the network is tried at least every three seconds', async () => {
  const { session } = await online();
  session.urgent = true;
  network.isThere = false;
  await sockets[0].drop();
  for (let second = 0; second < 30; second += 1) await pass(1000);
  assert.ok(sockets.length > 10, `${sockets.length} attempts`);
  network.isThere = true;
  const before = sockets.length;
  for (let second = 0; second < 3; second += 1) await pass(1000);
  assert.equal(sockets.slice(before).filter((socket) => socket.heard('connection').length).length, 1);
});

test('without a call the pauses grow, and a change of the network ends them', async () => {
  const { session } = await online();
  network.isThere = false;
  await sockets[0].drop();
  for (let second = 0; second < 300; second += 1) await pass(1000);
  const { length } = sockets;
  assert.ok(length < 20, `${length} attempts in five minutes`);
  for (let second = 0; second < 9; second += 1) await pass(1000);
  network.isThere = true;
  session.check();
  await pass(1);
  assert.equal(sockets.at(-1).heard('connection').length, 1);
});

test('a connection whose other end is silent is given up', async () => {
  const { session } = await online();
  session.check();
  assert.deepEqual(sockets[0].heard('ping').length, 1);
  await sockets[0].tell('pong');
  await pass(5000);
  assert.equal(session.state, 'online');
  session.check();
  await pass(5000);
  assert.equal(session.state, 'reconnecting');
});

test('a password that was changed meanwhile ends the session', async () => {
  const { session, told } = await online();
  await sockets[0].drop();
  await pass(1);
  await sockets[1].tell('fail', { status: 'RESUME_FAIL' });
  await pass(1);
  await sockets[2].tell('fail', { sipStatus: 403 });
  assert.deepEqual(told.at(-1), ['closed', 'wrong-password']);
  assert.equal(session.state, 'offline');
  const { length } = sockets;
  await pass(LONG);
  assert.equal(sockets.length, length, 'and it is not tried again: that would lock the account');
});

test('logging out says so, and is the end', async () => {
  const { session } = await online();
  session.close();
  assert.equal(sockets[0].heard('bye').length, 1);
  await pass(LONG);
  assert.equal(sockets.length, 1);
});

test('a lost registration is told, and its return', async () => {
  const { told } = await online();
  await sockets[0].tell('fail', { apiMethod: 'connection', sipStatus: 503 });
  await sockets[0].tell('registered');
  assert.deepEqual(told, [['unregistered', 'login-timeout'], ['registered', undefined]]);
});
