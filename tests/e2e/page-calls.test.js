// Promise: what people do in calls on the page: hold, several calls, transfer, messages, and what the browser keeps.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { alice, bob, carol, hear, talk } from './lib/people.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const world = await World.create('page-calls');
after(() => world.close());

const sees = (phone, words) => phone.page.locator('#call-state').filter({ hasText: words }).waitFor({ timeout: 10_000 });
const withWhom = (phone, name) => phone.page.getByRole('heading', { name, exact: true }).waitFor({ timeout: 10_000 });

/** Neither side hears anything of the other's. */
async function deaf(...listeners) {
  for (const [phone, tone] of listeners) {
    await assert.rejects(phone.hears(tone, { timeout: 2500 }), /was heard/);
  }
}

world.test('hold: neither hears the other, and afterwards both do again', async () => {
  const [caller, callee] = await Promise.all([world.phone(alice), world.phone(bob)]);
  await talk(caller, callee, 'bob');
  await hear(caller, alice.tone, callee, bob.tone);
  await caller.press('Hold');
  await Promise.all([sees(caller, 'On hold'), sees(callee, 'alice put you on hold')]);
  await deaf([caller, bob.tone], [callee, alice.tone]);
  await caller.press('Hold');
  await Promise.all([sees(caller, 'In call'), sees(callee, 'In call')]);
  await hear(caller, alice.tone, callee, bob.tone);
});

world.test('a second call is taken, and both are switched between', async () => {
  const [phone, first, second] = await Promise.all([alice, bob, carol].map((who) => world.phone(who)));
  await talk(first, phone, 'alice');
  await second.dial('alice');
  await phone.press('Hold and answer carol');
  await withWhom(phone, 'carol');
  await hear(phone, alice.tone, second, carol.tone);
  await sees(first, 'alice put you on hold');
  await phone.press('Switch to bob');
  await withWhom(phone, 'bob');
  await hear(phone, alice.tone, first, bob.tone);
  await sees(second, 'alice put you on hold');
  await first.hangup();
  await withWhom(phone, 'carol');
  await phone.press('Hold');
  await hear(phone, alice.tone, second, carol.tone);
});

world.test('another microphone in mid-call', async () => {
  const [caller, callee] = await Promise.all([world.phone(alice), world.phone(bob)]);
  await talk(caller, callee, 'bob');
  await caller.press('Settings');
  const list = caller.page.getByLabel('Microphone');
  const names = await list.getByRole('option').allTextContents();
  assert.ok(names.length > 2, `the browser has microphones: ${names}`);
  await list.selectOption({ index: 2 });
  await caller.press('Done');
  const wanted = () => caller.page.evaluate(() => window.kit.wanted.map(({ audio }) => audio.deviceId?.ideal));
  await until('the other microphone is opened', async () => (await wanted()).length === 2);
  const [first, second] = await wanted();
  assert.equal(first, undefined, 'at first the browser chose');
  assert.equal(second, await caller.page.evaluate(() => JSON.parse(localStorage['tandem.settings']).microphone));
  await hear(caller, alice.tone, callee, bob.tone);
});

world.test('what is kept in the browser: the call log, messages, settings, who logged in', async () => {
  const phone = await world.phone(alice);
  await phone.dial('nobody');
  await phone.says('nobody does not exist.');
  await phone.press('Settings');
  await phone.page.getByLabel('Take a second call during a call').uncheck();
  await phone.press('Done');
  await phone.page.reload();
  assert.equal(await phone.page.getByLabel('User').inputValue(), 'alice');
  assert.equal(await phone.page.getByLabel('Password').inputValue(), '');
  await phone.page.getByLabel('Password').fill('open-sesame');
  await phone.press('Log in');
  await phone.loggedIn();
  await phone.page.getByRole('button', { name: /Call nobody Outgoing/ }).waitFor();
  await phone.press('Settings');
  assert.equal(await phone.page.getByLabel('Take a second call during a call').isChecked(), false);
  await phone.press('Delete recent calls and messages');
  await phone.press('Done');
  await phone.page.getByText('Calls that you make, take and miss are listed here.').waitFor();
  const kept = await phone.page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.doesNotMatch(kept, /open-sesame/, 'a password is never kept');
});
