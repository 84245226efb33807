// A server at the other end of a WebSocket, both in this process. Time is what {@link pass} gives.
/** Every WebSocket that was opened, the latest last. @type {Socket[]} */
export const sockets = [];

/** Whether new WebSockets are accepted; otherwise nothing answers. */
export const network = { isThere: true };

/** Stands in for the browser's WebSocket. */
class Socket {
  static OPEN = 1;

  constructor(url) {
    this.url = url;
    this.readyState = 0;
    /** What the client said: names, and arguments by name. */
    this.said = [];
    sockets.push(this);
    queueMicrotask(() => {
      if (!network.isThere || this.readyState !== 0) return;
      this.readyState = Socket.OPEN;
      this.onopen?.();
    });
  }

  send(text) {
    const { message, data = [] } = JSON.parse(text);
    this.said.push({ message, argument: data[0] });
  }

  close() {
    this.readyState = 3;
  }

  /** The arguments of every message of this name that the client sent here. */
  heard(message) {
    return this.said.filter((each) => each.message === message).map(({ argument }) => argument);
  }

  /** The server says something. */
  async tell(message, ...data) {
    this.onmessage?.({ data: JSON.stringify({ message, data }) });
    await settle();
  }

  /** The connection breaks, and both ends see it. */
  async drop() {
    this.readyState = 3;
    this.onclose?.();
    await settle();
  }
}

/** Lets everything that is due now happen. */
export async function settle() {
  for (let round = 0; round < 20; round += 1) await Promise.resolve();
}

let now = 0;
/** When each is due, what to do then, and how often. @type {Map<number, {at: number, act: () => void, every: number}>} */
const timers = new Map();
let lastTimer = 0;

function addTimer(act, milliseconds, every) {
  lastTimer += 1;
  timers.set(lastTimer, { at: now + milliseconds, act, every });
  return lastTimer;
}

/** Time goes by. @param {number} milliseconds */
export async function pass(milliseconds) {
  const until = now + milliseconds;
  for (;;) {
    const [first] = [...timers].filter(([, { at }]) => at <= until).sort(([, one], [, other]) => one.at - other.at);
    if (!first) break;
    const [id, { at, act, every }] = first;
    now = at;
    if (every) timers.set(id, { at: at + every, act, every });
    else timers.delete(id);
    act();
    await settle();
  }
  now = until;
}

/** Before each test. */
export function reset() {
  sockets.length = 0;
  network.isThere = true;
  timers.clear();
  Object.assign(globalThis, {
    WebSocket: Socket,
    location: new URL('https://shop.example/contact'),
    setTimeout: (act, milliseconds) => addTimer(act, milliseconds, 0),
    setInterval: (act, milliseconds) => addTimer(act, milliseconds, milliseconds),
    clearTimeout: (id) => timers.delete(id),
    clearInterval: (id) => timers.delete(id),
  });
}
