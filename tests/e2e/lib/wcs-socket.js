// A WebSocket without a browser, which says what it likes of where it comes from.
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { until } from './wait.js';

/** One text frame; those of clients are masked (RFC 6455 section 5.3), by nothing here. */
function frame(text) {
  const payload = Buffer.from(text);
  const length = payload.length < 126 ? Buffer.from([payload.length | 0x80]) : Buffer.from([126 | 0x80, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([Buffer.from([0x81]), length, Buffer.alloc(4), payload]);
}

/** A connection on the WCS protocol. */
export class WcsSocket {
  /** Every message that came, as text. @type {string[]} */
  frames = [];
  #received = Buffer.alloc(0);

  /** @param {string} url of the server's pages @param {string} [origin] of the page that this pretends to be */
  static open(url, origin) {
    return new Promise((resolve, reject) => {
      const upgrade = request(url, {
        headers: {
          Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13,
          'Sec-WebSocket-Key': randomBytes(16).toString('base64'), ...(origin ? { Origin: origin } : {}),
        },
      });
      upgrade.on('upgrade', (_response, socket, head) => {
        const opened = new WcsSocket();
        opened.socket = socket;
        socket.on('data', (bytes) => opened.#receive(bytes));
        socket.on('error', () => {});
        opened.#receive(head);
        resolve(opened);
      });
      upgrade.on('error', reject);
      upgrade.end();
    });
  }

  #receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      if (this.#received.length < 2) return;
      const [first, short] = this.#received;
      const [begin, length] = short < 126 ? [2, short] : [4, this.#received.length < 4 ? Infinity : this.#received.readUInt16BE(2)];
      if (this.#received.length < begin + length) return;
      if ((first & 0xf) === 1) this.frames.push(this.#received.toString('utf8', begin, begin + length));
      this.#received = this.#received.subarray(begin + length);
    }
  }

  send(message, ...data) {
    this.socket.write(frame(JSON.stringify({ message, data })));
  }

  /** Waits for a message, and returns its arguments. */
  async message(name) {
    const text = await until(`message ${name}`, () => this.frames.find((each) => JSON.parse(each).message === name));
    return JSON.parse(text).data;
  }

  close() {
    this.socket.destroy();
  }
}
