// Owns the test of `mcpwrap serve --idp keycloak` with a real Keycloak: what its tokens look like is what it makes of
// them, so no stand-in would do.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HERE, eventually, onEnd, skip, test } from './harness.mjs';
import { keycloak } from './fixtures/keycloak.mjs';
import { SDKS, connect, getMe, post } from './serve-clients.mjs';
import { MCPWRAP, disguises, freePort, servers, start } from './serve-world.mjs';

const FOLDER = join(HERE, '.cache/keycloak');
const APP = 'acme-app';
const CHECKER = { id: 'mcpwrap', secret: randomBytes(16).toString('hex') };
const ASKS_ALWAYS = /--introspection-when/.test(spawnSync(MCPWRAP, ['serve', '--help']).stdout);
const WITHDRAWN_MS = 40_000;
/** mcpwrap asks for an unknown key at most so often. */
const NEW_KEY_MS = 60_000;
/** The first start of a distribution on a busy machine is the slowest of all. */
const DEADLINE_MS = 180_000;

/** Begins to start Keycloak, which takes 7 to 30 seconds; resolves with why not if it cannot be had. */
export async function beginKeycloak(around) {
  if (!existsSync(join(FOLDER, 'bin/kc.sh'))) return { missing: 'Keycloak is not in .cache/keycloak: java 17, mvn and python3 are needed' };
  const port = await freePort();
  const audience = `http://127.0.0.1:${port}/mcp`;
  const apps = [
    { name: APP, audience, tenant: 'acme' },
    { name: 'globex-app', audience, tenant: 'globex' },
    { name: 'no-tenant', audience },
    { name: 'elsewhere', audience: 'http://127.0.0.1:9/mcp', tenant: 'acme' },
    // What Keycloak does on its own.
    { name: 'no-mapper', tenant: 'acme' },
  ];
  const people = { members: ['alice', 'bob'], others: ['mallory'] };
  const provider = keycloak(FOLDER, await freePort(), { ...people, apps, checker: CHECKER });
  // Whoever waits for it hears of it; until then nobody is surprised.
  provider.catch(() => undefined);
  around.also(async () => (await provider.catch(() => undefined))?.stop());
  return { port, provider };
}

