// Owns the conversation with a client that is a program of its own: a command per line on its stdin (a call of a tool,
// a ping, a level of logging), the answer to each as a line on its stdout, and what it heard of the server meanwhile. It
// decides nothing about right or wrong. The programs are in go/, python/, java/ and node/.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { HERE, Inbox } from './harness.mjs';

const CALL_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 5_000;

/** Starts `program` and waits until it is connected; `heard` has what came without being asked for. */
export async function converse([program, ...args], target, { bearer, era } = {}) {
  const env = { ...process.env, HOME: `${HERE}/.cache/home`, ...(bearer && { MATRIX_BEARER: bearer }), ...(era && { MATRIX_ERA: era }) };
  const child = spawn(program, [...args, target.url ?? JSON.stringify(target.command)], { stdio: 'pipe', env });
  const heard = new Inbox();
  const answers = new Inbox();
  let complaints = '';
  let asked = 0;
  let answered = 0;
  child.stderr.on('data', data => (complaints = (complaints + data).slice(-4000)));
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', line => {
    const said = JSON.parse(line);
    if ('tools' in said || 'text' in said || 'error' in said) answers.push({ ...said, at: answered++ });
    else heard.push(said);
  });
  // After the lines that it still had to say.
  const ended = new Promise(done => child.once('close', done));
  child.once('error', error => answers.push({ ended: error.message }));
  void ended.then(code => answers.push({ ended: `it ended with ${code}: ${complaints}` }));

  const answer = async what => {
    const at = asked++;
    const said = await answers.until(entry => entry.at === at || entry.ended !== undefined, what, CALL_DEADLINE_MS);
    if (said.at !== at) throw new Error(said.ended);
    if (said.error !== undefined) throw new Error(`${what}: ${said.error}`);
    return said.text;
  };
  const ask = (command, what) => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    return answer(what);
  };
  const end = async () => {
    child.stdin.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), END_DEADLINE_MS);
    await ended;
    clearTimeout(kill);
  };
  try {
    await answer('the handshake and tools/list');
  } catch (error) {
    await end();
    throw error;
  }
  return {
    heard,
    call: (tool, given = {}) => ask({ tool, args: given }, `the call of ${tool}`),
    ping: () => ask({ ping: true }, 'the ping'),
    setLevel: level => ask({ level }, 'the setting of the level'),
    end,
  };
}
