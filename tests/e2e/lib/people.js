// Local users with the tones by which they are known, and what two of them do on the page.

export const alice = { user: 'alice', tone: 440 };
export const bob = { user: 'bob', tone: 1000 };
export const carol = { user: 'carol', tone: 700 };

/** One page calls `name`, who is on the other page and answers. */
export async function talk(caller, callee, name) {
  await caller.dial(name);
  await callee.answer();
  await Promise.all([caller.state('talking'), callee.state('talking')]);
}

/** Both hear each other's tone. */
export const hear = (one, oneTone, other, otherTone) => Promise.all([one.hears(otherTone), other.hears(oneTone)]);
