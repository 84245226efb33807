// baresip, a SIP telephone: headless, controlled over TCP, playing one tone and recording what it hears.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { longestTone, readWav, writeToneWav } from './audio.js';
import { Process } from './process.js';
import { until } from './wait.js';

const MODULES = '/usr/lib/baresip/modules';
const CONTROL_PORT = 4444;
const RATE = 48000;
/** Longer than any call of the tests: baresip does not begin the file again. */
const TONE_SECONDS = 60;
const LOADED = [
  'g711', 'opus', 'g722', 'aufile', 'aubridge', 'sndfile', 'auresamp', 'stun', 'turn', 'ice', 'srtp', 'dtls_srtp',
  'uuid', 'account', 'contact', 'menu', 'ctrl_tcp', 'debug_cmd',
];
const LOADED_FOR_VIDEO = ['avcodec', 'avformat', 'fakevideo', 'snapshot'];

function videoConfiguration({ clip, rate = 15 }) {
  return `video_source avformat,${clip}
video_display fakevideo,nil
video_size 320x240
video_bitrate 400000
video_fps ${rate}
avcodec_h264enc libx264
avcodec_h264dec h264
`;
}

function configuration({ name, address, tone, recordings, video, watched }) {
  const wanted = [...LOADED, ...(video ? LOADED_FOR_VIDEO : []), ...(watched ? ['presence'] : [])];
  const modules = wanted.filter((module) => existsSync(`${MODULES}/${module}.so`));
  return `poll_method epoll
sip_listen ${address}:5060
audio_player aubridge,sink_${name}
audio_source aufile,${tone}
audio_alert aubridge,alert_${name}
ausrc_srate ${RATE}
auplay_srate ${RATE}
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
call_local_timeout 120
call_max_calls 8
rtp_ports 20000-20200
rtcp_mux no
rtp_stats yes
jitter_buffer_delay 2-10
net_interface eth0
module_path ${MODULES}
${modules.map((module) => `module ${module}.so`).join('\n')}
snd_path ${recordings}
ctrl_tcp_listen ${address}:${CONTROL_PORT}
opus_bitrate 28000
opus_stereo no
opus_sprop_stereo no
${video ? videoConfiguration(video) : ''}`;
}

/** A telephone. Its events are kept; {@link Baresip.event} waits for the next one of a type. */
export class Baresip {
  events = [];
  #received = Buffer.alloc(0);
  /** How much of its output {@link Baresip.sees} has used up. */
  #seen = 0;

  /**
   * @param {object} options
   * @param {string} options.directory where its files go
   * @param {import('./network.js').Host} options.host
   * @param {string} options.user
   * @param {string} options.domain
   * @param {string} options.password
   * @param {string} options.server its outbound proxy: address, perhaps with port
   * @param {number} options.tone what it plays, in Hz
   * @param {string} [options.codecs] as baresip writes them, for example `PCMU/8000/1`
   * @param {'srtp-mand' | 'dtls_srtp'} [options.encryption]
   * @param {'auto' | 'manual'} [options.answer]
   * @param {string} [options.name] for people, as its calls show it
   * @param {string} [options.contact] the user that its `message` command writes to
   * @param {string} [options.watched] the user whose presence it subscribes to
   * @param {{clip: string, rate?: number}} [options.video] the file that its camera shows, and its pictures a second
   */
  static async start({ directory, host, user, domain, password, server, tone, codecs, encryption, answer = 'auto', name, contact, watched, video }) {
    const phone = new Baresip();
    const home = join(directory, `baresip-${user}`);
    phone.recordings = join(home, 'recordings');
    mkdirSync(phone.recordings, { recursive: true });
    const wav = join(home, 'tone.wav');
    writeToneWav(wav, { frequency: tone, seconds: TONE_SECONDS, rate: RATE });
    const settings = { name: user, address: host.address, tone: wav, recordings: phone.recordings, video, watched };
    writeFileSync(join(home, 'config'), configuration(settings));
    const parameters = [
      `auth_user=${user}`, `auth_pass=${password}`, `outbound="sip:${server};transport=udp"`, 'regint=600',
      `answermode=${answer}`, 'dtmfmode=rtpevent', codecs && `audio_codecs=${codecs}`, encryption && `mediaenc=${encryption}`,
    ];
    writeFileSync(join(home, 'accounts'), `${name ? `"${name}" ` : ''}<sip:${user}@${domain}>;${parameters.filter(Boolean).join(';')}\n`);
    const contacts = [contact && `"${contact}" <sip:${contact}@${domain}>\n`, watched && `"${watched}" <sip:${watched}@${domain}>;presence=p2p\n`];
    writeFileSync(join(home, 'contacts'), contacts.filter(Boolean).join(''));
    phone.address = `${user}@${domain}`;
    phone.host = host;
    phone.process = new Process(`baresip-${user}`, directory, host.inside('baresip', '-f', home, '-s'));
    await phone.#control(host.reachedAt);
    await until(`${user} is registered`, () => /200 OK .*\[\d+ binding/.test(phone.process.output()));
    return phone;
  }

  async #control(address) {
    this.socket = await until('baresip listens for control', () => new Promise((resolve) => {
      const socket = createConnection(CONTROL_PORT, address);
      socket.once('connect', () => resolve(socket));
      socket.once('error', () => resolve(null));
    }));
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => this.#receive(data));
  }

