// Promise: two people with the page write to each other, and see what became of what they wrote.
import { after } from 'node:test';
import { alice, bob } from './lib/people.js';
import { World } from './lib/world.js';

const world = await World.create('page-messages');
after(() => world.close());

world.test('messages, both ways', async () => {
  const [phone, other] = await Promise.all([alice, bob].map((who) => world.phone(who)));
  const line = (page, text) => page.page.getByRole('log', { name: 'Conversation' }).getByRole('listitem').filter({ hasText: text });
  await phone.press('Messages');
  await phone.press('New message');
  await phone.page.getByLabel('To', { exact: true }).fill('bob');
  await phone.page.getByLabel('Message', { exact: true }).fill('Grüße, 你好 👋');
  await phone.page.keyboard.press('Enter');
  await line(phone, 'Delivered').waitFor({ timeout: 10_000 });
  await other.page.getByRole('button', { name: /Messages.*1/ }).click();
  await other.page.getByRole('button', { name: /alice/ }).click();
  await line(other, 'Grüße, 你好 👋').waitFor();
  await other.page.getByLabel('Message', { exact: true }).fill('Hello back');
  await other.press('Send');
  await line(phone, 'Hello back').waitFor({ timeout: 10_000 });
  await phone.page.getByLabel('Message', { exact: true }).fill('x'.repeat(1301));
  await phone.press('Send');
  await line(phone, 'The message is too long.').waitFor();
});
