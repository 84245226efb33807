// A provider as tests of accounts have it: Kamailio, and a telephone registered there.
import { PROVIDER_DOMAIN, PROVIDER_PASSWORD, startKamailio } from './kamailio.js';

/** The domain and the password of everybody there. */
export const PROVIDER = { domain: PROVIDER_DOMAIN, password: PROVIDER_PASSWORD };
export const PHONE_TONE = 1000;

/**
 * Starts a provider and its telephone `phone`.
 * @param {import('./world.js').World} world
 * @returns what an account there has, without its user, and the telephone
 */
export async function atProvider(world) {
  const host = world.network.host();
  world.keep(await startKamailio({ directory: world.directory, host }));
  const telephone = await world.telephone({ user: 'phone', tone: PHONE_TONE, server: host.address, ...PROVIDER });
  return { telephone, account: { ...PROVIDER, proxy: host.address } };
}
