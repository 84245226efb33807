/**
 * Events with typed details.
 * @module
 */

/**
 * Something that happens is told to whoever asked.
 * @template {Record<string, unknown>} Events the events' names, and what each brings
 */
export class Emitter {
  /** @type {Map<keyof Events, Set<(detail: any) => void>>} */
  #listeners = new Map();

  /**
   * Listens to an event.
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(detail: Events[Name]) => void} listener
   * @returns {() => void} ends the listening
   */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => { listeners.delete(listener); };
  }

  /**
   * Tells the listeners. One that fails keeps nothing from the others.
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name]} detail
   * @protected
   */
  emit(name, detail) {
    for (const listener of [...this.#listeners.get(name) ?? []]) {
      try {
        listener(detail);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
