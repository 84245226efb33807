// Promise: two people with the phone page talk to each other, and the page says in words what goes wrong.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { PhonePage } from './lib/browser.js';
import { alice, bob, talk } from './lib/people.js';
import { PASSWORD } from './lib/tandem.js';
import { World } from './lib/world.js';

const RING_SECONDS = 5;
const world = await World.create('page', { ring: RING_SECONDS });
after(() => world.close());

async function pair() {
  return Promise.all([world.phone(alice), world.phone(bob)]);
}

for (const side of ['caller', 'callee']) {
  world.test(`both hear each other, and the ${side} hangs up`, async () => {
    const [caller, callee] = await pair();
    await talk(caller, callee, 'bob');
    await Promise.all([caller.hears(bob.tone), callee.hears(alice.tone)]);
    const [ending, other, name] = side === 'caller' ? [caller, callee, 'alice'] : [callee, caller, 'bob'];
    await ending.hangup();
    await other.says(`${name} hung up.`);
    await other.state('idle');
  });
}

world.test('a second call after the first works as well', async () => {
  const [caller, callee] = await pair();
  await talk(caller, callee, 'bob');
  await caller.hangup();
  await callee.state('idle');
  await talk(callee, caller, 'alice');
  await Promise.all([caller.hears(bob.tone), callee.hears(alice.tone)]);
});

world.test('mute is silence at the far end, and can be undone', async () => {
  const [caller, callee] = await pair();
  await talk(caller, callee, 'bob');
  await callee.hears(alice.tone);
  await caller.press('Mute');
  await assert.rejects(callee.hears(alice.tone, { timeout: 3000 }));
  await caller.press('Mute');
  await callee.hears(alice.tone);
});

world.test('busy, where a second call is not wanted', async () => {
  const [caller, callee] = await pair();
  await callee.press('Settings');
  await callee.page.getByLabel('Take a second call during a call').uncheck();
  await callee.press('Done');
  const third = await world.phone({ user: 'carol', tone: 700 });
  await talk(caller, callee, 'bob');
  await third.dial('bob');
  await third.says('bob is busy.');
  await callee.says('carol called while you were in a call.');
  await callee.hears(alice.tone);
});

world.test('declined', async () => {
  const [caller, callee] = await pair();
  await caller.dial('bob');
  await callee.state('incoming');
  await callee.press('Decline');
  await caller.says('bob declined the call.');
});

world.test('no answer', async () => {
  const [caller, callee] = await pair();
  await caller.dial('bob');
  await callee.state('incoming');
  await caller.says('bob did not answer.', 1000 * RING_SECONDS + 5000);
  await callee.says('Missed call from alice.');
});

world.test('given up by the caller', async () => {
  const [caller, callee] = await pair();
  await caller.dial('bob');
  await callee.state('incoming');
  await caller.hangup();
  await callee.says('Missed call from alice.');
});

world.test('an unknown user, and one who is not there', async () => {
  const caller = await world.phone(alice);
  await caller.dial('nobody');
  await caller.says('nobody does not exist.');
  await caller.dial('dave');
  await caller.says('dave cannot be reached at the moment.');
});

world.test('a wrong password, and an unknown user who logs in, are told the same', async () => {
  for (const account of [{ user: 'alice', password: 'wrong' }, { user: 'nobody', password: PASSWORD }]) {
    const page = world.keep(await PhonePage.open(world.browser, alice));
    await page.login(world.tandem.page, account);
    await page.says('The user or the password is wrong.');
  }
});

world.test('a page whose scripts the network broke off loads itself again', async () => {
  const page = world.keep(await PhonePage.open(world.browser, alice));
  let broken = 0;
  await page.page.route('**/lib/session.js', (route) => {
    broken += 1;
    return broken === 1 ? route.abort('failed') : route.continue();
  });
  await page.page.goto(world.tandem.page);
  assert.ok(await page.page.locator('#login-button').isDisabled(), 'nobody can send a password to nowhere');
  await page.page.locator('#login-button:enabled').waitFor();
  assert.equal(broken, 2);
  await page.page.unroute('**/lib/session.js');
  await page.login(world.tandem.page, { user: 'alice', password: PASSWORD });
  await page.loggedIn();
});

world.test('no microphone', async () => {
  const caller = await world.phone(alice);
  await caller.page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'));
  });
  await caller.dial('bob');
  await caller.says('No microphone was found.');
});

world.test('the page obeys its Content-Security-Policy, and works by keyboard alone', async () => {
  const context = await world.browser.newContext();
  world.keep(context);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  const response = await page.goto(world.tandem.page);
  assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
  await page.keyboard.type('alice');
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByLabel('Number, name or address').waitFor();
  await page.keyboard.type('nobody');
  await page.keyboard.press('Enter');
  await page.getByText('nobody does not exist.').waitFor();
  assert.deepEqual(complaints, []);
});
