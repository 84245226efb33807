// Pictures that do not come keep nobody from hearing.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withRoomForPictures } from '../first-description.js';

const sdp = (audio, video) => `v=0\r\na=group:BUNDLE 0 1\r\nm=audio 9 x 111\r\na=${audio}\r\nm=video 9 x 96\r\na=${video}\r\n`;

test('pictures may come, and the sound is as it was', () => {
  assert.equal(withRoomForPictures(sdp('recvonly', 'recvonly')), sdp('recvonly', 'sendrecv'));
  assert.equal(withRoomForPictures(sdp('inactive', 'inactive')), sdp('inactive', 'sendonly'));
  for (const direction of ['sendrecv', 'sendonly']) {
    assert.equal(withRoomForPictures(sdp('sendrecv', direction)), sdp('sendrecv', direction));
  }
});
