// Owns which clients and servers of other languages and times take part, as rows for the matrix and as programs for the
// suite foreign: the Go SDK, mcp-go, fastmcp of two generations, the Java SDK, npm `sdk` 1.10. Our part of each is a
// small program beside this file. One that is not installed says so by its `missing`.

import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { HERE } from './harness.mjs';
import { converse } from './talk.mjs';

const here = (...parts) => join(HERE, ...parts);
const absent = (path, remedy) => {
  try {
    accessSync(path, constants.X_OK);
    return undefined;
  } catch {
    return remedy;
  }
};

const built = name => here('.cache/go', name);
const interpreter = venv => here('.venv', venv, 'bin/python');
const GO = 'go 1.25 or later is needed to build it';
const PYTHON = 'python 3.10 or later with venv is needed';

/**
 * `eras` are those it speaks as a client. What it cannot do at all is in `lacks`, what it cannot do as a modern client or
 * without mcpwrap in `lacksIf`: the Go SDK's modern client names no level in a request, and its ping and its level have
 * no `_meta`, which an SDK's server refuses and mcpwrap takes; fastmcp's refuses to set a level, and to a ping with
 * `_meta` the modern era answers "method not found".
 */
export const TALKERS = [
  {
    name: 'Go SDK 1.8',
    program: [built('sdk-client')],
    missing: absent(built('sdk-client'), GO),
    eras: ['legacy', 'modern'],
    lacks: [],
    lacksIf: { modern: ['logs'], direct: ['roots', 'levels', 'logs', 'ping'] },
  },
  { name: 'mcp-go 1.2', program: [built('mcp-go-client')], missing: absent(built('mcp-go-client'), GO), eras: ['legacy', 'modern'], lacks: [] },
  {
    name: 'PyPI `fastmcp` 2.14',
    program: [interpreter('fastmcp2'), here('python/fastmcp_client.py')],
    missing: absent(interpreter('fastmcp2'), PYTHON),
    eras: ['legacy'],
    lacks: [],
  },
  {
    name: 'PyPI `fastmcp` 4.2',
    program: [interpreter('fastmcp4'), here('python/fastmcp_client.py')],
    missing: absent(interpreter('fastmcp4'), PYTHON),
    eras: ['legacy', 'modern'],
    lacks: [],
    lacksIf: { modern: ['levels', 'logs', 'ping'], direct: ['levels', 'logs', 'ping'] },
  },
  {
    name: 'Java SDK 2.1',
    program: ['java', '-cp', here('.cache/java/*'), here('java/Client.java')],
    missing: existsSync(here('.cache/java/.installed')) ? undefined : 'a JDK of 17 or later and mvn are needed',
    eras: ['legacy'],
    lacks: [],
  },
  { name: 'npm `@modelcontextprotocol/sdk` 1.10', program: [process.execPath, here('node/sdk-1.10.mjs')], eras: ['legacy'], lacks: ['elicitation'] },
];

/** As a row of the matrix: connect, list the tools, call one. */
export const TALKING_CLIENTS = TALKERS.map(({ name, program, missing }) => ({
  name,
  missing,
  speaksStdio: true,
  call: async (target, { tool, args }) => {
    const client = await converse(program, target, { bearer: target.bearer });
    try {
      return await client.call(tool, args);
    } finally {
      await client.end();
    }
  },
}));

const server = (name, command, missing) => ({
  name,
  missing,
  probe: { tool: 'add', args: { a: 20, b: 22 } },
  expects: /42/,
  start: async () => ({ command, end: () => undefined }),
});

export const TALKING_SERVERS = [
  server('Go SDK 1.8 server', [built('sdk-server')], absent(built('sdk-server'), GO)),
  server('mcp-go 1.2 server', [built('mcp-go-server')], absent(built('mcp-go-server'), GO)),
  server('PyPI `fastmcp` 2.14 server', [interpreter('fastmcp2'), here('python/fastmcp_server.py')], absent(interpreter('fastmcp2'), PYTHON)),
  server('PyPI `fastmcp` 4.2 server', [interpreter('fastmcp4'), here('python/fastmcp_server.py')], absent(interpreter('fastmcp4'), PYTHON)),
];
