/**
 * How the widget looks. A page changes it by custom properties on `tandem-call`: `--tandem-accent`, `--tandem-on-accent`,
 * `--tandem-surface`, `--tandem-text`, `--tandem-radius`, `--tandem-font`; and by `theme="light"` or `theme="dark"`.
 *
 * Nothing else of the page reaches in here, and nothing here reaches the page: it is the style of a shadow tree. Lengths are
 * in `em` of the visitor's own text size, as `rem` would be the page's.
 * @module
 */
export const STYLE = `
:host { display: inline-block; }
:host([place="corner"]) {
  position: fixed;
  inset: auto max(16px, env(safe-area-inset-right)) max(16px, env(safe-area-inset-bottom)) auto;
  z-index: 2147483000;
}
/* The host itself is the page's to style; what it inherits ends here. */
.root {
  all: initial;
  display: block;
  /* Light or dark as the page around it is, not as the visitor would like it elsewhere. */
  color-scheme: inherit;
  --accent: var(--tandem-accent, light-dark(#0b6e69, #4cc7be));
  --on-accent: var(--tandem-on-accent, light-dark(#fff, #06201e));
  --surface: var(--tandem-surface, light-dark(#fff, #18211f));
  --text: var(--tandem-text, light-dark(#14211f, #e8f0ee));
  --radius: var(--tandem-radius, 1em);
  --faint: color-mix(in srgb, var(--text) 68%, var(--surface));
  --line: color-mix(in srgb, var(--text) 18%, var(--surface));
  --key: color-mix(in srgb, var(--text) 7%, var(--surface));
  --pressed: color-mix(in srgb, var(--text) 20%, var(--surface));
  --bad: light-dark(#b3261e, #f1665c);
  --on-bad: light-dark(#fff, #2a0906);
  font: medium/1.4 var(--tandem-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  color: var(--text);
}
:host([theme="light"]) .root { color-scheme: light; }
:host([theme="dark"]) .root { color-scheme: dark; }
:host([hidden]) { display: none; }
*, *::before { box-sizing: border-box; }
[hidden] { display: none !important; }

button {
  font: inherit;
  color: inherit;
  margin: 0;
  border: 0;
  background: none;
  cursor: pointer;
  touch-action: manipulation;
}
button:disabled { cursor: default; opacity: .55; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
svg { display: block; width: 1.4em; height: 1.4em; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.solid { fill: currentColor; stroke: none; }

.launch {
  display: inline-flex;
  align-items: center;
  gap: .6em;
  min-height: 3em;
  padding: .5em 1.3em .5em 1.1em;
  border-radius: 3em;
  background: var(--accent);
  color: var(--on-accent);
  font-weight: 600;
  box-shadow: 0 2px 10px rgb(0 0 0 / .2);
}
.launch:hover { filter: brightness(1.08); }

.panel {
  display: flex;
  flex-direction: column;
  gap: .9em;
  width: min(20em, calc(100vw - 2em));
  padding: 1.2em;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--surface);
  box-shadow: 0 8px 30px rgb(0 0 0 / .25);
  text-align: center;
}
.name { margin: 0; font-size: 1.25em; font-weight: 600; overflow-wrap: anywhere; }
.state { margin: 0; min-height: 1.4em; color: var(--faint); }
.state.bad { color: var(--bad); }
.timer { font-variant-numeric: tabular-nums; }

.screen { position: relative; overflow: hidden; border-radius: calc(var(--radius) * .6); background: #000; aspect-ratio: 4 / 3; }
.screen video { display: block; width: 100%; height: 100%; object-fit: contain; }
.screen .self { position: absolute; inset: auto .5em .5em auto; width: 28%; height: auto; border-radius: .4em; transform: scaleX(-1); }

.keypad { display: grid; grid-template-columns: repeat(3, 1fr); gap: .4em; }
.keypad button { min-height: 2.4em; border-radius: .7em; background: var(--key); font-size: 1.15em; }
.keypad button:hover { background: var(--pressed); }

.actions { display: flex; justify-content: center; gap: .6em; }
.round { display: grid; place-items: center; width: 3em; height: 3em; border-radius: 50%; background: var(--key); }
.round:hover { background: var(--pressed); }
.round[aria-pressed="true"], .round[aria-expanded="true"] { background: var(--text); color: var(--surface); }
.hangup, .hangup:hover { background: var(--bad); color: var(--on-bad); }
.hangup:hover { filter: brightness(1.08); }
.hangup svg { transform: rotate(135deg); }
.slash { visibility: hidden; }
[aria-pressed="true"] .slash { visibility: visible; }
.again { min-height: 2.75em; padding: 0 1.1em; border-radius: 3em; background: var(--accent); color: var(--on-accent); font-weight: 600; }
.close { min-height: 2.75em; padding: 0 1.1em; border-radius: 3em; background: var(--key); }
.close:hover { background: var(--pressed); }
@media (forced-colors: active) {
  button { border: 1px solid ButtonText; }
}
`;
