// Owns the tests of the legacy era: npm `@modelcontextprotocol/sdk` 1.x as the client of the reference server
// `server-everything` and of the legacy fixture. `node legacy.mjs FIXTURE` takes another fixture: a crossing pair.

import assert from 'node:assert/strict';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as mcp from '@modelcontextprotocol/sdk/types.js';
import { DIRECT, Inbox, eventually, finish, onEnd, serve, test } from './harness.mjs';
import { person, testFeatures, textOf } from './features.mjs';

const CAPABILITIES = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
const CHANGES = [
  mcp.ToolListChangedNotificationSchema,
  mcp.PromptListChangedNotificationSchema,
  mcp.ResourceListChangedNotificationSchema,
  mcp.ResourceUpdatedNotificationSchema,
];

async function connectTo(server, capabilities = CAPABILITIES) {
  const client = new Client({ name: 'legacy-interop', version: '1.0.0' }, { capabilities });
  const { asked, elicit, sample, roots } = person();
  const logs = new Inbox();
  const changes = new Inbox();
  if (capabilities.elicitation) client.setRequestHandler(mcp.ElicitRequestSchema, elicit);
  if (capabilities.sampling) client.setRequestHandler(mcp.CreateMessageRequestSchema, sample);
  if (capabilities.roots) client.setRequestHandler(mcp.ListRootsRequestSchema, roots);
  client.setNotificationHandler(mcp.LoggingMessageNotificationSchema, ({ params }) => logs.push(params));
  for (const schema of CHANGES) client.setNotificationHandler(schema, notification => changes.push(notification));
  const transport = server.url
    ? new StreamableHTTPClientTransport(new URL(server.url))
    : new StdioClientTransport({ command: server.command, args: server.args, stderr: 'ignore' });
  onEnd(async () => {
    await transport.terminateSession?.();
    await client.close();
  });
  await client.connect(transport);
  return { client, transport, asked, logs, changes };
}

const subscribe = async (client, uri) => {
  await client.subscribeResource({ uri });
  return () => client.unsubscribeResource({ uri });
};

