// Malformed packets and messages, the same for the same seed.

/** A small generator of numbers (mulberry32), so that a failure can be repeated. */
export function generator(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { below: (limit) => next() % limit, bytes: (length) => Buffer.from(Array.from({ length }, () => next() & 0xff)) };
}

const SDP = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n'
  + 'a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n';

function sip(address, random) {
  return Buffer.from(`INVITE sip:carol@tandem.test SIP/2.0\r\nVia: SIP/2.0/UDP ${address}:9;branch=z9hG4bK${random.below(1e9)}\r\n`
    + `From: "x" <sip:alice@tandem.test>;tag=${random.below(1e9)}\r\nTo: <sip:carol@tandem.test>\r\nCall-ID: ${random.below(1e9)}\r\n`
    + `CSeq: 1 INVITE\r\nContact: <sip:alice@${address}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n`
    + `Content-Length: ${SDP.length}\r\n\r\n${SDP}`);
}

function stun(random) {
  const length = 4 * random.below(20);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(0x0001, 0);
  header.writeUInt16BE(length, 2);
  header.writeUInt32BE(0x2112a442, 4);
  random.bytes(12).copy(header, 8);
  return Buffer.concat([header, random.bytes(length)]);
}

function dtls(random) {
  return Buffer.concat([Buffer.from([22, 0xfe, 0xfd]), random.bytes(10), Buffer.from([1]), random.bytes(random.below(200))]);
}

function rtp(random) {
  return Buffer.concat([Buffer.from([0x80 | random.below(0x40), random.below(256)]), random.bytes(10 + random.below(180))]);
}

function rtcp(random) {
  return Buffer.concat([Buffer.from([0x80 | random.below(0x40), 200 + random.below(8)]), random.bytes(2 + random.below(100))]);
}

/** Damages a message: bytes are changed, cut out or repeated. */
function damage(message, random) {
  const damaged = Buffer.from(message);
  for (let times = 1 + random.below(8); times > 0; times -= 1) damaged[random.below(damaged.length)] = random.below(256);
  const cut = random.below(damaged.length);
  switch (random.below(4)) {
    case 0: return damaged.subarray(0, cut);
    case 1: return Buffer.concat([damaged.subarray(0, cut), damaged.subarray(cut / 2)]);
    default: return damaged;
  }
}

/** A datagram for a SIP port. */
export function malformedSip(address, random) {
  return random.below(5) === 0 ? random.bytes(1 + random.below(1200)) : damage(sip(address, random), random);
}

/** A datagram for a media port. */
export function malformedMedia(random) {
  const kinds = [stun, dtls, rtp, rtcp, () => random.bytes(1 + random.below(300))];
  const packet = kinds[random.below(kinds.length)](random);
  return random.below(2) ? damage(packet, random) : packet;
}

const WCS = JSON.stringify({ message: 'connection', data: [{ sipLogin: 'alice', sipPassword: 'x', sipDomain: '' }] });

/** A text frame for the WebSocket. */
export function malformedFrame(random) {
  if (random.below(3) === 0) return `{"message":"call","data":[${'['.repeat(random.below(5000))}`;
  return damage(Buffer.from(WCS), random).toString('latin1');
}
