// Owns the tests that any client must see pass against either fixture: one per feature. It is told how to reach the
// server by `connect(options)`, which yields a client with the SDKs' common methods; what differs between the eras
// (levels of logging, subscriptions) comes in as a function.

import assert from 'node:assert/strict';
import { DIRECT, Inbox, eventually, test } from './harness.mjs';
import { PNG, PROMPTS, RESOURCES, WATCHED, WAV, bigText } from './fixtures/shared.mjs';

export const textOf = result => result.content.map(part => part.text).join('\n');

/** Answers of the imitated user and model, and a record of what they were asked. */
export function person() {
  const asked = new Inbox();
  return {
    asked,
    elicit: async ({ params }) => {
      asked.push({ kind: 'elicit', ...params });
      if (params.mode === 'url') return { action: 'accept' };
      const fields = Object.keys(params.requestedSchema.properties);
      const content = Object.fromEntries(fields.map(field => [field, `a ${field}`]));
      return /decline/.test(params.message) ? { action: 'decline' } : { action: 'accept', content };
    },
    sample: async ({ params }) => {
      asked.push({ kind: 'sample', ...params });
      const said = params.messages.at(-1).content.text;
      return { role: 'assistant', model: 'no-model', content: { type: 'text', text: `you said ${said}` } };
    },
    roots: async () => ({ roots: [{ uri: 'file:///tmp/one', name: 'one' }, { uri: 'file:///tmp/two', name: 'two' }] }),
  };
}

