// A web site of somebody else's, who puts Tandem's widget on a page: another origin, with style sheets and a
// Content-Security-Policy of its own.
import { createServer } from 'node:http';

/** Rules that would ruin a widget which they reach. */
const HOSTILE_STYLE = 'button, section, p, h2 { display: none !important; } * { font: 60px fantasy !important; }';

/**
 * What a site with a strict policy must allow for the widget: its script, its WebSocket, and nothing inline.
 * @param {string} gateway its origin
 */
function policy(gateway) {
  return `default-src 'none'; script-src ${gateway}; connect-src ${gateway.replace(/^http/, 'ws')}; style-src 'self'; `
    + "media-src 'self' blob:; require-trusted-types-for 'script'; base-uri 'none'";
}

export class ForeignPage {
  /**
   * @param {{address: string, port: number, gateway: string}} options where it listens; the gateway's origin
   */
  static async start({ address, port, gateway }) {
    const site = new ForeignPage();
    site.gateway = gateway;
    site.origin = `http://${address}:${port}`;
    site.server = createServer((request, response) => site.#answer(new URL(request.url, site.origin), response));
    await new Promise((resolve, reject) => {
      site.server.once('error', reject);
      site.server.listen(port, address, resolve);
    });
    return site;
  }

  /**
   * The address of a page with a widget.
   * @param {Record<string, string>} attributes without `data-`
   * @param {{hostile?: boolean}} [options] `hostile`: whether its style sheet is
   */
  page(attributes, { hostile = true } = {}) {
    return `${this.origin}/${hostile ? 'hostile' : 'plain'}?${new URLSearchParams(attributes)}`;
  }

  #answer({ pathname, searchParams }, response) {
    if (pathname === '/style.css') {
      response.writeHead(200, { 'content-type': 'text/css' }).end(HOSTILE_STYLE);
      return;
    }
    if (pathname !== '/hostile' && pathname !== '/plain') {
      response.writeHead(404).end();
      return;
    }
    const data = [...searchParams].map(([name, value]) => ` data-${name}="${value}"`).join('');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy(this.gateway) });
    response.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
${pathname === '/hostile' ? '<link rel="stylesheet" href="/style.css">' : ''}
<script async src="${this.gateway}/widget.js"${data}></script></head>
<body><main><h1>A shop</h1><p>Things.</p><button>Buy</button></main></body></html>`);
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => { this.server.close(resolve); });
  }
}
