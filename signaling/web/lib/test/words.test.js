// Failures in words, qualities in grades, messages in states.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Failure } from '../failure.js';
import { Message } from '../message.js';
import { level, rating } from '../quality.js';
import { explain } from '../words.js';

test('failures are sentences with the name of the other side', () => {
  assert.equal(explain(new Failure('sip', { status: 486 }), 'bob'), 'bob is busy.');
  assert.equal(explain(new Failure('sip', { status: 486 }), '$&'), '$& is busy.', 'whatever the name is');
  assert.equal(explain(new Failure('sip', { status: 418, text: 'Teapot' })), 'The call failed (418 Teapot).');
  assert.equal(explain(new Failure('sip', { status: 599 })), 'The server failed (599).');
  assert.equal(explain(new Failure('token-refused', { text: 'Too many calls' })), 'Too many calls.');
  assert.equal(explain(new Failure('refused')), 'The server refused this.');
});

test('anything thrown becomes a failure once', () => {
  const failure = new Failure('dropped');
  assert.equal(Failure.from(failure, 'media'), failure);
  assert.equal(Failure.from(new TypeError('odd'), 'media').code, 'media');
  assert.equal(Failure.from('odd', 'media').text, 'odd');
});

test('loss and delay make a call worse, as ITU-T G.107 has it', () => {
  assert.equal(level(rating(0, 40)), 'good');
  assert.equal(level(rating(0.03, 40)), 'fair');
  assert.equal(level(rating(0.15, 40)), 'poor');
  assert.equal(level(rating(0, 900)), 'poor', 'nobody can talk with so much delay');
  assert.ok(rating(1, 5000) >= 0);
});

test('a message goes on to delivered or failed, and never back', () => {
  const message = new Message({ id: '1', peer: 'bob', text: 'x', incoming: false });
  const states = [];
  message.on('change', () => states.push(message.state));
  for (const state of ['SENT', 'ACCEPTED', 'nonsense', 'IMDN_DELIVERED', 'SENT', 'FAILED']) message.report({ state });
  assert.deepEqual(states, ['sent', 'delivered']);
  const other = new Message({ id: '2', peer: 'bob', text: 'x', incoming: false });
  other.report({ state: 'FAILED', sipStatus: 404 });
  assert.deepEqual([other.state, other.failure?.status], ['failed', 404]);
});
