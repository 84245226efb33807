// Real speech for voice quality: prompts of Debian's asterisk-core-sounds-en-g722, one voice, 16 kHz; cut by ffmpeg.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const FOLDER = '/usr/share/asterisk/sounds/en_US_f_Allison';
/** Silence around the speech, in seconds: what a codec or a jitter buffer holds back must come out too. */
const LEAD = 0.3;
const TAIL = 0.7;

const run = promisify(execFile);

/** Runs ffmpeg to its end. */
export function ffmpeg(...args) {
  return run('ffmpeg', ['-hide_banner', '-nostdin', '-loglevel', 'error', '-y', ...args]);
}

/** Two clips that hold little silence: prompt, first second. */
export const CLIPS = [['demo-congrats', 2], ['basic-pbx-ivr-main', 3]];

/**
 * Cuts a clip as WAV files at 8000 and at 16000 Hz.
 * @returns {Promise<Record<number, string>>} the file for each rate
 */
export async function cutClip(directory, [prompt, from], seconds) {
  const files = {};
  for (const rate of [16000, 8000]) {
    files[rate] = join(directory, `${prompt}-${rate}.wav`);
    await ffmpeg(
      '-f', 'g722', '-i', join(FOLDER, `${prompt}.g722`),
      '-af', `atrim=${from}:${from + seconds},asetpts=N/SR/TB,adelay=${1000 * LEAD},apad=pad_dur=${TAIL}`,
      '-ar', String(rate), '-ac', '1', files[rate],
    );
  }
  return files;
}
