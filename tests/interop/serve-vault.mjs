// Owns the test of a vault that mcpwrap logs in to by role: a token that has to be renewed, one that cannot live longer,
// a secret that is exchanged, and a vault that is sealed or gone. Nobody gets anything in place of what is his.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, test } from './harness.mjs';
import { appRole, vault } from './fixtures/vault.mjs';
import { SDKS, connect, getMe, logIn } from './serve-clients.mjs';
import { bundled, descendants, disguises, freePort, servers, start } from './serve-world.mjs';

/** Long enough to be held by the ten seconds that mcpwrap waits between two renewals, short enough to wait for. */
const TTL = '12s';
const LONGEST = '20s';
const RENEWAL_MS = 20_000;
const NEW_LOGIN_MS = 30_000;
const REFUSED = /GITHUB_PERSONAL_ACCESS_TOKEN could not be fetched; try again, and tell your operator if it persists/;

/** As root, because `start` gives each user an id of his own. */
export async function testAppRole(around) {
  const serve = (name, body) => test(`serve, a vault with AppRole: ${name}`, body);
  const home = mkdtempSync(join(around.dir, 'vault-'));
  const { alice, bob, carol } = around.tokens;
  const entries = Object.entries({ alice, bob, carol }).map(([name, token]) => [`mcp/${name}`, { github_token: token }]);
  const bao = await vault(bundled('bao'), await freePort(), home, entries);
  const role = await appRole(bao, TTL, LONGEST);
  const secretFile = join(home, 'secret-id');
  const secretIds = [await role.newSecret()];
  writeFileSync(secretFile, secretIds[0], { mode: 0o600 });
  let mcpwrap;
  const people = {};
  const login = async name => {
    people[name] = await logIn(mcpwrap.url, name, SDKS.legacy);
    return people[name];
  };
  const isHerself = async name => {
    const { client } = await connect(mcpwrap.url, people[name], SDKS.legacy);
    assert.equal((await getMe(client)).login, name);
  };

  /** Somebody without a child asks for one; says what he was told instead. */
  const refusal = async name => {
    const before = servers(mcpwrap.pid).length;
    const seen = around.github.seen.length;
    const said = await connect(mcpwrap.url, people[name] ?? (await login(name)), SDKS.legacy).then(
      ({ client }) => getMe(client).then(me => assert.fail(`he is ${me.login}`)),
      error => String(error.message ?? error),
    );
    console.log(`  ${name}: ${said}`);
    assert.equal(servers(mcpwrap.pid).length, before, 'no child without a credential');
    assert.deepEqual(around.github.seen.slice(seen), [], 'nobody asked GitHub');
    return said;
  };

  await serve('Alice is alice', async () => {
    mcpwrap = await start(around, {
      options: ['--isolation', 'strict', '--uid-range', '200000-200100'],
      login: { VAULT_ADDR: bao.address, VAULT_ROLE_ID: role.id, VAULT_SECRET_ID_FILE: secretFile },
    });
    await login('alice');
    await isHerself('alice');
    assert.equal((await role.tokens()).length, 1, 'one login');
  });
  const [first] = await role.tokens();
  if (first) {
    await serve('its token is renewed before it ends', async () => {
      const renewed = ([token]) => token?.accessor === first.accessor && token.renewed;
      await eventually(role.tokens, renewed, 'a renewal', RENEWAL_MS);
    });
    await serve('a token at the end of its longest life is replaced, by the secret that the file holds by then', async () => {
      secretIds.push(await role.newSecret());
      writeFileSync(secretFile, secretIds[1], { mode: 0o600 });
      await role.revoke(secretIds[0]);
      const replaced = tokens => tokens.some(token => token.accessor !== first.accessor);
      await eventually(role.tokens, replaced, 'a new login', NEW_LOGIN_MS);
      await eventually(role.tokens, ([token]) => token?.accessor !== first.accessor, 'the end of the first token', NEW_LOGIN_MS);
      await login('bob');
      await isHerself('bob');
    });
    await serve('while it is sealed nobody gets a new child, and whoever has one keeps it', async () => {
      await bao.seal();
      assert.match(await refusal('carol'), REFUSED);
      await isHerself('alice');
      const told = await eventually(
        () => mcpwrap.log.map(line => JSON.parse(line).fields).filter(fields => fields.subject === 'carol' && fields.error),
        lines => lines.length > 0,
        'a line for the operator',
      );
      console.log(`  operator: ${told[0].error}`);
      assert.match(told[0].error, /vault.*503/);
    });
    await serve('once it is unsealed Carol is carol', async () => {
      await bao.unseal();
      const connected = () => connect(mcpwrap.url, people.carol, SDKS.legacy).catch(error => error);
      const { client } = await eventually(connected, one => !(one instanceof Error), "Carol's connection", NEW_LOGIN_MS);
      assert.equal((await getMe(client)).login, 'carol');
    });
    await serve('while it is gone nobody gets a new child, and whoever has one keeps it', async () => {
      await bao.stop('SIGKILL');
      const said = await refusal('dave');
      assert.match(said, REFUSED);
      for (const place of [bao.address, 'vault:', 'secret/mcp']) assert.ok(!said.includes(place), 'where it is is not his business');
      await isHerself('alice');
    });
    await serve('neither the role nor its secret is held by a child or stands in a log', async () => {
      const below = descendants(mcpwrap.pid);
      assert.ok(below.length >= 4, `${below.length} processes`);
      const text = [...mcpwrap.log, ...mcpwrap.records().map(one => JSON.stringify(one))].join('\n');
      for (const secret of [...secretIds, alice, bob, carol]) {
        for (const form of disguises(secret)) assert.ok(!text.includes(form), 'in a log');
      }
      for (const { environ, argv } of below) {
        const held = [...environ, ...argv].join('\n');
        for (const secret of [role.id, ...secretIds]) assert.ok(!held.includes(secret), `${argv}`);
        assert.doesNotMatch(held, /VAULT_/);
      }
    });
    await serve('SIGTERM leaves no process', async () => {
      const tree = descendants(mcpwrap.pid).map(one => one.pid);
      assert.deepEqual(await mcpwrap.stop(), { code: 0, signal: null });
      assert.deepEqual(tree.filter(pid => existsSync(`/proc/${pid}`)), []);
    });
  }
  await mcpwrap?.stop('SIGKILL');
  await bao.stop('SIGKILL');
  rmSync(home, { recursive: true, force: true });
}
