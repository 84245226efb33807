// Promise: the phone page is sound in every state, at the width of a desk and of a telephone: no serious fault that axe
// knows, nothing wider than the screen, no jump of the layout, everything by keyboard.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { PhonePage } from './lib/browser.js';
import { Looks, SIZES } from './lib/looks.js';
import { PASSWORD } from './lib/tandem.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const world = await World.create('page-states');
after(() => world.close());

const bob = { user: 'bob', tone: 1000 };
const carol = { user: 'carol', tone: 700 };

async function open(size) {
  const phone = world.keep(await PhonePage.open(world.browser, { tone: 440 }));
  await phone.page.setViewportSize(SIZES[size]);
  await phone.page.goto(world.tandem.page);
  return { phone, looks: new Looks(phone.page, size, world.directory) };
}

async function logIn(phone) {
  await phone.login(world.tandem.page, { user: 'alice', password: PASSWORD });
  await phone.loggedIn();
}

const view = (phone, name) => phone.page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name }).click();

for (const size of Object.keys(SIZES)) {
  world.test(`logging in and one call, ${size}`, async () => {
    const { phone, looks } = await open(size);
    await looks.at('login');
    await phone.page.getByText('Account at a VoIP provider').click();
    await looks.at('login-provider');
    await phone.login(world.tandem.page, { user: 'alice', password: 'wrong' });
    await phone.says('The user or the password is wrong.');
    await looks.at('login-refused');
    await logIn(phone);
    await looks.at('idle');
    const place = () => phone.page.locator('#phone').boundingBox();
    const idle = await place();
    const callee = await world.phone(bob);
    await phone.dial('bob');
    await phone.state('alerting');
    await looks.at('alerting');
    assert.deepEqual(await place(), idle, 'nothing jumps when a call begins');
    await callee.answer();
    await phone.state('talking');
    await phone.page.getByText(/(Good|Weak|Bad) connection/).waitFor();
    await looks.at('talking');
    assert.deepEqual(await place(), idle, 'nor when it is answered');
    await phone.press('Mute');
    await phone.press('Keypad');
    await phone.press('5');
    await looks.at('keypad');
    await phone.press('Back');
    await phone.press('Transfer');
    await looks.at('transfer');
    await phone.press('Cancel');
    await callee.hangup();
    await phone.says('bob hung up.');
    assert.deepEqual(await place(), idle, 'nor when it ends');
    await view(phone, 'Recent calls');
    await looks.at('recent-calls');
    await phone.press('Settings');
    await looks.at('settings');
    assert.deepEqual(looks.faults, []);
  });

  world.test(`several calls and messages, ${size}`, async () => {
    const { phone, looks } = await open(size);
    const [first, second] = [await world.phone(bob), await world.phone(carol)];
    await logIn(phone);
    await first.dial('alice');
    await phone.state('incoming');
    await looks.at('incoming');
    await phone.press('Answer');
    await phone.state('talking');
    await second.dial('alice');
    await phone.page.getByText('is calling', { exact: true }).waitFor();
    await looks.at('second-incoming');
    await phone.press('Hold and answer carol');
    await phone.page.getByRole('heading', { name: 'carol' }).waitFor();
    await until('bob is on hold', () => phone.page.getByText('On hold').isVisible());
    await looks.at('two-calls');
    await phone.press('Add call');
    await looks.at('add-call');
    await phone.press('Back');
    await view(phone, 'Messages');
    await looks.at('no-messages');
    await phone.press('New message');
    await looks.at('new-message');
    assert.deepEqual(looks.faults, []);
  });
}

