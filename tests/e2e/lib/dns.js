// A name server with a few records: SRV and A.
import { createSocket } from 'node:dgram';

const TYPES = { A: 1, SRV: 33 };
const NO_SUCH_NAME = 3;

/** A name as labels, each with its length. */
function encode(name) {
  const labels = name.split('.').filter(Boolean).map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function decode(message) {
  const labels = [];
  let at = 12;
  while (message[at]) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
    at += 1 + message[at];
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function data(record) {
  if (record.type === 'A') return Buffer.from(record.address.split('.').map(Number));
  const numbers = Buffer.alloc(6);
  numbers.writeUInt16BE(record.priority, 0);
  numbers.writeUInt16BE(record.weight ?? 0, 2);
  numbers.writeUInt16BE(record.port, 4);
  return Buffer.concat([numbers, encode(record.target)]);
}

export class NameServer {
  /** Everything that was asked: `name type`. */
  asked = [];

  /**
   * @param {string} address where it listens, on port 53
   * @param {{name: string, type: 'A' | 'SRV', address?: string, priority?: number, weight?: number, port?: number, target?: string}[]} records
   */
  static async start(address, records) {
    const server = new NameServer();
    server.records = records;
    server.socket = createSocket('udp4');
    server.socket.on('message', (message, { port, address: from }) => server.socket.send(server.#answer(message), port, from));
    await new Promise((resolve, reject) => {
      server.socket.once('error', reject);
      server.socket.bind(53, address, resolve);
    });
    return server;
  }

  #answer(message) {
    const { name, type, end } = decode(message);
    this.asked.push(`${name} ${type}`);
    const ofName = this.records.filter((record) => record.name === name);
    const answers = ofName.filter((record) => TYPES[record.type] === type).map((record) => {
      const fixed = Buffer.alloc(12);
      fixed.writeUInt16BE(0xc00c, 0); // the name of the question
      fixed.writeUInt16BE(type, 2);
      fixed.writeUInt16BE(1, 4); // IN
      fixed.writeUInt32BE(60, 6); // seconds to live
      const value = data(record);
      fixed.writeUInt16BE(value.length, 10);
      return Buffer.concat([fixed, value]);
    });
    const header = Buffer.alloc(12);
    message.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8580 | (ofName.length ? 0 : NO_SUCH_NAME), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    return Buffer.concat([header, message.subarray(12, end), ...answers]);
  }

  close() {
    return new Promise((resolve) => { this.socket.close(resolve); });
  }
}