  /** Netstrings of JSON. */
  #receive(data) {
    this.#received = Buffer.concat([this.#received, data]);
    for (;;) {
      const colon = this.#received.indexOf(':');
      if (colon < 0) return;
      const end = colon + 1 + Number(this.#received.toString('latin1', 0, colon));
      if (this.#received.length <= end) return;
      const message = JSON.parse(this.#received.toString('utf8', colon + 1, end));
      if (message.event) this.events.push(message);
      this.#received = this.#received.subarray(end + 1);
    }
  }

  /** Gives a command of baresip's menu. */
  command(command, params = '') {
    const text = JSON.stringify({ command, params, token: 'e2e' });
    this.socket.write(`${Buffer.byteLength(text)}:${text},`);
  }

  /** The header of the last request of this method that came, from its trace. */
  received(method) {
    const came = new RegExp(`-> ${this.host.address}:5060\\r?\\n(${method} [^]*?)\\r?\\n\\r?\\n`, 'g');
    return [...this.process.output().matchAll(came)].at(-1)?.[1];
  }

  /** The messages that it took, from its trace: those that came, each once however often it was sent. */
  messages() {
    const came = new RegExp(`-> ${this.host.address}:5060\\r?\\n(MESSAGE [^]*?)\\r?\\n\\r?\\n([^]*?)\\x1b\\[;m`, 'g');
    const output = this.process.output();
    const texts = new Map();
    for (const [, head, text] of output.matchAll(came)) {
      const callId = /Call-ID: (\S+)/.exec(head)[1];
      const taken = new RegExp(`SIP/2.0 200 OK[^\x1b]*Call-ID: ${callId}\\r?\\nCSeq: \\d+ MESSAGE`);
      if (taken.test(output)) texts.set(callId, text);
    }
    return [...texts.values()];
  }

  /** Waits until a NOTIFY has told this of who is watched; its first news it does not show. */
  async toldOf(basic) {
    await this.process.printed(new RegExp(`<basic>${basic}</basic>`));
  }

  /** Waits until it shows this, which it did not before, of who is watched: Online, Offline or Busy. */
  async sees(user, status) {
    const colour = '(?:\\x1b\\[\\d*m)?';
    const shown = new RegExp(`<sip:${user}@[^>]*> changed status from \\S+ to ${colour}${status}`, 'g');
    await until(`${this.process.name} sees ${user} ${status}`, () => {
      const seen = [...this.process.output().slice(this.#seen).matchAll(shown)].at(-1);
      if (seen) this.#seen += seen.index + seen[0].length;
      return seen;
    });
  }

  /** Waits for an event of this type, which is taken out of the list. */
  event(type, options) {
    return until(`${this.process.name}: event ${type}`, () => {
      const index = this.events.findIndex((event) => event.type === type);
      return index >= 0 && this.events.splice(index, 1)[0];
    }, options);
  }

  /** Dials a user of the own domain, or an address. */
  dial(callee) {
    this.command('dial', callee);
  }

  hangup() {
    this.command('hangup');
  }

  /** Transfers the call without a word. */
  transfer(target) {
    this.command('transfer', target);
  }

  /** Lets video flow in mid-call: `sendrecv`, `sendonly`, `recvonly` or `inactive`. */
  showVideo(direction) {
    this.command('video_dir', direction);
  }

  /** Waits until a second of this tone was heard, counted from now. */
  async hears(frequency, options) {
    const recorded = () => (readdirSync(this.recordings).some((name) => name.endsWith('-dec.wav')) ? this.heard() : null);
    const before = recorded()?.samples.length ?? 0;
    await until(`${this.process.name} hears ${frequency} Hz`, () => {
      const now = recorded();
      // Another call's recording starts anew.
      const from = now && now.samples.length >= before ? before : 0;
      return now && longestTone({ rate: now.rate, samples: now.samples.subarray(from) }, frequency) >= 1;
    }, { interval: 200, ...options });
  }

  /** A picture of what is seen now. @returns {Promise<string>} its file */
  async snapshot() {
    const file = join(this.recordings, `seen-${Date.now()}.png`);
    this.command('snapshot_recv', file);
    // It is written with the next picture, in one piece, but not at once.
    let size = 0;
    await until('a picture is kept', () => {
      const before = size;
      size = existsSync(file) ? statSync(file).size : 0;
      return size > 0 && size === before;
    }, { timeout: 3000 });
    return file;
  }

  /** How many of its own INVITEs were answered and acknowledged. */
  acknowledged() {
    return [...this.process.output().matchAll(new RegExp(`UDP ${this.host.address}:5060 -> \\S+\\nACK `, 'g'))].length;
  }

  /** What was heard in the last call. Complete when the call is over. */
  heard() {
    const files = readdirSync(this.recordings).filter((name) => name.endsWith('-dec.wav')).sort();
    if (!files.length) throw new Error(`${this.process.name} recorded nothing`);
    return readWav(join(this.recordings, files.at(-1)));
  }

  async stop() {
    this.socket?.destroy();
    await this.process.stop();
  }
}
