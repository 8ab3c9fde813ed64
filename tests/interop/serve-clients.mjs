// Owns how the serve suites call mcpwrap: the official SDK client of either era with somebody's token, and requests by
// hand for what no SDK client would send. It decides nothing about right or wrong.

import assert from 'node:assert/strict';
import * as legacy from '@modelcontextprotocol/sdk/client/index.js';
import * as legacyHttp from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as modern from '@modelcontextprotocol/client';
import { onEnd } from './harness.mjs';
import { textOf } from './features.mjs';
import { Person } from './fixtures/identity.mjs';

export const SDKS = {
  legacy: {
    client: () => new legacy.Client({ name: 'serve-legacy', version: '1.0.0' }),
    transport: (url, options) => new legacyHttp.StreamableHTTPClientTransport(new URL(url), options),
  },
  modern: {
    client: () => new modern.Client({ name: 'serve-modern', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } }),
    transport: (url, options) => new modern.StreamableHTTPClientTransport(new URL(url), options),
  },
};

/** Lets `name` log in as his SDK does it: from the 401 to the metadata to the provider to a token. */
export async function logIn(url, name, sdk) {
  const person = new Person(name);
  const first = sdk.transport(url, { authProvider: person });
  await assert.rejects(sdk.client().connect(first), /unauthorized/i);
  await first.finishAuth(person.answer.get('code'), person.answer.get('iss'));
  assert.ok(person.bearer, `${name} has no token`);
  return person;
}

/** As a person whose client can log him in, or with a token that is there already. */
export async function connect(url, person, sdk) {
  const client = sdk.client();
  const held = { requestInit: { headers: { authorization: `Bearer ${person.bearer}` } } };
  const transport = sdk.transport(url, person instanceof Person ? { authProvider: person } : held);
  onEnd(() => client.close());
  await client.connect(transport);
  return { client, transport };
}

export const getMe = async client => JSON.parse(textOf(await client.callTool({ name: 'get_me', arguments: {} })));

/** One request by hand, for what no SDK client would send. */
export async function post(url, { bearer, session, message = INITIALIZE } = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(bearer && { authorization: `Bearer ${bearer}` }),
      ...(session && { 'mcp-session-id': session }),
    },
    body: JSON.stringify(message),
  });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};
