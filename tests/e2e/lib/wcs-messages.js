// A client of WCS 3 as its protocol describes it, for messages and subscriptions: a WebSocket in a page.
import { SipPage } from './sip-page.js';
import { until } from './wait.js';

export class WcsSocket {
  /** @param {import('./world.js').World} world */
  static async open(world) {
    const socket = new WcsSocket();
    socket.page = await SipPage.open(world, 'jssip', { tone: 0 });
    return socket;
  }

  /** Connects and logs in. What comes is kept; each message is told to be taken. */
  async login({ user, password, domain }) {
    this.user = user;
    await this.page.page.evaluate(({ server, ...account }) => new Promise((resolve, reject) => {
      const socket = new WebSocket(server);
      const client = { frames: [], socket };
      client.say = (message, data) => socket.send(JSON.stringify({ message, data: [data] }));
      window.wcs = client;
      socket.onopen = () => client.say('connect', {
        login: account.user, password: account.password, authenticationName: account.user, domain: account.domain,
        outboundProxy: account.domain, port: 5060, useProxy: false, registerRequired: true,
      });
      socket.onerror = () => reject(new Error('the WebSocket failed'));
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        client.frames.push(frame);
        if (frame.message === 'registered') resolve();
        if (frame.message === 'fail') reject(new Error(data));
        if (frame.message === 'ping') socket.send('{"message":"pong"}');
        const [message, result] = frame.data ?? [];
        if (frame.message === 'notifyMessage' && message.state === 'RECEIVED') {
          client.say('notificationResult', { ...result, status: 'OK' });
        }
      };
    }), { server: this.page.server, user, password, domain });
  }

  say(message, data) {
    return this.page.page.evaluate(([name, argument]) => window.wcs.say(name, argument), [message, data]);
  }

  /** The first arguments of the messages of this name. */
  frames(name) {
    return this.page.page.evaluate((wanted) => window.wcs.frames.filter(({ message }) => message === wanted).map(({ data }) => data[0]), name);
  }

  /** Sends a message, and waits until it is on its way. @returns {Promise<string>} its identifier */
  async write(to, body, { notify = false } = {}) {
    this.last = (this.last ?? 0) + 1;
    const id = `message ${this.last}`;
    await this.say('sendInstantMessage', { id, from: this.user, to, body, contentType: 'text/plain', deliveryNotification: notify });
    await until(`${id} is on its way`, async () => (await this.states(id)).includes('SENT'));
    return id;
  }

  /** What became of a message, in order. */
  async states(id) {
    return (await this.frames('notifyMessage')).filter((message) => message.id === id).map(({ state }) => state);
  }

  /** The texts that came. */
  async messages() {
    return (await this.frames('notifyMessage')).filter(({ state }) => state === 'RECEIVED').map(({ body }) => body);
  }

  async close() {
    await this.page.page.evaluate(() => window.wcs.socket.close()).catch(() => {});
    await this.page.close();
  }
}
