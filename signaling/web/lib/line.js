/**
 * One WebSocket to the server, watched: JSON messages, and a question now and then whether the other end is there.
 * @module
 */
import { Failure } from './failure.js';

/** How often a quiet line is asked whether it lives, in milliseconds. */
const HEARTBEAT = 15_000;
/** How long the answer to that may take. */
const ANSWER_WITHIN = 8_000;

/**
 * A message's name and its arguments.
 * @typedef {{message: string, data: any[]}} Frame
 */

/** An open WebSocket. */
export class Line {
  #socket;
  #closed;
  #heartbeat = 0;
  #deadline = 0;

  /**
   * Opens a WebSocket.
   * @param {string} url
   * @param {number} timeout in milliseconds
   * @param {{received: (frame: Frame) => void, closed: () => void}} listeners `closed` is called at most once, and never
   *   after {@link Line.close}
   * @returns {Promise<Line>}
   * @throws {Failure} `unreachable`
   */
  static open(url, timeout, listeners) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const fail = () => {
        clearTimeout(timer);
        socket.onopen = socket.onclose = null;
        socket.close();
        reject(new Failure('unreachable'));
      };
      const timer = setTimeout(fail, timeout);
      socket.onclose = fail;
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(new Line(socket, listeners));
      };
    });
  }

  /**
   * @param {WebSocket} socket open
   * @param {{received: (frame: Frame) => void, closed: () => void}} listeners
   */
  constructor(socket, { received, closed }) {
    this.#socket = socket;
    this.#closed = closed;
    socket.onmessage = ({ data }) => {
      this.#alive();
      const { message, data: values = [] } = JSON.parse(data);
      if (message === 'ping') this.send('pong');
      else received({ message, data: values });
    };
    socket.onclose = () => this.#lost();
    this.#heartbeat = setInterval(() => this.probe(), HEARTBEAT);
  }

  /**
   * @param {string} message
   * @param {unknown} [argument]
   */
  send(message, argument) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(argument === undefined ? { message } : { message, data: [argument] }));
  }

  /**
   * Asks whether the other end is there. A socket whose path is gone may stay open for hours; a missing answer tells.
   * @param {number} [within] milliseconds for the answer
   */
  probe(within = ANSWER_WITHIN) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost(), within);
    this.send('ping');
  }

  /** Closes it; what was sent before still arrives. */
  close() {
    this.#stop();
    this.#socket.close(1000);
  }

  #alive() {
    clearTimeout(this.#deadline);
    this.#deadline = 0;
  }

  #stop() {
    this.#alive();
    clearInterval(this.#heartbeat);
    this.#socket.onmessage = this.#socket.onclose = null;
  }

  #lost() {
    this.#stop();
    this.#socket.close();
    this.#closed();
  }
}
