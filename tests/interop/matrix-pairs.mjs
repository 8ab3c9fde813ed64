// Owns who takes part in the matrix: the clients and the servers that we did not write, how each is started, and one
// call whose answer shows that the pair works. A client that is given a `bearer` sends it. A participant that is not installed says so by its `missing`.

import { execFile } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { HERE, SERVERS, startForUrl } from './harness.mjs';
import { TALKING_CLIENTS, TALKING_SERVERS } from './matrix-talkers.mjs';

const CALL_DEADLINE_MS = 60_000;
const run = promisify(execFile);
const here = (...parts) => join(HERE, ...parts);
const node = process.execPath;

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
const missing = (path, remedy) => (executable(path) ? undefined : remedy);
const onPath = name =>
  (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, name)).find(path => executable(path));

const textOf = result => result.content.map(part => part.text ?? '').join('\n');

/** With a client of one of the two npm SDKs, which share their methods' names. */
async function callWith(client, transport, { tool, args }) {
  try {
    await client.connect(transport, { timeout: CALL_DEADLINE_MS });
    const { tools } = await client.listTools();
    if (!tools.some(listed => listed.name === tool)) throw new Error(`${tool} is not among ${tools.length} tools`);
    return textOf(await client.callTool({ name: tool, arguments: args }));
  } finally {
    await client.close();
  }
}
async function callBy(program, args, more = {}) {
  // What a client keeps in its user's home is not ours to touch.
  const env = { ...process.env, HOME: here('.cache/home'), ...more };
  const { stdout } = await run(program, args, { timeout: CALL_DEADLINE_MS, maxBuffer: 64 << 20, env });
  return stdout;
}

const inspector = here('node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
const remote = here('node_modules/mcp-remote/dist/proxy.js');
const python = here('.venv/mcp/bin/python');
const rmcp = here('.cache/rmcp/debug/rmcp-client');
const info = { name: 'matrix', version: '1.0.0' };
const inVariable = bearer => (bearer ? { MATRIX_BEARER: bearer } : {});
const held = bearer => bearer && { requestInit: { headers: { authorization: `Bearer ${bearer}` } } };

const sdk = {
  name: 'npm `@modelcontextprotocol/sdk` 1.32',
  speaksStdio: true,
  call: ({ url, command, bearer }, probe) => {
    const stdio = () => new LegacyStdio({ command: command[0], args: command.slice(1), stderr: 'ignore' });
    return callWith(new LegacyClient(info), url ? new LegacyHttp(new URL(url), held(bearer)) : stdio(), probe);
  },
};
const client = {
  name: 'npm `@modelcontextprotocol/client` 2.4',
  speaksStdio: true,
  call: ({ url, command, bearer }, probe) => {
    const stdio = () => new ModernStdio({ command: command[0], args: command.slice(1), stderr: 'ignore' });
    const modern = new ModernClient(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    return callWith(modern, url ? new ModernHttp(new URL(url), held(bearer)) : stdio(), probe);
  },
};

export const CLIENTS = [
  sdk,
  client,
  {
    name: 'PyPI `mcp` 2.3',
    missing: missing(python, 'python 3.10 or later with venv is needed'),
    speaksStdio: true,
    call: ({ url, command, bearer }, { tool, args }) =>
      callBy(python, [here('python/client.py'), url ?? JSON.stringify(command), tool, JSON.stringify(args)], inVariable(bearer)),
  },
  {
    name: 'crate `rmcp` 3.11',
    missing: missing(rmcp, 'cargo is needed to build it'),
    speaksStdio: false,
    call: ({ url, bearer }, { tool, args }) => callBy(rmcp, [url, tool, JSON.stringify(args)], inVariable(bearer)),
  },
  {
    name: 'Inspector 2.12, command line',
    missing: missing(node, 'node'),
    speaksStdio: true,
    call: ({ url, command, bearer }, { tool, args }) => {
      const token = bearer ? ['--header', `Authorization: Bearer ${bearer}`] : [];
      const target = url ? [url, '--transport', 'http', ...token] : command;
      const what = ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)];
      return callBy(node, [inspector, '--cli', ...target, '--protocol-era', 'auto', ...what]).catch(error => {
        // It calls a tool that reports a failure its own failure; the pair works all the same.
        if (/"isError": true/.test(error.stdout)) return error.stdout;
        throw error;
      });
    },
  },
  {
    name: '`mcp-remote` 0.15 under npm `sdk` 1.32',
    speaksStdio: false,
    call: ({ url, bearer }, probe) => {
      const env = `MCP_REMOTE_CONFIG_DIR=${here('.cache/mcp-remote')}`;
      const token = bearer ? ['--header', `Authorization:Bearer ${bearer}`] : [];
      const command = ['/usr/bin/env', env, node, remote, url, '--allow-http', '--transport', 'http-only', ...token];
      return sdk.call({ command }, probe);
    },
  },
  ...TALKING_CLIENTS,
];
export const ONE_OF_EACH_ERA = [sdk, client];

