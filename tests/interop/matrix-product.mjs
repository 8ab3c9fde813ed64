// Owns the way of a matrix cell through the full product: `mcpwrap serve` around the server, an identity provider before
// it, and a user for each client, with a token and a child of his own. It knows no SDK but the one that logs in.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startForUrl } from './harness.mjs';
import { identityProvider } from './fixtures/identity.mjs';
import { SDKS, logIn } from './serve-clients.mjs';
import { MCPWRAP, freePort } from './serve-world.mjs';

/** As strict as whoever runs this can have it. */
const WALLS = process.getuid() === 0 ? ['--isolation', 'strict', '--uid-range', '200000-200100'] : ['--isolation', 'strict'];

let provider;

/** Starts `command` for `person`; yields what a client needs, and how to end it. */
export async function wrapInServe(command, options, person) {
  provider ??= await identityProvider(await freePort());
  const state = mkdtempSync(join(tmpdir(), 'mcpwrap-matrix-'));
  chmodSync(state, 0o700);
  const port = await freePort();
  const { url, stop } = await startForUrl([
    MCPWRAP, 'serve', '--oidc', provider.issuer, '--public-url', `http://127.0.0.1:${port}/mcp`,
    '--listen', `127.0.0.1:${port}`, '--state-dir', state, ...WALLS, ...options, '--', ...command,
  ]);
  const end = async () => {
    try {
      await stop();
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  };
  try {
    const { bearer } = await logIn(url, person, SDKS.legacy);
    return { url, bearer, stop: end };
  } catch (error) {
    await end().catch(() => undefined);
    throw error;
  }
}
