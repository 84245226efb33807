// Malformed packets and messages, the same for the same seed.
import { createHmac } from 'node:crypto';

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

function stunHeader(length, random) {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(0x0001, 0);
  header.writeUInt16BE(length, 2);
  header.writeUInt32BE(0x2112a442, 4);
  random.bytes(12).copy(header, 8);
  return header;
}

function stun(random) {
  const length = 4 * random.below(20);
  return Buffer.concat([stunHeader(length, random), random.bytes(length)]);
}

function attribute(type, value) {
  const padded = Buffer.alloc(4 + 4 * Math.ceil(value.length / 4));
  padded.writeUInt16BE(type, 0);
  padded.writeUInt16BE(value.length, 2);
  value.copy(padded, 4);
  return padded;
}

/**
 * A sound connectivity check (RFC 8445 section 7.2.4) that nominates nothing. After it, an ICE agent looks at what comes
 * from this source.
 */
export function connectivityCheck({ username, password }, random) {
  const attributes = Buffer.concat([
    attribute(0x0006, Buffer.from(username)),
    attribute(0x0024, Buffer.from([0, 0, 0, 1])), // PRIORITY
    attribute(0x802a, random.bytes(8)), // ICE-CONTROLLING
  ]);
  // RFC 8489 section 14.5: the length covers MESSAGE-INTEGRITY, the digest what is before it.
  const signed = Buffer.concat([stunHeader(attributes.length + 24, random), attributes]);
  return Buffer.concat([signed, attribute(0x0008, createHmac('sha1', password).update(signed).digest())]);
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

/** A session description with some damage. */
export function malformedDescription(description, random) {
  return damage(Buffer.from(description), random).toString('latin1');
}

/** A sound WebSocket handshake, and frames that are not. */
export function malformedWebSocket(address, random) {
  const handshake = `GET / HTTP/1.1\r\nHost: ${address}:8080\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${random.bytes(16).toString('base64')}\r\n\r\n`;
  return Buffer.concat([Buffer.from(handshake), random.bytes(1 + random.below(300))]);
}

const WCS = JSON.stringify({ message: 'connection', data: [{ sipLogin: 'alice', sipPassword: 'x', sipDomain: '' }] });

/** A text frame for the WebSocket. */
export function malformedFrame(random) {
  if (random.below(3) === 0) return `{"message":"call","data":[${'['.repeat(random.below(5000))}`;
  return damage(Buffer.from(WCS), random).toString('latin1');
}
