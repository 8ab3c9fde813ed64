// Owns the interoperability matrix: runs every pair, writes MATRIX.md. A cell is `ok`, or `n/a` if the same pair fails
// without mcpwrap; anything else fails the test, and so does a pair of two eras that was `ok` in the committed table
// and is not any more. Who takes part is in matrix-pairs.mjs. MATRIX=serve goes through `mcpwrap serve`, MATRIX=full
// tries every client with every server, MATRIX="full serve" both; each has a page of its own.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { DIRECT, HERE, finish, skip, test, wrap } from './harness.mjs';
import { CLIENTS, ONE_OF_EACH_ERA, REFERENCES, SERVERS_TO_WRAP } from './matrix-pairs.mjs';
import { wrapInServe } from './matrix-product.mjs';

/** A client without stdio and a server without HTTP cannot meet but through mcpwrap. */
class NoDirectWay extends Error {}

const words = (process.env.MATRIX ?? '').split(/[ ,]+/).filter(Boolean).sort();
const unknown = words.filter(word => !['full', 'serve'].includes(word));
if (unknown.length > 0) throw new Error(`MATRIX knows full and serve, not ${unknown}`);
const FULL = words.includes('full');
const SERVE = words.includes('serve');

const notes = [];
const PAGE = join(HERE, `${['MATRIX', ...words].join('-')}.md`);
/** Row → cells of the committed table. */
const committed = new Map(
  (existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '').split('\n').filter(line => line.startsWith('| '))
    .map(line => line.split('|').slice(1, -1).map(part => part.trim())).map(([row, ...cells]) => [row, cells]),
);

async function calls(client, target, server) {
  assert.match(await client.call(target, server.probe), server.expects);
}

/** The pair without mcpwrap; throws if it does not work, or if there is no way to try it. */
async function callDirectly(client, started, server) {
  if (DIRECT !== 'http' && client.speaksStdio) return calls(client, { command: started.command }, server);
  if (!started.http) throw new NoDirectWay('there is no direct way between the two');
  const { url, stop } = await started.http();
  try {
    await calls(client, { url }, server);
  } finally {
    await stop().catch(() => undefined);
  }
}

async function callThroughMcpwrap(client, started, server) {
  const person = `user-${CLIENTS.indexOf(client)}`;
  const { command, serveCommand = command, serveOptions = [] } = started;
  const wrapped = SERVE ? wrapInServe(serveCommand, serveOptions, person) : wrap(command);
  const { url, bearer, stop } = await wrapped;
  try {
    await calls(client, { url, bearer }, server);
  } finally {
    await stop().catch(error => console.log(`  | ${error.message}`));
  }
}

async function cell([client, server], before) {
  const title = `matrix: ${client.name} with ${server.name}`;
  if (!title.includes(process.env.ONLY ?? '')) return 'FAILED';
  const reason = client.missing ?? server.missing;
  if (reason) {
    skip(title, reason);
    return 'skipped';
  }
  const started = await server.start();
  if (DIRECT) {
    const failure = await callDirectly(client, started, server).then(() => undefined, error => error);
    if (failure) skip(title, `without mcpwrap: ${failure.message.split('\n')[0]}`);
    else await test(title, async () => undefined);
    await started.end();
    return failure ? 'n/a' : 'ok';
  }
  const failure = await callThroughMcpwrap(client, started, server).then(() => undefined, error => error);
  const direct = failure && await callDirectly(client, started, server).then(() => undefined, error => error);
  await started.end();
  if (direct && !(direct instanceof NoDirectWay) && before !== 'ok') {
    const why = direct.message.split('\n')[0].slice(0, 160);
    skip(title, `n/a, without mcpwrap it fails too: ${why}`);
    notes.push(`${client.name} with ${server.name}: ${why}`);
    return 'n/a';
  }
  await test(title, async () => {
    if (failure) throw failure;
  });
  return failure ? 'FAILED' : 'ok';
}

async function table(rows, columns, pairOf) {
  const lines = [];
  for (const row of rows) {
    const cells = [];
    for (const [at, column] of columns.entries()) cells.push(await cell(pairOf(row, column), committed.get(row.name)?.[at]));
    lines.push([row.name, ...cells]);
  }
  return lines;
}
const markdown = (head, lines) =>
  [head, head.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n');

const everyServer = [...REFERENCES, ...SERVERS_TO_WRAP];
const PARTS = FULL
  ? [{ title: 'Every client with every server', head: 'server', rows: everyServer, columns: CLIENTS, pair: (server, client) => [client, server] }]
  : [
    { title: 'Clients', head: 'client', rows: CLIENTS, columns: REFERENCES, pair: (client, server) => [client, server] },
    { title: 'Servers', head: 'server', rows: SERVERS_TO_WRAP, columns: ONE_OF_EACH_ERA, pair: (server, client) => [client, server] },
  ];
const tables = [];
for (const { rows, columns, pair } of PARTS) tables.push(await table(rows, columns, pair));
const sections = PARTS.map(({ title, head, columns }, at) =>
  `## ${title}\n\n${markdown([head, ...columns.map(column => column.name)], tables[at])}\n`);
const way = SERVE
  ? '`mcpwrap serve`: each client is a user with a token, a child of his own and strict walls.'
  : '`mcpwrap dev`.';
const how = words.length > 0 ? `MATRIX='${words.join(' ')}' SUITES=matrix ` : '';
const page = `# Interoperability matrix

Written by \`${how}tests/interop/run\`; do not edit. Each cell connects, lists the tools and calls one of them through
${way} \`n/a\` means that the same pair fails without mcpwrap, \`skipped\` that a part was not installed.

${sections.join('\n')}${notes.map(note => `\n- ${note}`).join('')}
`.trimEnd() + '\n';
const failed = tables.flat(2).includes('FAILED');
// A failing run leaves the committed table alone: it says what was once true, the log says what is not any more.
if (DIRECT) console.log(page);
else if (!failed) writeFileSync(PAGE, page);
finish('matrix');