const fixture = (name, label, tool, args, expects) => ({
  name: label,
  probe: { tool, args },
  expects,
  start: async () => ({
    command: SERVERS[name],
    http: name === 'everything' ? undefined : () => startForUrl([...SERVERS[name], '--http']),
    end: () => undefined,
  }),
});
const plain = (label, command, tool, args, expects, absent) => ({
  name: label,
  missing: absent,
  probe: { tool, args },
  expects,
  start: async () => ({ command, end: () => undefined }),
});

/** The servers of the first table: the reference server and our modern fixture. */
export const REFERENCES = [
  fixture('everything', '`server-everything`', 'echo', { message: 'grüß dich' }, /Echo: grüß dich/),
  fixture('modern', 'modern fixture', 'add', { a: 20, b: 22 }, /42/),
];

/** Asks its vendor for metadata when it starts; a loopback page answers, so that the test needs no internet. */
async function startSemgrep() {
  const page = createServer((_request, response) => {
    const base = `http://127.0.0.1:${page.address().port}`;
    response.writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ issuer: base, jwks_uri: `${base}/jwks`, introspection_endpoint: `${base}/introspect` }));
  });
  await new Promise(done => page.listen(0, '127.0.0.1', done));
  const bin = here('.venv/semgrep/bin');
  const settings = [
    `SEMGREP_URL=http://127.0.0.1:${page.address().port}`, 'OTEL_SDK_DISABLED=true', 'SEMGREP_SEND_METRICS=off',
    `PATH=${bin}${delimiter}${process.env.PATH}`,
  ];
  const command = [join(bin, 'semgrep'), 'mcp'];
  return {
    command: ['/usr/bin/env', ...settings, ...command],
    serveCommand: command,
    serveOptions: settings.flatMap(setting => ['--env', setting]),
    end: () => page.close(),
  };
}
async function startFilesystem() {
  const folder = mkdtempSync(join(tmpdir(), 'mcpwrap-matrix-'));
  // For the users of `serve`, none of whom is the one who runs this.
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'hello.txt'), 'hello from a file');
  return {
    command: [node, here('node_modules/@modelcontextprotocol/server-filesystem/dist/index.js'), folder],
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}
async function startMemory() {
  const folder = mkdtempSync(join(tmpdir(), 'mcpwrap-matrix-'));
  const server = here('node_modules/@modelcontextprotocol/server-memory/dist/index.js');
  return {
    command: ['/usr/bin/env', `MEMORY_FILE_PATH=${join(folder, 'memory.json')}`, node, server],
    // In `serve` a user's home is the one place where his server may write.
    serveCommand: ['/bin/sh', '-c', 'MEMORY_FILE_PATH=$HOME/memory.json exec "$0" "$1"', node, server],
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}
const time = here('.venv/time/bin/mcp-server-time');
const github = process.env.GITHUB_MCP_SERVER ?? onPath('github-mcp-server');
const entity = { name: 'mcpwrap', entityType: 'program', observations: ['wraps'] };

/** The servers of the second table. */
export const SERVERS_TO_WRAP = [
  { name: '`server-filesystem`', probe: { tool: 'list_allowed_directories', args: {} }, expects: /mcpwrap-matrix-/, start: startFilesystem },
  { name: '`server-memory`', probe: { tool: 'create_entities', args: { entities: [entity] } }, expects: /wraps/, start: startMemory },
  plain('PyPI `mcp-server-time`', [time], 'get_current_time', { timezone: 'UTC' }, /"datetime"/, missing(time, 'python 3.10 or later with venv is needed')),
  {
    name: 'PyPI `semgrep` (`semgrep mcp`)',
    missing: missing(here('.venv/semgrep/bin/semgrep'), 'python 3.10 or later with venv is needed'),
    probe: { tool: 'get_supported_languages', args: {} },
    expects: /python/,
    start: startSemgrep,
  },
  plain(
    'GitHub\'s own server',
    ['/usr/bin/env', 'GITHUB_PERSONAL_ACCESS_TOKEN=ghp_not_a_token', `${github}`, 'stdio'],
    'get_me', {}, /./,
    github ? undefined : 'github-mcp-server is neither on PATH nor named in GITHUB_MCP_SERVER',
  ),
  plain('PyPI `mcp` 2.3 server', [python, here('python/server.py')], 'add', { a: 20, b: 22 }, /42/, missing(python, 'python 3.10 or later with venv is needed')),
  ...TALKING_SERVERS,
];