export async function testFeatures(suite, era) {
  const { connect } = era;
  const feature = (name, body, deadline) => test(`${suite}: ${name}`, body, deadline);
  const call = (client, name, args = {}, options) => era.call(client, { name, arguments: args }, options);

  await feature('lists tools with their schemas untouched', async () => {
    const { client } = await connect();
    const { tools } = await client.listTools();
    const schema = tools.find(tool => tool.name === 'json_schema_2020_12_tool').inputSchema;
    assert.equal(schema.$defs.address.$anchor, 'addressDef');
    assert.deepEqual(schema.then, { required: ['phone'] });
    assert.deepEqual(tools.find(tool => tool.name === 'add').outputSchema.required, ['sum']);
  });
  await feature('calls a tool: text, image, sound, structured content', async () => {
    const { client } = await connect();
    await client.listTools();
    assert.equal(textOf(await call(client, 'test_simple_text')), 'This is a simple text response for testing.');
    assert.equal((await call(client, 'test_image_content')).content[0].data, PNG);
    assert.equal((await call(client, 'test_audio_content')).content[0].data, WAV);
    assert.deepEqual((await call(client, 'add', { a: 2, b: 0.5 })).structuredContent, { sum: 2.5 });
  });
  await feature('a failing tool is a result, an unknown tool an error', async () => {
    const { client } = await connect();
    assert.equal((await call(client, 'test_error_handling')).isError, true);
    const unknown = await call(client, 'no_such_tool').catch(error => error);
    assert.ok(unknown instanceof Error || unknown.isError, 'an unknown tool must not succeed');
    assert.equal(textOf(await call(client, 'add', { a: 1, b: 1 })), '2');
  });
  await feature('lists and reads resources and templates', async () => {
    const { client } = await connect();
    const { resources } = await client.listResources();
    assert.deepEqual(resources.map(one => one.uri).sort(), RESOURCES.map(one => one.uri).sort());
    const read = async uri => (await client.readResource({ uri })).contents[0];
    assert.equal((await read('test://static-text')).text, 'This is the content of the static text resource.');
    assert.equal((await read('test://static-binary')).blob, PNG);
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.equal(resourceTemplates[0].uriTemplate, 'test://template/{id}/data');
    assert.equal(JSON.parse((await read('test://template/42/data')).text).id, '42');
    await assert.rejects(read('test://absent'));
  });
  await feature('lists and gets prompts', async () => {
    const { client } = await connect();
    const { prompts } = await client.listPrompts();
    for (const { name } of PROMPTS) assert.ok(prompts.some(prompt => prompt.name === name), name);
    const { messages } = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'x', arg2: 'ü' } });
    assert.equal(messages[0].content.text, "Prompt with arguments: arg1='x', arg2='ü'");
  });
  await feature('completes an argument', async () => {
    const { client } = await connect();
    const ref = { type: 'ref/prompt', name: 'test_prompt_with_arguments' };
    const { completion } = await client.complete({ ref, argument: { name: 'arg1', value: 'par' } });
    assert.deepEqual(completion.values, ['paris', 'park', 'party']);
  });
  await feature('progress reaches the call that asked for it, in order', async () => {
    const { client } = await connect();
    const seen = [];
    await call(client, 'test_tool_with_progress', {}, { onprogress: ({ progress, total }) => seen.push([progress, total]) });
    assert.deepEqual(seen, [[0, 100], [50, 100], [100, 100]]);
  });
  await feature('two calls at once each see their own progress', async () => {
    const { client } = await connect();
    const one = [];
    const two = [];
    await Promise.all([
      call(client, 'test_tool_with_progress', {}, { onprogress: step => one.push(step.progress) }),
      call(client, 'test_tool_with_progress', {}, { onprogress: step => two.push(step.progress) }),
    ]);
    assert.deepEqual([one, two], [[0, 50, 100], [0, 50, 100]]);
  });
  await feature('log messages of a call arrive, in order', async () => {
    const { client, logs } = await connect();
    await era.callAtLevel(client, 'test_tool_with_logging', 'debug');
    await logs.until(entry => entry.data === 'Tool execution completed', 'the last log message');
    const data = logs.all.map(entry => entry.data).filter(entry => /^Tool /.test(entry));
    assert.deepEqual(data, ['Tool execution started', 'Tool processing data', 'Tool execution completed']);
  });
  await feature('messages below the chosen level stay away', async () => {
    const { client, logs } = await connect();
    await era.callAtLevel(client, 'log_every_level', 'error');
    await logs.until(entry => entry.data === 'at emergency', 'the highest message');
    const levels = logs.all.filter(entry => /^at /.test(entry.data)).map(entry => entry.level);
    assert.deepEqual(levels, ['error', 'critical', 'alert', 'emergency']);
  });
  await feature('cancelling a call ends it in the server', async () => {
    const { client } = await connect();
    const cancelled = async () => Number(textOf(await call(client, 'cancelled_calls')));
    const before = await cancelled();
    const abort = new AbortController();
    const options = { signal: abort.signal, onprogress: () => abort.abort('enough') };
    await assert.rejects(call(client, 'slow', {}, options));
    // Without mcpwrap each client has a process of its own, and with it each client of one user shares one.
    await eventually(cancelled, count => count === before + 1, 'the cancellation in the server');
  });
  await feature('elicitation: form accepted, form declined', async () => {
    const { client, asked } = await connect();
    assert.match(textOf(await call(client, 'test_elicitation', { message: 'how?' })), /action=accept.*a response/);
    const form = await asked.until(entry => entry.kind === 'elicit');
    assert.equal(form.message, 'how?');
    assert.equal(form.requestedSchema.properties.response.type, 'string');
    assert.match(textOf(await call(client, 'test_elicitation', { message: 'please decline' })), /action=decline/);
  });
  await feature('elicitation: every kind of choice keeps its schema', async () => {
    const { client, asked } = await connect();
    await call(client, 'test_elicitation_sep1330_enums').catch(() => undefined);
    const { requestedSchema } = await asked.until(entry => entry.kind === 'elicit');
    assert.equal(requestedSchema.properties.titledSingle.oneOf[1].title, 'Second Option');
    assert.equal(requestedSchema.properties.titledMulti.items.anyOf[2].const, 'value3');
  });
  await feature('elicitation: a page to open', async () => {
    const { client, asked } = await connect();
    assert.match(textOf(await call(client, 'elicit_url')), /action=accept/);
    assert.equal((await asked.until(entry => entry.mode === 'url')).url, 'https://example.com/sign-in');
  });
  await feature('sampling', async () => {
    const { client, asked } = await connect();
    assert.equal(textOf(await call(client, 'test_sampling', { prompt: 'hello' })), 'LLM response: you said hello');
    assert.equal((await asked.until(entry => entry.kind === 'sample')).maxTokens, 100);
  });
  await feature('roots asked for inside a call', async () => {
    const { client } = await connect();
    const roots = textOf(await call(client, 'ask_roots'));
    assert.equal(roots, era.roots ?? 'file:///tmp/one file:///tmp/two');
  });
  await feature('several rounds of questions in one call', async () => {
    const { client, asked } = await connect();
    assert.equal(textOf(await call(client, 'several_rounds')), 'a name, you said greet a name, a name');
    assert.deepEqual(asked.all.map(entry => entry.kind), ['elicit', 'sample', 'elicit']);
  });
  await feature('questions of two clients at once reach the right one', async () => {
    const clients = await Promise.all([connect(), connect()]);
    const answers = await Promise.all(clients.map(({ client }, at) => call(client, 'test_sampling', { prompt: `client ${at}` })));
    assert.deepEqual(answers.map(textOf), ['LLM response: you said client 0', 'LLM response: you said client 1']);
    for (const { asked } of clients) assert.equal(asked.all.length, 1);
  });
  await feature('list-changed: the client hears of it and sees the new tool', async () => {
    const { client, changes } = await connect();
    await era.listen?.(client, { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true });
    const added = textOf(await call(client, 'trigger_list_changed'));
    for (const list of ['tools', 'prompts', 'resources']) {
      await changes.until(entry => entry.method === `notifications/${list}/list_changed`, `${list} list_changed`);
    }
    const names = async () => (await client.listTools(undefined, era.fresh)).tools.map(tool => tool.name);
    await eventually(names, all => all.includes(added), 'the new tool in the list');
  });
  await feature('subscription: an update of the watched resource, and none after the end', async () => {
    const { client, changes } = await connect();
    const end = await era.subscribe(client, WATCHED);
    await call(client, 'trigger_resource_updated');
    await changes.until(entry => entry.params?.uri === WATCHED, 'resources/updated');
    await end();
    const heard = changes.all.length;
    await call(client, 'trigger_resource_updated');
    await call(client, 'test_simple_text');
    assert.equal(changes.all.length, heard);
  });
  await feature('a result of 5 MB arrives whole', async () => {
    const { client } = await connect();
    const big = textOf(await call(client, 'big_result'));
    assert.equal(big.length, 5_000_000);
    assert.ok(big === bigText(), 'the text differs from what the server sent');
  });
  await feature('forty calls at once, each with its own answer', async () => {
    const { client } = await connect();
    const sums = await Promise.all(Array.from({ length: 40 }, (_, n) => call(client, 'add', { a: n, b: n })));
    assert.deepEqual(sums.map(textOf), Array.from({ length: 40 }, (_, n) => String(2 * n)));
  });
  if (!DIRECT) {
    await feature('two clients of one user share one process', async () => {
      const clients = await Promise.all([connect(), connect()]);
      const pids = await Promise.all(clients.map(({ client }) => call(client, 'whoami')));
      assert.equal(textOf(pids[0]), textOf(pids[1]));
    });
  }
}
