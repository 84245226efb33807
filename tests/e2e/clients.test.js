// Promise: clients that others wrote work unchanged.
import { after } from 'node:test';
import { SipPage } from './lib/sip-page.js';
import { DOMAIN, PASSWORD } from './lib/tandem.js';
import { until } from './lib/wait.js';
import { World } from './lib/world.js';

const world = await World.create('clients');
after(() => world.close());

async function client(library, user, tone) {
  const page = world.keep(await SipPage.open(world, library, { tone }));
  await page.register({ user, password: PASSWORD, domain: DOMAIN });
  return page;
}

/** Nobody hangs up before both have heard each other. */
function hearEachOther(one, toneOfOne, other, toneOfOther) {
  return Promise.all([one.hears(toneOfOther), other.hears(toneOfOne)]);
}

async function bothHear(caller, callerTone, callee, calleeTone) {
  await Promise.all([caller.talking(), callee.talking()]);
  await hearEachOther(caller, callerTone, callee, calleeTone);
}

world.test('JsSIP and SIP.js call each other', async () => {
  const jssip = await client('jssip', 'alice', 440);
  const sipjs = await client('sipjs', 'bob', 1000);
  await jssip.call(`sip:bob@${DOMAIN}`);
  await sipjs.answer();
  await bothHear(jssip, 440, sipjs, 1000);
  await jssip.hangup();
  await sipjs.state('ended');
  await sipjs.call(`sip:alice@${DOMAIN}`);
  await jssip.answer();
  await bothHear(sipjs, 1000, jssip, 440);
  await sipjs.hangup();
  await jssip.state('ended');
});

world.test('SIP.js is told where its user is registered, and of the calls of somebody else', async () => {
  const sipjs = await client('sipjs', 'bob', 1000);
  const watch = (user, event) => sipjs.page.evaluate((of) => window.client.watch(...of), [`sip:${user}@${DOMAIN}`, event]);
  /** Waits until the newest document of an event has so many elements of this kind, and these words. */
  const told = (event, element, count, words = '') => until(`${event} tells of ${count} ${element} ${words}`, async () => {
    const document = await sipjs.page.evaluate((of) => window.client.told[of].at(-1), event);
    return document?.split(`<${element} `).length === count + 1 && document.includes(words);
  });
  await watch('bob', 'reg');
  await told('reg', 'contact', 1);
  const telephone = await world.telephone({ user: 'bob', tone: 1000 });
  await told('reg', 'contact', 2, telephone.host.address);
  // It ends its registration.
  await telephone.stop();
  await told('reg', 'contact', 1);

  await watch('alice', 'dialog');
  await told('dialog', 'dialog', 0);
  const page = await world.phone({ user: 'alice', tone: 440 });
  await world.telephone({ user: 'carol', tone: 700 });
  await page.dial('carol');
  await told('dialog', 'dialog', 1, 'direction="initiator"><state>confirmed</state>');
  await page.hangup();
  await told('dialog', 'dialog', 0);
});

world.test('JsSIP calls the phone page', async () => {
  const jssip = await client('jssip', 'alice', 440);
  const page = await world.phone({ user: 'bob', tone: 1000 });
  await jssip.call(`sip:bob@${DOMAIN}`);
  await page.answer();
  await hearEachOther(jssip, 440, page, 1000);
  await page.hangup();
  await jssip.state('ended');
});

world.test('the unmodified @flashphoner/websdk calls a telephone, and is called', async () => {
  const telephone = await world.telephone({ user: 'carol', tone: 1000 });
  const websdk = await client('websdk', 'alice', 440);
  await websdk.call('carol');
  await websdk.talking();
  await hearEachOther(websdk, 440, telephone, 1000);
  await websdk.hangup();
  await telephone.event('CALL_CLOSED');

  telephone.dial('alice');
  await websdk.answer();
  await websdk.talking();
  await hearEachOther(websdk, 440, telephone, 1000);
  telephone.hangup();
  await websdk.state('ended');
  await telephone.event('CALL_CLOSED');
});

world.test('a telephone behind a NAT calls a page, and is called', async () => {
  const host = world.network.hostBehindNat();
  host.mapTo('40000-49999');
  const telephone = await world.telephone({ user: 'carol', tone: 1000, host });
  const page = await world.phone({ user: 'alice', tone: 440 });
  await page.dial('carol');
  await page.state('talking');
  await hearEachOther(page, 440, telephone, 1000);
  await page.hangup();
  await telephone.event('CALL_CLOSED');

  telephone.dial('alice');
  await page.answer();
  await page.state('talking');
  await hearEachOther(page, 440, telephone, 1000);
  await page.hangup();
  await telephone.event('CALL_CLOSED');
});
