// Seeded loss, so that every run loses the same packets; and what a codec's own library makes of what is left.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ffmpeg } from './speech.js';

const script = join(dirname(fileURLToPath(import.meta.url)), '../quality/conceal.py');
const run = promisify(execFile);

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Each packet is lost with this probability. @returns {Set<number>} the numbers of lost packets; never the first */
export function randomLoss(seed, share, count) {
  const next = random(seed);
  return new Set(Array.from({ length: count }, (_, number) => number).filter((number) => next() < share && number > 0));
}

/** Loss in bursts of `burst` packets on average (Gilbert's model). */
export function burstyLoss(seed, share, count, burst = 3) {
  const next = random(seed);
  const lost = new Set();
  let isBad = false;
  for (let number = 1; number < count; number += 1) {
    isBad = isBad ? next() >= 1 / burst : next() < share / (1 - share) / burst;
    if (isBad) lost.add(number);
  }
  return lost;
}

/** What the codec's library makes of packets of which some are lost. @see ../quality/conceal.py */
export async function libraryConcealed({ name, rate, packets, lost, output }) {
  const job = `${output}.json`;
  const raw = `${output}.raw`;
  writeFileSync(job, JSON.stringify({ codec: name, packets: packets.map((packet) => packet.toString('base64')), lost: [...lost] }));
  await run('/usr/bin/python3', [script, job, raw]);
  await ffmpeg('-f', 's16le', '-ar', String(rate), '-ac', '1', '-i', raw, output);
}

/** G.711 has no concealment of its own: what a receiver hears that puts silence in place of lost packets. */
export async function silenceConcealed({ packets, lost, output }) {
  const silence = Buffer.alloc(packets[0].length, 0xff);
  const raw = `${output}.raw`;
  writeFileSync(raw, Buffer.concat(packets.map((packet, number) => (lost.has(number) ? silence : packet))));
  await ffmpeg('-f', 'mulaw', '-ar', '8000', '-ac', '1', '-i', raw, output);
}
