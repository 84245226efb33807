// Waiting for conditions. Nothing in these tests waits for a fixed time in the hope that something has happened by then.
import { setTimeout as pause } from 'node:timers/promises';

export { pause };

/**
 * Polls until `condition` returns something truthy, which is returned.
 * @template T
 * @param {string} what named in the error
 * @param {() => T | Promise<T>} condition
 * @param {{timeout?: number, interval?: number}} [options] in milliseconds
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, condition, { timeout = 10_000, interval = 50 } = {}) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`timed out after ${timeout} ms: ${what}`);
    await pause(interval);
  }
}
