// Owns the tests of clients in other languages and of other times (matrix-talkers.mjs) beyond one call: questions,
// progress, logs, a ping, and a session that outlives its child, against the fixture of either era. With DIRECT=stdio a
// client starts the server itself, which shows what it can do at all.

import assert from 'node:assert/strict';
import { DIRECT, SERVERS, eventually, finish, onEnd, skip, test, wrap } from './harness.mjs';
import { testOldLogin } from './foreign-login.mjs';
import { TALKERS } from './matrix-talkers.mjs';
import { converse } from './talk.mjs';

const isGone = pid => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};
const processOf = async client => Number(/^pid (\d+)$/.exec(await client.call('whoami'))[1]);

async function killChild(client) {
  const child = await processOf(client);
  process.kill(child, 'SIGKILL');
  await eventually(async () => isGone(child), Boolean, 'the end of the child');
  return child;
}
const logged = words => ({ log }) => JSON.stringify(log)?.includes(words);

/** What a client must manage, unless it lacks what that needs. */
const FEATURES = [
  { name: 'is answered', body: async client => assert.equal(await client.call('add', { a: 2, b: 0.5 }), '2.5') },
  {
    name: 'is asked for a form',
    needs: 'elicitation',
    body: async client =>
      assert.equal(await client.call('test_elicitation', { message: 'Well?' }), 'action=accept, content={"response":"a response"}'),
  },
  {
    name: 'is asked for a sample',
    needs: 'sampling',
    body: async client => assert.equal(await client.call('test_sampling', { prompt: 'hello' }), 'LLM response: you said hello'),
  },
  {
    name: 'is asked for its roots',
    needs: 'roots',
    body: async client => assert.match(await client.call('ask_roots'), /^file:\/\/\/tmp\/one/),
  },
  {
    name: 'is asked in several rounds',
    needs: 'elicitation',
    body: async client => assert.equal(await client.call('several_rounds'), 'a name, you said greet a name, a name'),
  },
  {
    name: 'hears of progress',
    needs: 'progress',
    body: async client => {
      assert.equal(await client.call('test_tool_with_progress'), 'progressed');
      for (const step of [0, 50, 100]) await client.heard.until(({ progress }) => progress === step, `progress ${step}`);
    },
  },
  { name: 'sets a level of logging', needs: 'levels', body: async client => assert.equal((await client.setLevel('debug')) ?? '', '') },
  {
    name: 'hears logs',
    needs: 'logs',
    body: async client => {
      assert.equal(await client.call('test_tool_with_logging'), 'logged three messages');
      await client.heard.until(logged('Tool processing data'), 'the second log message');
    },
  },
  { name: 'pings', needs: 'ping', body: async client => assert.equal((await client.ping()) ?? '', '') },
  // The last four belong together: what was so before the child was killed is so with the new one.
  {
    name: 'goes on with a new child when its own was killed',
    needs: 'mcpwrap',
    body: async (client, lacks) => {
      if (!lacks.includes('session')) await client.setLevel('error');
      const killed = await killChild(client);
      assert.notEqual(await processOf(client), killed);
      assert.equal(await client.call('add', { a: 20, b: 22 }), '42');
    },
  },
  {
    name: 'has kept its level',
    needs: 'session',
    body: async client => {
      assert.equal(await client.call('log_every_level'), 'logged');
      // The lower levels would have come before it.
      await client.heard.until(logged('at error'), 'a log message of the level');
      assert.ok(!client.heard.all.some(logged('at info')), 'it hears what is below its level');
    },
  },
  {
    name: 'is asked for a form by the new child',
    needs: 'elicitation',
    through: 'mcpwrap',
    body: async client => assert.match(await client.call('test_elicitation', { message: 'Again?' }), /^action=accept/),
  },
  {
    name: 'goes on with a third child when the second was killed, which had served',
    needs: 'mcpwrap',
    body: async client => {
      const killed = await killChild(client);
      assert.notEqual(await processOf(client), killed);
    },
  },
];

/** Only mcpwrap starts a new child, and only the era of `initialize` has a session to keep a level in. */
const lackedByAll = era => [...(DIRECT ? ['mcpwrap', 'session'] : []), ...(era === 'modern' ? ['session'] : [])];

const titled = (talker, era, fixture) => `foreign: ${talker.name} (${era}) with the ${fixture} fixture`;

async function meet(talker, era, fixture) {
  const target = DIRECT ? { command: SERVERS[fixture] } : await wrap(SERVERS[fixture]);
  try {
    const client = await converse(talker.program, target, { era });
    const who = titled(talker, era, fixture);
    const lacks = [...talker.lacks, ...(talker.lacksIf?.[DIRECT ? 'direct' : era] ?? []), ...lackedByAll(era)];
    try {
      for (const { name, needs, through, body } of FEATURES) {
        if (![needs, through].some(what => lacks.includes(what))) await test(`${who} ${name}`, () => body(client, lacks));
      }
    } finally {
      await client.end();
    }
  } finally {
    await target.stop?.();
  }
}

for (const talker of TALKERS) {
  if (talker.missing) {
    skip(`foreign: ${talker.name}`, talker.missing);
    continue;
  }
  for (const era of talker.eras) {
    for (const fixture of ['legacy', 'modern']) {
      // Only mcpwrap brings two eras together.
      if (DIRECT && era !== fixture) continue;
      const who = titled(talker, era, fixture);
      if (!FEATURES.some(({ name }) => `${who} ${name}`.includes(process.env.ONLY ?? ''))) continue;
      await meet(talker, era, fixture).catch(error => test(who, async () => {
        throw error;
      }));
    }
  }
}
if (!DIRECT) await testOldLogin();
finish('foreign');
