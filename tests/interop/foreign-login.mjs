// Owns the login of a client that knows only the authorization of revision 2025-03-26: npm `sdk` 1.10 looks for the
// provider's metadata at the origin of the server itself, and names neither a resource nor a scope to the provider.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'legacy-sdk-1.10/client/index.js';
import { StreamableHTTPClientTransport } from 'legacy-sdk-1.10/client/streamableHttp.js';
import { SERVERS, onEnd, startForUrl, test } from './harness.mjs';
import { identityProvider } from './fixtures/identity.mjs';
import { connect, logIn } from './serve-clients.mjs';
import { MCPWRAP, freePort } from './serve-world.mjs';

const OLD = {
  client: () => new Client({ name: 'sdk-1.10', version: '1.0.0' }),
  transport: (url, options) => new StreamableHTTPClientTransport(new URL(url), options),
};

export async function testOldLogin() {
  await test('foreign: npm sdk 1.10 logs in at serve by the discovery of 2025-03-26', async () => {
    const port = await freePort();
    const resource = `http://127.0.0.1:${port}/mcp`;
    const provider = await identityProvider(await freePort(), undefined, resource);
    onEnd(provider.stop);
    const state = mkdtempSync(join(tmpdir(), 'mcpwrap-foreign-'));
    onEnd(async () => rmSync(state, { recursive: true, force: true }));
    chmodSync(state, 0o700);
    const { url, stop } = await startForUrl([
      MCPWRAP, 'serve', '--isolation', 'basic', '--oidc', provider.issuer, '--public-url', resource,
      '--listen', `127.0.0.1:${port}`, '--state-dir', state, '--', ...SERVERS.legacy,
    ]);
    onEnd(stop);
    const alice = await logIn(url, 'alice', OLD);
    assert.equal(alice.resource, null, 'it names no resource, or it is no client of that time');
    const { client } = await connect(url, alice, OLD);
    const { content } = await client.callTool({ name: 'add', arguments: { a: 20, b: 22 } });
    assert.equal(content[0].text, '42');
  });
}
