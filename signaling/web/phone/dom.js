/**
 * Small helpers for the document.
 * @module
 */

/**
 * @param {string} id
 * @returns {any} the element
 */
export const $ = (id) => document.getElementById(id);

/**
 * Makes an element.
 * @param {string} tag
 * @param {Record<string, unknown>} properties as the element has them; names with a dash are attributes
 * @param {...(Node | string)} children
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-')) made.setAttribute(name, String(value));
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

/** @param {string} name of a symbol in index.html, without its `i-` */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Another picture for a button.
 * @param {Element} button
 * @param {string} name
 */
export function setIcon(button, name) {
  const use = button.querySelector('use');
  if (use?.getAttribute('href') !== `#i-${name}`) use?.setAttribute('href', `#i-${name}`);
}

/**
 * Tells the user something, below everything else; screen readers say it.
 * @param {string} text
 * @param {boolean} [bad]
 */
export function say(text, bad = false) {
  $('message').textContent = text;
  $('message').classList.toggle('bad', bad);
}

/** Whether the user writes something at the moment, and should not lose the focus. */
export function isWriting() {
  const active = document.activeElement;
  return Boolean(active?.matches('input, textarea, select') || active?.closest('dialog'))
    && active?.id !== 'callee';
}

/** Whether fields may be focused without a keyboard springing up from the screen. */
export const hasKeyboard = () => !matchMedia('(pointer: coarse)').matches;

/**
 * A time as people say it: the hour today, else the day.
 * @param {Date} date
 */
export function shortTime(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString([], { timeStyle: 'short' })
    : date.toLocaleDateString([], { day: 'numeric', month: 'short' });
}

/**
 * @param {number} seconds
 * @returns {string} `mm:ss` or `h:mm:ss`
 */
export function duration(seconds) {
  const parts = [Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60].map((part) => String(part).padStart(2, '0'));
  if (seconds >= 3600) parts.unshift(String(Math.floor(seconds / 3600)));
  return parts.join(':');
}
