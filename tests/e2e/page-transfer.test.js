// Promise: a call is handed over on the page, blindly and after a word with whoever takes it; what fails returns to the call.
import { after } from 'node:test';
import { World } from './lib/world.js';

const world = await World.create('page-transfer');
after(() => world.close());

const alice = { user: 'alice', tone: 440 };
const bob = { user: 'bob', tone: 1000 };
const carol = { user: 'carol', tone: 700 };

async function talk(caller, callee, name) {
  await caller.dial(name);
  await callee.answer();
  await Promise.all([caller.state('talking'), callee.state('talking')]);
}

const hear = (one, oneTone, other, otherTone) => Promise.all([one.hears(otherTone), other.hears(oneTone)]);

world.test('blind transfer', async () => {
  const [phone, other, target] = await Promise.all([alice, bob, carol].map((who) => world.phone(who)));
  await talk(other, phone, 'alice');
  await phone.press('Transfer');
  await phone.page.getByLabel('Transfer to').fill('carol');
  await phone.press('Transfer now');
  await target.answer();
  await hear(other, bob.tone, target, carol.tone);
  await phone.says('bob was transferred.');
  await phone.state('idle');
});

world.test('a blind transfer that fails returns to the call', async () => {
  const [phone, other] = await Promise.all([alice, bob].map((who) => world.phone(who)));
  await talk(phone, other, 'bob');
  await phone.press('Transfer');
  await phone.page.getByLabel('Transfer to').fill('nobody');
  await phone.page.keyboard.press('Enter');
  await phone.says('nobody does not exist.');
  await hear(phone, alice.tone, other, bob.tone);
});

world.test('attended transfer', async () => {
  const [phone, other, target] = await Promise.all([alice, bob, carol].map((who) => world.phone(who)));
  await talk(phone, other, 'bob');
  await phone.press('Transfer');
  await phone.page.getByLabel('Transfer to').fill('carol');
  await phone.press('Speak first');
  await target.answer();
  await phone.page.getByRole('heading', { name: 'carol', exact: true }).waitFor();
  await hear(phone, alice.tone, target, carol.tone);
  await phone.press('Connect bob with carol');
  await hear(other, bob.tone, target, carol.tone);
  await phone.state('idle');
});
