// Kamailio as a VoIP provider or proxy: a registrar that challenges, for any user with the password `secret`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { Process } from './process.js';
import { until } from './wait.js';

export const PROVIDER_DOMAIN = 'test.lan';
export const PROVIDER_PASSWORD = 'secret';

/**
 * @param {object} options
 * @param {string} options.directory
 * @param {import('./network.js').Host} options.host
 * @param {string} [options.peer] its configuration, in peers/
 * @param {Record<string, string>} [options.values] words in the configuration, and what is put in their place
 */
export async function startKamailio({ directory, host, peer = 'kamailio', values = {} }) {
  const run = join(directory, 'kamailio');
  mkdirSync(run, { recursive: true });
  const template = readFileSync(new URL(`../peers/${peer}.cfg`, import.meta.url), 'utf8');
  const config = join(run, 'kamailio.cfg');
  const words = Object.entries({ LISTEN_IP: host.address, RUN_DIR: run, ...values });
  writeFileSync(config, words.reduce((text, [word, value]) => text.replaceAll(word, value), template));
  const kamailio = new Process('kamailio', directory,
    host.inside('kamailio', '-f', config, '-DD', '-E', '-m', '32', '-M', '4', '-w', run, '-Y', run));
  await until('Kamailio answers OPTIONS', () => answersOptions(host.address), { timeout: 15_000, interval: 200 });
  return kamailio;
}

function answersOptions(address) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (answered) => { socket.close(); resolve(answered); };
    const timer = setTimeout(() => done(false), 300);
    socket.once('message', () => { clearTimeout(timer); done(true); });
    socket.once('error', () => { clearTimeout(timer); done(false); });
    socket.bind(() => socket.send([
      `OPTIONS sip:${address} SIP/2.0`, `Via: SIP/2.0/UDP ${address};rport;branch=z9hG4bK${Date.now()}`,
      `From: <sip:probe@${address}>;tag=1`, `To: <sip:${address}>`, `Call-ID: ${Date.now()}`, 'CSeq: 1 OPTIONS',
      'Max-Forwards: 70', 'Content-Length: 0', '', '',
    ].join('\r\n'), 5060, address));
  });
}
