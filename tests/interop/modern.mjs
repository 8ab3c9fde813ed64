// Owns the tests of the modern era: npm `@modelcontextprotocol/client` 2.x, pinned to revision 2026-07-28, as the
// client of the modern fixture. `node modern.mjs FIXTURE` takes another server by name: a crossing pair.

import assert from 'node:assert/strict';
import { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { DIRECT, Inbox, finish, onEnd, serve, skip, test } from './harness.mjs';
import { person, testFeatures, textOf } from './features.mjs';

const REVISION = '2026-07-28';
const CAPABILITIES = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
const CHANGES = ['tools/list_changed', 'prompts/list_changed', 'resources/list_changed', 'resources/updated'];
const META = {
  'io.modelcontextprotocol/protocolVersion': REVISION,
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

async function connectTo(server, { capabilities = CAPABILITIES, mode = { pin: REVISION }, ...rest } = {}) {
  const client = new Client(
    { name: 'modern-interop', version: '1.0.0' },
    { capabilities, versionNegotiation: { mode }, ...rest },
  );
  const { asked, elicit, sample, roots } = person();
  const logs = new Inbox();
  const changes = new Inbox();
  if (capabilities.elicitation) client.setRequestHandler('elicitation/create', elicit);
  if (capabilities.sampling) client.setRequestHandler('sampling/createMessage', sample);
  if (capabilities.roots) client.setRequestHandler('roots/list', roots);
  client.setNotificationHandler('notifications/message', ({ params }) => logs.push(params));
  for (const change of CHANGES) client.setNotificationHandler(`notifications/${change}`, one => changes.push(one));
  const transport = server.url
    ? new StreamableHTTPClientTransport(new URL(server.url))
    : new StdioClientTransport({ command: server.command, args: server.args, stderr: 'ignore' });
  onEnd(() => client.close());
  await client.connect(transport);
  return { client, transport, asked, logs, changes };
}

/** One request by hand, for what no SDK client would send. */
async function post(server, method, params, headers = {}, capabilities = {}) {
  const _meta = { ...META, 'io.modelcontextprotocol/clientCapabilities': capabilities };
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': method,
      ...(params.name && { 'mcp-name': params.name }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'raw-1', method, params: { ...params, _meta } }),
  });
  const body = await response.text();
  const line = response.headers.get('content-type')?.startsWith('text/event-stream')
    ? body.split('\n').filter(one => one.startsWith('data:')).at(-1).slice('data:'.length)
    : body;
  return { status: response.status, message: JSON.parse(line) };
}

