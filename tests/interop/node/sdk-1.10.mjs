// Owns a conversation with npm `@modelcontextprotocol/sdk` 1.10, of April 2025: `node sdk-1.10.mjs TARGET`, where TARGET
// is a URL or a JSON array with the command of a stdio server. talk.mjs is the other end. It knows no elicitation yet.

import { createInterface } from 'node:readline';
import { Client } from 'legacy-sdk-1.10/client/index.js';
import { StdioClientTransport } from 'legacy-sdk-1.10/client/stdio.js';
import { StreamableHTTPClientTransport } from 'legacy-sdk-1.10/client/streamableHttp.js';
import * as mcp from 'legacy-sdk-1.10/types.js';

const say = line => console.log(JSON.stringify(line));

function connectTo(target) {
  if (target.startsWith('[')) {
    const [command, ...args] = JSON.parse(target);
    return new StdioClientTransport({ command, args, stderr: 'ignore' });
  }
  const bearer = process.env.MATRIX_BEARER;
  const requestInit = bearer ? { headers: { authorization: `Bearer ${bearer}` } } : {};
  return new StreamableHTTPClientTransport(new URL(target), { requestInit });
}

const client = new Client({ name: 'sdk-1.10', version: '1.0.0' }, { capabilities: { sampling: {}, roots: {} } });
client.setRequestHandler(mcp.CreateMessageRequestSchema, async ({ params }) => ({
  role: 'assistant', model: 'no-model', content: { type: 'text', text: `you said ${params.messages.at(-1).content.text}` },
}));
client.setRequestHandler(mcp.ListRootsRequestSchema, async () => ({ roots: [{ uri: 'file:///tmp/one', name: 'one' }] }));
client.setNotificationHandler(mcp.LoggingMessageNotificationSchema, ({ params }) => say({ log: params.data }));

async function obey({ tool, args, ping, level }) {
  if (ping) await client.ping();
  else if (level) await client.setLoggingLevel(level);
  else {
    const onprogress = ({ progress }) => say({ progress });
    const result = await client.callTool({ name: tool, arguments: args }, undefined, { onprogress });
    return result.content.map(part => part.text ?? '').join('\n');
  }
  return '';
}

await client.connect(connectTo(process.argv[2]));
say({ tools: (await client.listTools()).tools.length });
for await (const line of createInterface({ input: process.stdin })) {
  await obey(JSON.parse(line)).then(text => say({ text }), error => say({ error: error.message }));
}
await client.close();
