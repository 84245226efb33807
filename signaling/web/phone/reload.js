/**
 * A network that changes while the page is loaded breaks off some of its scripts, and a module without one of its parts does
 * not run at all: then the page is loaded again. Not a module itself, so that it is there before they are.
 */
(() => {
  const KEY = 'tandem.reloads';
  const MOST = 5;
  /** Until the network has settled, in milliseconds. */
  const PAUSE = 1000;

  addEventListener('error', ({ target }) => {
    if (!(target instanceof HTMLScriptElement)) return;
    const reloads = Number(sessionStorage.getItem(KEY)) + 1;
    sessionStorage.setItem(KEY, String(reloads));
    if (reloads <= MOST) setTimeout(() => location.reload(), PAUSE);
    else document.getElementById('message').textContent = 'The page could not be loaded whole. Load it again.';
  }, true);
  addEventListener('load', () => {
    if (!document.getElementById('login-button').disabled) sessionStorage.removeItem(KEY);
  });
})();