async function testModernOnly(server, name) {
  const modern = (what, body) => test(`modern client, ${name}: ${what}`, body);
  const connect = options => connectTo(server, options);

  await modern('discover', async () => {
    const { client } = await connect();
    const discovered = client.getDiscoverResult();
    assert.ok(discovered.supportedVersions.includes(REVISION));
    assert.ok(discovered.capabilities.tools && discovered.capabilities.resources && discovered.capabilities.prompts);
    assert.equal(client.getInstructions(), 'A fixture for tests.');
    assert.equal(client.getServerVersion().name, `mcpwrap-${fixture}-fixture`);
  });
  await modern('a client that probes finds the modern era', async () => {
    const { client } = await connect({ mode: 'auto' });
    assert.ok(client.getDiscoverResult().supportedVersions.includes(REVISION));
  });
  await modern('without a level in the request no log message comes', async () => {
    const { client, logs } = await connect();
    await client.callTool({ name: 'log_every_level' });
    await client.callTool({ name: 'test_simple_text' });
    assert.deepEqual(logs.all, []);
  });
  await modern('a prompt that asks first', async () => {
    const { client, asked } = await connect();
    const { messages } = await client.getPrompt({ name: 'test_input_required_result_prompt' });
    assert.equal(messages[0].content.text, 'Use this context: a context');
    assert.equal(asked.all.length, 1);
  });
  await modern('three questions in one round', async () => {
    const { client, asked } = await connect();
    const result = await client.callTool({ name: 'test_input_required_result_multiple_inputs' });
    assert.equal(textOf(result), 'you said Generate a greeting a name, 2 roots');
    assert.equal(asked.all.length, 2);
  });
  await modern('a question that the client cannot answer is an error, not a hang', async () => {
    const { client } = await connect({ capabilities: {} });
    const refused = await client.callTool({ name: 'test_sampling', arguments: { prompt: 'x' } }).catch(error => error);
    assert.ok(refused instanceof Error || refused.isError, 'it must not succeed');
    assert.equal(textOf(await client.callTool({ name: 'test_simple_text' })).length > 0, true);
  });
  await modern('an annotated argument travels in its header', async () => {
    const { client } = await connect();
    await client.listTools();
    const result = await client.callTool({ name: 'test_x_mcp_header', arguments: { region: 'eu-west', level: 3 } });
    assert.equal(textOf(result), 'region=eu-west');
  });
  await modern('the subscription names what it grants and ends when closed', async () => {
    const { client } = await connect();
    const listening = await client.listen({ toolsListChanged: true });
    assert.deepEqual(listening.honoredFilter, { toolsListChanged: true });
    await listening.close();
    assert.equal(await listening.closed, 'local');
  });
  if (!server.url) return skip(`modern client, ${name}: HTTP rules`, 'stdio has no headers');

  await modern('a header that contradicts the body is refused', async () => {
    const call = { name: 'test_simple_text', arguments: {} };
    assert.equal((await post(server, 'tools/call', call)).message.result.content.length, 1);
    for (const headers of [{ 'mcp-method': 'tools/list' }, { 'mcp-name': 'other' }, { 'mcp-protocol-version': '2025-11-25' }]) {
      const { status, message } = await post(server, 'tools/call', call, headers);
      assert.deepEqual([status, message.error?.code, message.id], [400, -32020, 'raw-1'], JSON.stringify(headers));
    }
  });
  await modern('state that was tampered with is refused', async () => {
    const call = { name: 'several_rounds', arguments: {} };
    const { result } = (await post(server, 'tools/call', call, {}, CAPABILITIES)).message;
    assert.equal(result.resultType, 'input_required');
    const inputResponses = { [Object.keys(result.inputRequests)[0]]: { action: 'accept', content: { name: 'Eve' } } };
    const middle = Math.floor(result.requestState.length / 2);
    const other = result.requestState[middle] === 'A' ? 'B' : 'A';
    const requestState = result.requestState.slice(0, middle) + other + result.requestState.slice(middle + 1);
    const forged = await post(server, 'tools/call', { ...call, inputResponses, requestState }, {}, CAPABILITIES);
    assert.equal(forged.message.error?.code, -32602);
    const genuine = { ...call, inputResponses, requestState: result.requestState };
    const next = await post(server, 'tools/call', genuine, {}, CAPABILITIES);
    assert.equal(next.message.result.resultType, 'input_required');
  });
}

const fixture = process.argv[2] ?? 'modern';
const server = await serve(fixture);
const name = `${fixture} fixture`;
await testModernOnly(server, name);
await testFeatures(`modern client, ${name}`, {
  connect: () => connectTo(server),
  call: (client, params, options) => client.callTool(params, options),
  fresh: { cacheMode: 'bypass' },
  callAtLevel: (client, name, level) => client.callTool({ name, _meta: { [LOG_LEVEL_META_KEY]: level } }),
  listen: async (client, filter) => {
    const listening = await client.listen(filter);
    onEnd(() => listening.close());
    return listening;
  },
  subscribe: async (client, uri) => {
    const listening = await client.listen({ resourceSubscriptions: [uri] });
    return () => listening.close();
  },
});
await server.stop().catch(() => undefined);
finish(`modern client (${name})`);