for (const size of Object.keys(SIZES)) {
  world.test(`a call with pictures, ${size}`, async () => {
    const { phone, looks } = await open(size);
    const callee = await world.phone({ ...bob, colour: 'rgb(190, 110, 60)' });
    const { page } = phone;
    await logIn(phone);
    await page.getByLabel('Number, name or address').fill('bob');
    await phone.press('Video call');
    await callee.state('incoming');
    await callee.press('With video');
    await phone.state('talking');
    const isShown = (id) => until(`${id} is shown`, () => page.locator(id).evaluate((video) => video.videoWidth > 0 && !video.hidden));
    await Promise.all([isShown('#remote'), isShown('#self')]);
    await Promise.all([phone.hears(bob.tone), callee.hears(440)]);
    await looks.at('pictures');
    await callee.press('Camera');
    await until('bob shows nothing', () => page.locator('#pictures[data-theirs=false]').isVisible());
    await looks.at('own-picture');
    await phone.press('Camera');
    await until('nobody shows anything', () => page.locator('#pictures').isHidden());
    await Promise.all([phone.hears(bob.tone), callee.hears(440)]);
    await callee.press('Camera');
    await isShown('#remote');
    await phone.press('Hold');
    await until('nothing is shown on hold', () => page.locator('#pictures').isHidden());
    await phone.press('Hold');
    await isShown('#remote');
    await Promise.all([phone.hears(bob.tone), callee.hears(440)]);
    assert.deepEqual(looks.faults, []);
  });

  world.test(`a connection that is lost and comes back, ${size}`, async () => {
    const { phone, looks } = await open(size);
    const connections = [];
    let isBroken = false;
    await phone.page.routeWebSocket(/:8080/, (socket) => {
      if (isBroken) socket.close();
      else socket.connectToServer();
      connections.push(socket);
    });
    await logIn(phone);
    isBroken = true;
    await connections.at(-1).close({ code: 1001 });
    await phone.says('The connection to the server was lost. Reconnecting…');
    assert.ok(await phone.page.getByRole('button', { name: 'Call', exact: true }).isDisabled());
    await looks.at('reconnecting');
    isBroken = false;
    await phone.says('Connected again.');
    await phone.dial('nobody');
    await phone.says('nobody does not exist.');
    assert.deepEqual(looks.faults, []);
  });
}

world.test('a call by keyboard alone, with the focus always in sight', async () => {
  const { phone } = await open('desktop');
  const { page } = phone;
  const callee = await world.phone(bob);
  const focused = () => page.evaluate(() => {
    const { activeElement: active } = document;
    const { outlineStyle, outlineWidth } = getComputedStyle(active);
    const { width, height } = active.getBoundingClientRect();
    return {
      name: active.getAttribute('aria-label') ?? active.labels?.[0]?.textContent ?? active.innerText.trim(),
      isSeen: width > 0 && height > 0 && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
    };
  });
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  /** Goes on to the element with this name; each one on the way must show that it has the focus. */
  const tabTo = async (name, key = 'Tab') => {
    for (let steps = 0; steps < 60; steps += 1) {
      await press(key);
      const now = await focused();
      assert.ok(now.isSeen || now.name.length > 100, `the focus is seen on ${now.name}`);
      if (now.name === name) return;
    }
    assert.fail(`${name} is not reached by ${key}`);
  };

  await page.keyboard.type('alice');
  await press('Tab');
  await page.keyboard.type(PASSWORD);
  await press('Enter');
  await phone.loggedIn();
  await page.keyboard.type('bob');
  await press('Enter');
  await callee.answer();
  await phone.state('talking');
  assert.equal((await focused()).name, 'Hang up');
  await tabTo('Mute', 'Shift+Tab');
  await press('Space');
  await page.getByText('In call, muted').waitFor();
  await tabTo('Transfer');
  await press('Enter');
  assert.equal((await focused()).name, 'Transfer to');
  await press('Escape');
  assert.equal((await focused()).name, 'Transfer');
  await tabTo('Messages');
  await press('Enter');
  await tabTo('New message');
  await press('Enter');
  assert.equal((await focused()).name, 'To');
  await tabTo('Hang up', 'Shift+Tab');
  await press('Enter');
  await callee.says('alice hung up.');
  assert.equal((await focused()).name, 'Number, name or address');
});
