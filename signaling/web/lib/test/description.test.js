// Pictures that do not come keep nobody from hearing.
import assert from 'node:assert/strict';
import test from 'node:test';
import { asOffered, sendsPictures, withRoomForPictures } from '../description.js';

const sdp = (audio, video) => `v=0\r\na=group:BUNDLE 0 1\r\nm=audio 9 x 111\r\na=${audio}\r\nm=video 9 x 96\r\na=${video}\r\n`;

test('pictures may come, and the sound is as it was', () => {
  assert.equal(withRoomForPictures(sdp('recvonly', 'recvonly')), sdp('recvonly', 'sendrecv'));
  assert.equal(withRoomForPictures(sdp('inactive', 'inactive')), sdp('inactive', 'sendonly'));
  for (const direction of ['sendrecv', 'sendonly']) {
    assert.equal(withRoomForPictures(sdp('sendrecv', direction)), sdp('sendrecv', direction));
  }
});

test('whether pictures come is what was said', () => {
  const said = (direction) => sendsPictures(sdp('sendrecv', direction));
  assert.deepEqual(['sendrecv', 'sendonly', 'recvonly', 'inactive'].map(said), [true, true, false, false]);
  assert.equal(sendsPictures(sdp('sendrecv', 'sendrecv').replace('m=video 9', 'm=video 0')), false);
  assert.equal(sendsPictures('v=0\r\nm=audio 9 x 111\r\n'), false);
});

test('the answer fits what was offered, not what the browser was told', () => {
  const answered = (offered, ours) => asOffered(sdp('sendrecv', ours), sdp('sendrecv', offered));
  assert.equal(answered('recvonly', 'sendrecv'), sdp('sendrecv', 'sendonly'));
  assert.equal(answered('recvonly', 'recvonly'), sdp('sendrecv', 'inactive'));
  assert.equal(answered('inactive', 'recvonly'), sdp('sendrecv', 'inactive'));
  assert.equal(answered('sendrecv', 'recvonly'), sdp('sendrecv', 'recvonly'));
  assert.equal(answered('recvonly', 'sendonly'), sdp('sendrecv', 'sendonly'));
});