async function testEverything(server) {
  const everything = (name, body) => test(`legacy client, server-everything: ${name}`, body);
  const connect = capabilities => connectTo(server, capabilities);
  const call = (client, name, args = {}, options) => client.callTool({ name, arguments: args }, undefined, options);

  await everything('initialize', async () => {
    const { client, transport } = await connect();
    assert.equal(client.getServerVersion().name, 'mcp-servers/everything');
    assert.ok(client.getServerCapabilities().tools);
    assert.ok(client.getInstructions().length > 0);
    if (server.url) {
      assert.match(transport.sessionId, /^[\x21-\x7e]{16,}$/);
      assert.equal(transport.protocolVersion, mcp.LATEST_PROTOCOL_VERSION);
    }
    assert.deepEqual(await client.ping(), {});
  });
  await everything('tools', async () => {
    const { client } = await connect();
    const { tools } = await client.listTools();
    for (const name of ['echo', 'get-sum', 'get-tiny-image']) assert.ok(tools.some(tool => tool.name === name), name);
    assert.equal(textOf(await call(client, 'echo', { message: 'grüß dich' })), 'Echo: grüß dich');
    assert.match(textOf(await call(client, 'get-sum', { a: 2, b: 3 })), /is 5\./);
    const structured = await call(client, 'get-structured-content', { location: 'New York' });
    assert.equal(typeof structured.structuredContent.temperature, 'number');
  });
  await everything('resources', async () => {
    const { client } = await connect();
    assert.ok((await client.listResources()).resources.length > 0);
    assert.ok((await client.listResourceTemplates()).resourceTemplates.length >= 2);
    const { contents } = await client.readResource({ uri: 'demo://resource/dynamic/text/7' });
    assert.match(contents[0].text, /^Resource 7/);
  });
  await everything('prompts and completion', async () => {
    const { client } = await connect();
    const { messages } = await client.getPrompt({ name: 'args-prompt', arguments: { city: 'Lima' } });
    assert.match(messages[0].content.text, /Lima/);
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'completable-prompt' },
      argument: { name: 'name', value: 'A' },
      context: { arguments: { department: 'Engineering' } },
    });
    assert.deepEqual(completion.values, ['Alice']);
  });
  await everything('progress', async () => {
    const { client } = await connect();
    const seen = [];
    const onprogress = step => seen.push(step.progress);
    await call(client, 'trigger-long-running-operation', { duration: 0.3, steps: 3 }, { onprogress });
    // The server sends the last step and the result back to back, and this SDK drops progress that its result overtakes.
    assert.deepEqual(seen.slice(0, 2), [1, 2]);
  });
  await everything('logging', async () => {
    const { client, logs } = await connect();
    await client.setLoggingLevel('debug');
    await client.subscribeResource({ uri: 'demo://resource/dynamic/text/1' });
    await logs.until(entry => /Received Subscribe Resource request/.test(entry.data), 'the log message');
  });
  await everything('cancellation', async () => {
    const { client } = await connect();
    const abort = new AbortController();
    const options = { signal: abort.signal, onprogress: () => abort.abort('enough') };
    await assert.rejects(call(client, 'trigger-long-running-operation', { duration: 20, steps: 100 }, options));
    assert.equal(textOf(await call(client, 'echo', { message: 'still here' })), 'Echo: still here');
  });
  await everything('elicitation', async () => {
    const { client, asked } = await connect();
    const ready = async () => (await client.listTools()).tools.map(tool => tool.name);
    await eventually(ready, names => names.includes('trigger-elicitation-request'), 'the tool that asks');
    assert.match(textOf(await call(client, 'trigger-elicitation-request')), /Name: a name/);
    assert.match((await asked.until(entry => entry.kind === 'elicit')).message, /Please provide inputs/);
    const page = 'https://example.com/consent';
    assert.match(textOf(await call(client, 'trigger-url-elicitation', { url: page })), /completed the URL/);
    assert.equal((await asked.until(entry => entry.mode === 'url')).url, page);
  });
  await everything('sampling', async () => {
    const { client } = await connect();
    const ready = async () => (await client.listTools()).tools.map(tool => tool.name);
    await eventually(ready, names => names.includes('trigger-sampling-request'), 'the tool that samples');
    assert.match(textOf(await call(client, 'trigger-sampling-request', { prompt: 'hello' })), /you said .*hello/);
  });
  await everything('a client that cannot be asked is offered no tool that asks', async () => {
    const { client } = await connect({});
    const names = (await client.listTools()).tools.map(tool => tool.name);
    assert.ok(names.includes('echo'));
    assert.ok(!names.includes('trigger-elicitation-request') && !names.includes('trigger-sampling-request'));
  });
  await everything('subscription', async () => {
    const { client, changes } = await connect();
    const uri = 'demo://resource/dynamic/text/3';
    const end = await subscribe(client, uri);
    await call(client, 'toggle-subscriber-updates');
    await changes.until(entry => entry.params?.uri === uri, 'resources/updated');
    await call(client, 'toggle-subscriber-updates');
    await end();
  });
  await everything('list-changed', async () => {
    const { client, changes } = await connect();
    const data = 'data:text/plain;base64,bWNwd3JhcA==';
    await call(client, 'gzip-file-as-resource', { name: 'a.gz', data, outputType: 'resourceLink' });
    await changes.until(entry => entry.method === 'notifications/resources/list_changed', 'resources/list_changed');
  });
  await everything('a result of 3 MB', async () => {
    const { client } = await connect();
    const message = '0123456789abcdef'.repeat(196_608);
    assert.ok(textOf(await call(client, 'echo', { message })) === `Echo: ${message}`);
  });
  if (!DIRECT) {
    await everything('a session that was ended is gone, a request without one is refused', async () => {
      const { transport } = await connect();
      const body = JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'tools/list', params: {} });
      const session = transport.sessionId;
      const post = headers => fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25', ...headers },
        body,
      });
      await transport.terminateSession();
      assert.equal((await post({ 'mcp-session-id': session })).status, 404);
      assert.equal((await post({ 'mcp-session-id': 'never-given' })).status, 404);
      assert.equal((await post({})).status, 400);
    });
  }
}

const fixture = process.argv[2] ?? 'legacy';
if (fixture === 'legacy') {
  const everything = await serve('everything');
  await testEverything(everything);
  await test('legacy client, server-everything: SIGTERM ends mcpwrap with code 0 after one line on stdout', async () => {
    const { code, stdout } = await everything.stop();
    if (!DIRECT) assert.deepEqual([code, stdout.length], [0, 1]);
  });
}
if (fixture === 'legacy' && !DIRECT) {
  await test('legacy client over HTTP+SSE of 2024-11-05, server-everything: tools, and a call', async () => {
    const old = await serve('everything', ['--legacy-sse']);
    const client = new Client({ name: 'interop-sse', version: '1' }, { capabilities: {} });
    await client.connect(new SSEClientTransport(new URL(old.url)));
    assert.ok((await client.listTools()).tools.some(tool => tool.name === 'echo'));
    const { content } = await client.callTool({ name: 'echo', arguments: { message: 'over two endpoints' } });
    assert.match(content[0].text, /over two endpoints/);
    await client.close();
    await old.stop();
  });
}
const server = await serve(fixture);
await testFeatures(`legacy client, ${fixture} fixture`, {
  connect: () => connectTo(server),
  call: (client, params, options) => client.callTool(params, undefined, options),
  subscribe,
  callAtLevel: async (client, name, level) => {
    await client.setLoggingLevel(level);
    await client.callTool({ name, arguments: {} });
  },
});
await server.stop().catch(() => undefined);
finish(`legacy client (${fixture} fixture)`);
