// Promise: a call is handed over on the page, blindly and after a word with whoever takes it; what fails returns to the call.
import { after } from 'node:test';
import { alice, bob, carol, hear, talk } from './lib/people.js';
import { World } from './lib/world.js';

const world = await World.create('page-transfer');
after(() => world.close());

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
