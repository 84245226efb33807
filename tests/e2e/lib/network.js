// A network of its own for each test file: a bridge with an address for Tandem and the browser, and one network
// namespace for each telephone and provider (with several addresses in one namespace, baresip mistakes its own).
import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';

export const isRoot = process.getuid() === 0;

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The address of whoever is behind a router. */
const INSIDE = '192.168.77.2';

/** A bridge, `address` on it, and namespaces behind it. */
export class Network {
  #undo = [];
  #hosts = 1;

  constructor() {
    this.id = randomInt(0x10000).toString(16).padStart(4, '0');
    this.prefix = `10.${randomInt(64, 128)}.${randomInt(256)}`;
    this.address = `${this.prefix}.1`;
    this.bridge = `td${this.id}`;
    this.#run(['link', 'add', this.bridge, 'type', 'bridge'], ['link', 'del', this.bridge]);
    // Left alone, a bridge takes the least address of its ports, and changes it when a port is added: whoever has asked for
    // the old one then sends into the void for up to half a minute.
    ip('link', 'set', this.bridge, 'address', `02:54:44:${randomBytes(3).toString('hex').match(/../g).join(':')}`);
    ip('addr', 'add', `${this.address}/24`, 'dev', this.bridge);
    ip('link', 'set', this.bridge, 'up');
    this.onExit = () => this.remove();
    process.once('exit', this.onExit);
  }

  #run(command, undo) {
    ip(...command);
    this.#undo.unshift(undo);
  }

  /** A bare namespace, without a link. */
  #namespace() {
    const name = `td${this.id}n${this.#hosts}`;
    this.#run(['netns', 'add', name], ['netns', 'del', name]);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    return name;
  }

  /** A new namespace with an address on the bridge. */
  host() {
    this.#hosts += 1;
    const namespace = this.#namespace();
    const address = `${this.prefix}.${this.#hosts}`;
    const outer = `td${this.id}v${this.#hosts}`;
    this.#run(['link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace], ['link', 'del', outer]);
    ip('link', 'set', outer, 'master', this.bridge, 'up');
    ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'route', 'add', 'default', 'via', this.address);
    return new Host(namespace, address);
  }

  /** A new namespace behind a router that translates addresses (NAT). */
  hostBehindNat() {
    const { router, namespace } = this.#behindRouter();
    router.run('iptables', '-t', 'nat', '-A', 'POSTROUTING', '-p', 'tcp', '-o', 'eth0', '-j', 'MASQUERADE');
    router.run('iptables', '-t', 'nat', '-A', 'PREROUTING', '-p', 'tcp', '-i', 'eth0', '-j', 'DNAT', '--to', INSIDE);
    return new HostBehindNat(namespace, INSIDE, router);
  }

  /**
   * A new namespace behind a router that translates addresses and sends what comes to these ports of its own to it.
   * @param {{tcp?: string[], udp?: string[]}} forwarded ports, or ranges as `first:last`
   * @returns {Host} with its `router`
   */
  serverBehindNat({ tcp = [], udp = [] }) {
    const { router, namespace } = this.#behindRouter();
    router.run('iptables', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'eth0', '-j', 'MASQUERADE');
    for (const [protocol, ports] of [...tcp.map((each) => ['tcp', each]), ...udp.map((each) => ['udp', each])]) {
      router.run('iptables', '-t', 'nat', '-A', 'PREROUTING', '-p', protocol, '-i', 'eth0', '--dport', ports,
        '-j', 'DNAT', '--to', INSIDE);
    }
    const host = new Host(namespace, INSIDE);
    host.router = router;
    return host;
  }

  #behindRouter() {
    const router = this.host();
    this.#hosts += 1;
    const namespace = this.#namespace();
    ip('-n', router.namespace, 'link', 'add', 'inside', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('-n', router.namespace, 'addr', 'add', '192.168.77.1/24', 'dev', 'inside');
    ip('-n', router.namespace, 'link', 'set', 'inside', 'up');
    ip('-n', namespace, 'addr', 'add', `${INSIDE}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'route', 'add', 'default', 'via', '192.168.77.1');
    router.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    return { router, namespace };
  }

  remove() {
    process.removeListener('exit', this.onExit);
    for (const command of this.#undo.splice(0)) {
      try {
        ip(...command);
      } catch {
        // Already gone: a link goes with its namespace.
      }
    }
  }
}

/** A network namespace. */
export class Host {
  constructor(namespace, address) {
    this.namespace = namespace;
    this.address = address;
    /** Where TCP from outside reaches it. */
    this.reachedAt = address;
  }

  /** The command that runs `command` here. */
  inside(...command) {
    return ['ip', 'netns', 'exec', this.namespace, ...command];
  }

  /** Runs a command to its end. */
  run(...command) {
    const [program, ...args] = this.inside(...command);
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

/** A namespace whose UDP reaches the world from ports that {@link HostBehindNat.mapTo} chooses. */
export class HostBehindNat extends Host {
  #rule;

  constructor(namespace, address, router) {
    super(namespace, address);
    this.reachedAt = router.address;
    this.router = router;
  }

  /**
   * Gives every UDP flow a new source port in the range, as a router does that lost its table. TCP goes on.
   * @param {string} ports `first-last`
   */
  mapTo(ports) {
    const { router } = this;
    const before = this.#rule;
    this.#rule = ['POSTROUTING', '-p', 'udp', '-o', 'eth0', '-j', 'MASQUERADE', '--to-ports', ports];
    router.run('iptables', '-t', 'nat', '-A', ...this.#rule);
    if (!before) return;
    router.run('iptables', '-t', 'nat', '-D', ...before);
    // It fails where no flow is there to be forgotten.
    router.run('conntrack', '-D', '-p', 'udp');
  }
}
