// A client of the NG protocol over UDP: bencode, or JSON.
import { createSocket } from 'node:dgram';
import { randomInt } from 'node:crypto';

/** @param {number | string | Buffer | Array | object} value */
export function bencode(value) {
  if (typeof value === 'number') return Buffer.from(`i${value}e`);
  if (typeof value === 'string') return bencode(Buffer.from(value));
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from('l'), ...value.map(bencode), Buffer.from('e')]);
  const entries = Object.entries(value).flatMap(([key, entry]) => [bencode(key), bencode(entry)]);
  return Buffer.concat([Buffer.from('d'), ...entries, Buffer.from('e')]);
}

/** The value that the bytes write; strings as text. */
export function bdecode(bytes) {
  let at = 0;
  const number = (end) => {
    const stop = bytes.indexOf(end, at);
    const value = Number(bytes.toString('latin1', at, stop));
    at = stop + 1;
    return value;
  };
  const list = () => {
    const values = [];
    for (at += 1; bytes[at] !== 0x65;) values.push(value());
    at += 1;
    return values;
  };
  function value() {
    const type = String.fromCharCode(bytes[at]);
    if (type === 'i') {
      at += 1;
      return number('e');
    }
    if (type === 'l') return list();
    if (type === 'd') {
      const values = list();
      return Object.fromEntries(values.flatMap((key, index) => (index % 2 ? [] : [[key, values[index + 1]]])));
    }
    const length = number(':');
    at += length;
    return bytes.toString('utf8', at - length, at);
  }
  return value();
}

export class NgClient {
  /** @param {string} address of the engine */
  static async open(address, port = 2223) {
    const client = new NgClient();
    client.waiting = new Map();
    client.socket = createSocket('udp4');
    client.socket.on('message', (message) => {
      const space = message.indexOf(' ');
      client.waiting.get(message.toString('latin1', 0, space))?.(message.subarray(space + 1));
    });
    await new Promise((resolve) => { client.socket.connect(port, address, resolve); });
    client.socket.on('error', () => {});
    return client;
  }

  /** Sends a body with a new cookie. @returns {Promise<Buffer | null>} the reply's body; `null` where none came in time */
  send(body, { timeout = 2000, cookie = `e2e_${randomInt(2 ** 40)}` } = {}) {
    return new Promise((resolve) => {
      const done = (reply) => {
        clearTimeout(timer);
        this.waiting.delete(cookie);
        resolve(reply);
      };
      const timer = setTimeout(() => done(null), timeout);
      this.waiting.set(cookie, done);
      this.socket.send(Buffer.concat([Buffer.from(`${cookie} `), Buffer.from(body)]));
    });
  }

  /** Sends a request in bencode. @returns {Promise<object>} */
  async request(request, options) {
    const reply = await this.send(bencode(request), options);
    if (!reply) throw new Error(`no reply to ${request.command}`);
    return bdecode(reply);
  }

  close() {
    this.socket.close();
  }
}
