/**
 * What the browser keeps. Where it keeps nothing (private windows, a full disk), the page works without.
 * @module
 */

const PREFIX = 'tandem.';

/**
 * @template Value
 * @param {string} name
 * @param {Value} fallback
 * @returns {Value}
 */
export function load(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name) ?? 'null') ?? fallback;
  } catch {
    return fallback;
  }
}

/**
 * @param {string} name
 * @param {unknown} value `undefined`: forget it
 */
export function save(name, value) {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // It is not kept then.
  }
}
