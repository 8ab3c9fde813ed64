// Owns the test of tokens that say nothing: mcpwrap asks the provider about each (RFC 7662), and a token that is
// withdrawn ends its streams, and the child of its user when he has no other.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, test } from './harness.mjs';
import { identityProvider } from './fixtures/identity.mjs';
import { SDKS, connect, getMe, logIn, post } from './serve-clients.mjs';
import { descendants, disguises, freePort, servers, start } from './serve-world.mjs';

/** An answer is believed for a minute, and looked at every five seconds. */
const WITHDRAWN_MS = 90_000;

/** Withdraws tokens and resolves with the test of what came of it, so that others can be tested until then. */
export async function testOpaque(around) {
  const serve = (name, body) => test(`serve, opaque tokens: ${name}`, body, WITHDRAWN_MS + 30_000);
  const checker = { id: 'mcpwrap:checker', secret: randomBytes(24).toString('base64') };
  const secretFile = join(mkdtempSync(join(around.dir, 'opaque-')), 'secret');
  writeFileSync(secretFile, `${checker.secret}\n`, { mode: 0o600 });
  const provider = await identityProvider(await freePort(), checker);
  around.also(provider.stop);
  const people = {};
  const streams = {};
  let mcpwrap;
  const childOf = name =>
    servers(mcpwrap.pid).filter(one => one.environ.includes(`GITHUB_PERSONAL_ACCESS_TOKEN=${around.tokens[name]}`));

  /** A stream for what the server has to say, on a session of its own; `ended` says when it did. */
  const listen = async name => {
    const { bearer } = people[name];
    const { headers } = await post(mcpwrap.url, { bearer });
    const stop = new AbortController();
    const response = await fetch(mcpwrap.url, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${bearer}`, 'mcp-session-id': headers.get('mcp-session-id') },
      signal: stop.signal,
    });
    assert.equal(response.status, 200);
    const stream = { ended: false, stop: () => stop.abort() };
    const read = async () => {
      for await (const _ of response.body);
    };
    void read().catch(() => undefined).finally(() => (stream.ended = true));
    return stream;
  };

  await serve('get_me is alice for Alice, and bob for Bob with each of his tokens', async () => {
    const options = [
      '--isolation', 'strict', '--uid-range', '200000-200100',
      '--introspection-client-id', checker.id, '--introspection-client-secret-file', secretFile,
    ];
    mcpwrap = await start(around, { options, issuer: provider.issuer });
    for (const [key, name, sdk] of [['alice', 'alice', SDKS.legacy], ['bob', 'bob', SDKS.modern], ['bobToo', 'bob', SDKS.legacy]]) {
      people[key] = await logIn(mcpwrap.url, name, sdk);
      assert.ok(!people[key].bearer.includes('.'), 'it is not signed');
      const { client } = await connect(mcpwrap.url, people[key], sdk);
      assert.equal((await getMe(client)).login, name);
      streams[key] = await listen(key);
    }
  });
  await serve('a token that nobody gave out is refused', async () => {
    const refused = await post(mcpwrap.url, { bearer: randomBytes(32).toString('base64url') });
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get('www-authenticate'), /error="invalid_token"/);
  });
  if (streams.bobToo) {
    await serve('Alice withdraws hers, and Bob one of his two', async () => {
      for (const name of ['alice', 'bob']) assert.ok(childOf(name).length > 0, name);
      for (const key of ['alice', 'bobToo']) await people[key].revoke(provider.issuer);
    });
  }

  return async () => {
    if (streams.bobToo) {
      await serve('a withdrawn token ends its streams, and is refused', async () => {
        await eventually(() => streams.alice.ended, ended => ended, "the end of Alice's stream", WITHDRAWN_MS);
        const refused = await post(mcpwrap.url, { bearer: people.alice.bearer });
        assert.equal(refused.status, 401);
        assert.match(refused.headers.get('www-authenticate'), /error="invalid_token"/);
      });
      await serve('the child ends when no living token authorises it', async () => {
        await eventually(() => childOf('alice').length, left => left === 0, "the end of Alice's child");
      });
      await serve("Bob's other token keeps its stream and his child", async () => {
        await eventually(() => streams.bobToo.ended, ended => ended, "the end of Bob's second stream", WITHDRAWN_MS);
        assert.equal(streams.bob.ended, false);
        assert.ok(childOf('bob').length > 0);
        const { client } = await connect(mcpwrap.url, people.bob, SDKS.modern);
        assert.equal((await getMe(client)).login, 'bob');
      });
      await serve('neither a token nor the secret of the client stands in a log or a child', async () => {
        const text = [...mcpwrap.log, ...mcpwrap.records().map(one => JSON.stringify(one))].join('\n');
        const secrets = [checker.secret, ...Object.values(people).map(person => person.bearer)];
        for (const secret of secrets) for (const form of disguises(secret)) assert.ok(!text.includes(form));
        for (const { environ, argv } of descendants(mcpwrap.pid)) {
          for (const secret of secrets) assert.ok(![...environ, ...argv].join('\n').includes(secret), `${argv}`);
        }
      });
    }
    for (const stream of Object.values(streams)) stream.stop();
    await mcpwrap?.stop('SIGKILL');
  };
}
