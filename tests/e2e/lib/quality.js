// Voice quality: PESQ, and what codecs score by themselves, offline.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binaries } from './tandem.js';
import { ffmpeg } from './speech.js';

const scripts = join(dirname(fileURLToPath(import.meta.url)), '../quality');
const run = promisify(execFile);
let python;

/** The interpreter of the virtual environment that has PESQ; made where it is not there. */
function interpreter() {
  if (!python) {
    const directory = process.env.TANDEM_QUALITY ?? join(binaries, '..', 'voice-quality');
    execFileSync(join(scripts, 'install'), [directory], { stdio: ['ignore', 'ignore', 'inherit'] });
    python = join(directory, 'bin/python');
  }
  return python;
}

/**
 * Scores recordings (MOS-LQO, 1 to 4.64) against their references.
 * @param {{mode: 'nb' | 'wb', reference: string, degraded: string}[]} jobs with files at 8000 Hz, wide band 16000 Hz
 * @returns {Promise<(number | null)[]>} `null` where nothing is heard
 */
export function pesq(jobs) {
  return new Promise((resolve, reject) => {
    const child = spawn(interpreter(), [join(scripts, 'score.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (data) => { text += data; });
    child.once('error', reject);
    child.once('close', (code) => (code ? reject(new Error(`score.py ended with ${code}`)) : resolve(JSON.parse(text))));
    child.stdin.end(JSON.stringify(jobs.map(({ mode, reference, degraded }) => [mode, reference, degraded])));
  });
}

/** How a sound that came through both codecs is judged. */
export function modeOf(...codecs) {
  return codecs.every(({ rate }) => rate === 16000) ? 'wb' : 'nb';
}

/** A copy of a WAV file at the rate at which `mode` judges. */
export async function atRateOf(mode, file) {
  const copy = file.replace(/\.wav$/, `-${mode}.wav`);
  await ffmpeg('-i', file, '-ar', mode === 'wb' ? '16000' : '8000', '-ac', '1', copy);
  return copy;
}

/** Encodes a WAV file into a file. `rate` is what the encoder is fed with, `delay` the silence before, in milliseconds. */
export async function encodeFile(codec, input, output, { rate = codec.rate, delay = 0, packetTime = 20 } = {}) {
  const sound = ['-i', input, '-af', `adelay=${delay}`, '-ar', String(rate), '-ac', '1'];
  if (codec.encode) {
    await ffmpeg(...sound, ...codec.encode(packetTime), '-f', codec.container, output);
    return;
  }
  const raw = `${output}.raw`;
  await ffmpeg(...sound, '-f', 's16le', raw);
  await run('/usr/bin/python3', [join(scripts, 'g729.py'), raw, output]);
}

/** What comes of a WAV file in a codec, without any network. @see encodeFile */
export async function offline(codec, input, output, options) {
  const coded = `${output}.${codec.container}`;
  await encodeFile(codec, input, coded, options);
  await ffmpeg('-f', codec.container, '-i', coded, '-ac', '1', output);
}
