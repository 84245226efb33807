/**
 * The far end's picture, our own in its corner, and full screen.
 * @module
 */
import { $, setIcon } from './dom.js';

/** Shows the far end's picture as large as the screen, or as before. */
export function installPictures() {
  $('full-screen').hidden = !document.fullscreenEnabled;
  $('full-screen').onclick = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else $('phone').requestFullscreen().catch(() => {});
  };
  document.addEventListener('fullscreenchange', () => {
    const isFull = Boolean(document.fullscreenElement);
    const label = isFull ? 'Leave full screen' : 'Full screen';
    setIcon($('full-screen'), isFull ? 'shrink' : 'expand');
    $('full-screen').setAttribute('aria-label', label);
    $('full-screen').title = label;
  });
}

/**
 * @param {import('../lib/index.js').Call} [call]
 * @param {boolean} [isCovered] something else needs the space
 */
export function showPictures(call, isCovered = false) {
  const isConnected = call?.state === 'talking' || call?.state === 'answering' || call?.earlyMedia;
  const theirs = isConnected && call.isReceivingVideo && !call.held ? call.remote : undefined;
  const ours = call && !call.held ? call.camera : undefined;
  const hasPictures = Boolean(theirs || ours) && !isCovered;
  show($('remote'), theirs ?? null);
  show($('self'), ours ?? null);
  $('self').hidden = !ours;
  $('pictures').hidden = !hasPictures;
  $('pictures').dataset.theirs = String(Boolean(theirs));
  document.body.classList.toggle('has-pictures', hasPictures);
  if (!hasPictures && document.fullscreenElement) document.exitFullscreen();
}

/**
 * The sound comes from an element of its own (ringer.js), so that it goes on where no picture is shown.
 * @param {HTMLVideoElement} video
 * @param {MediaStream | null} stream
 */
function show(video, stream) {
  video.muted = true;
  if (video.srcObject !== stream) video.srcObject = stream;
}