/** As root, because `start` gives each user an id of his own. */
export async function testKeycloak(around, begun) {
  const serve = (name, body) => test(`serve, Keycloak: ${name}`, body, DEADLINE_MS);
  const { missing, port, provider } = await begun;
  if (missing) return skip('serve, Keycloak', missing);
  const source = 'vault:secret/mcp/{tenant}/{sub}#github_token';
  const options = [
    '--isolation', 'strict', '--uid-range', '200000-200100', '--idp', 'keycloak', '--tenant-claim', 'tenant', '--allow-group', 'mcp-users',
  ];
  let idp;
  let mcpwrap;
  const bearers = [];
  const bearer = async (name, app = APP) => {
    const { access_token } = await idp.tokens(name, app);
    bearers.push(access_token);
    return { bearer: access_token };
  };
  const claimsOf = token => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

  await serve('it starts, and its keys are known', async () => {
    idp = await provider;
    for (const name of ['alice', 'bob']) {
      await around.vault.put(`mcp/acme/${idp.subject(name)}`, { github_token: around.tokens[name] });
    }
    mcpwrap = await start(around, { options, issuer: idp.issuer, source, port });
    const refused = await post(mcpwrap.url);
    const place = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate'))?.[1];
    assert.deepEqual((await (await fetch(place)).json()).authorization_servers, [idp.issuer]);
  });
  if (!mcpwrap) return;
  const { url } = mcpwrap;
  const refusalOf = async token => {
    const { status, headers } = await post(url, { bearer: token });
    return { status, challenge: headers.get('www-authenticate') };
  };

  await serve('get_me is alice for Alice and bob for Bob, at the same time', async () => {
    const before = around.github.seen.length;
    const people = [await bearer('alice'), await bearer('bob')];
    const claims = claimsOf(people[0].bearer);
    console.log(`  ${JSON.stringify({ ...claims, jti: undefined, sid: undefined })}`);
    assert.equal(claims.sub, idp.subject('alice'));
    const clients = await Promise.all([connect(url, people[0], SDKS.legacy), connect(url, people[1], SDKS.modern)]);
    const answers = await Promise.all([1, 2, 3].flatMap(() => clients.map(({ client }) => getMe(client))));
    assert.deepEqual(answers.map(answer => answer.login), [1, 2, 3].flatMap(() => ['alice', 'bob']));
    const asked = around.github.seen.slice(before).map(one => one.token);
    assert.deepEqual(new Set(asked), new Set([around.tokens.alice, around.tokens.bob]));
    assert.equal(servers(mcpwrap.pid).length, 2);
  });
  await serve('a token for another resource is refused', async () => {
    const { status, challenge } = await refusalOf((await bearer('alice', 'elsewhere')).bearer);
    assert.equal(status, 401);
    assert.match(challenge, /error="invalid_token"/);
  });
  await serve('a token without an audience mapper is refused', async () => {
    const token = (await bearer('alice', 'no-mapper')).bearer;
    assert.ok(![claimsOf(token).aud].flat().includes(url));
    const { status, challenge } = await refusalOf(token);
    assert.equal(status, 401);
    assert.match(challenge, /error="invalid_token"/);
  });
  await serve('an ID token and a refresh token are refused', async () => {
    const { id_token, refresh_token } = await idp.tokens('alice', APP);
    bearers.push(id_token, refresh_token);
    assert.equal(claimsOf(id_token).typ, 'ID');
    for (const token of [id_token, refresh_token]) assert.equal((await refusalOf(token)).status, 401);
  });
  await serve('a token without a tenant is refused where a claim names it', async () => {
    const { status } = await refusalOf((await bearer('alice', 'no-tenant')).bearer);
    assert.ok([401, 403].includes(status), `${status}`);
  });
  await serve('whoever is not in the group is refused', async () => {
    const { status } = await refusalOf((await bearer('mallory')).bearer);
    assert.equal(status, 403);
  });
  await serve('the same subject in another tenant is somebody else', async () => {
    const before = servers(mcpwrap.pid).length;
    const said = await connect(url, await bearer('alice', 'globex-app'), SDKS.modern)
      .then(({ client }) => getMe(client))
      .then(me => assert.fail(`she is ${me.login}`), error => String(error.message ?? error));
    console.log(`  ${said}`);
    assert.match(said, /no credential GITHUB_PERSONAL_ACCESS_TOKEN is stored for you/);
    assert.equal(servers(mcpwrap.pid).length, before);
  });
  await serve('a token that is signed with a new key is accepted', async () => {
    const kid = token => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
    const old = await bearer('bob');
    await idp.rotateKeys();
    const fresh = await bearer('bob');
    assert.notEqual(kid(fresh.bearer), kid(old.bearer));
    const accepted = async () => (await post(url, fresh)).status;
    await eventually(accepted, status => status === 200, 'the new key', NEW_KEY_MS);
    assert.equal((await post(url, old)).status, 200, 'the old key still counts');
  });
  const out = 'a signed token whose user has logged out is refused, and ends his child';
  if (!ASKS_ALWAYS) skip(`serve, Keycloak: ${out}`, 'this mcpwrap asks an issuer about opaque tokens only');
  else {
    await serve(out, async () => {
      const secretFile = join(around.dir, 'keycloak-secret');
      writeFileSync(secretFile, CHECKER.secret, { mode: 0o600 });
      const asking = [
        ...options, '--audience', url, '--introspection-when', 'always', '--introspection-cache', '10s',
        '--introspection-client-id', CHECKER.id, '--introspection-client-secret-file', secretFile,
      ];
      const other = await start(around, { options: asking, issuer: idp.issuer, source });
      onEnd(() => other.stop('SIGKILL'));
      const people = {};
      for (const name of ['alice', 'bob']) {
        const { access_token, refresh_token } = await idp.tokens(name, APP);
        bearers.push(access_token);
        people[name] = { bearer: access_token, refresh_token };
        const { client } = await connect(other.url, people[name], SDKS.modern);
        assert.equal((await getMe(client)).login, name);
      }
      await idp.logOut(APP, people.alice.refresh_token);
      const status = async () => (await post(other.url, people.alice)).status;
      await eventually(status, one => one === 401, 'the refusal', WITHDRAWN_MS);
      await eventually(() => servers(other.pid).length, left => left === 1, "the end of Alice's child", WITHDRAWN_MS);
      assert.equal((await post(other.url, people.bob)).status, 200);
    });
  }
  await serve('no token stands in any log', async () => {
    const text = [...mcpwrap.log, ...mcpwrap.records().map(one => JSON.stringify(one))].join('\n');
    const secrets = [CHECKER.secret, ...bearers, ...Object.values(around.tokens), around.vault.token];
    for (const secret of secrets) for (const form of disguises(secret)) assert.ok(!text.includes(form));
  });
  await serve('SIGTERM leaves nothing', async () => {
    onEnd(() => mcpwrap.stop('SIGKILL'));
    assert.deepEqual(await mcpwrap.stop(), { code: 0, signal: null });
  });
  await mcpwrap.stop('SIGKILL');
}
