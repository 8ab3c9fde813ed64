// Owns how an interop test runs: one line per test (`ok`, `FAILED`, `skipped: reason`), a deadline for each, the start
// of mcpwrap around a command and the wait for its URL. It knows nothing of MCP and of no SDK. With DIRECT=stdio the
// client starts the server itself, with DIRECT=http the server's own SDK serves it: so we know that a test asks only
// for what the pair can do without mcpwrap.

import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createInterface } from 'node:readline';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = dirname(fileURLToPath(import.meta.url));
export const DIRECT = process.env.DIRECT;
const MCPWRAP = resolve(process.env.MCPWRAP ?? join(HERE, '../../target/release/mcpwrap'));

const TEST_DEADLINE_MS = 45_000;
const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;
const TAIL_LINES = 25;

/** The commands of the servers that we wrap, by name. */
export const SERVERS = {
  everything: [process.execPath, join(HERE, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'],
  legacy: [process.execPath, join(HERE, 'fixtures/legacy-server.mjs')],
  modern: [process.execPath, join(HERE, 'fixtures/modern-server.mjs')],
};

const totals = { ok: 0, failed: 0, skipped: 0 };
let cleanups = [];
let only = process.env.ONLY;

/** What has to end when the test that is running ends. */
export const onEnd = action => cleanups.push(action);

export function skip(name, reason) {
  totals.skipped += 1;
  console.log(`skipped: ${name}: ${reason}`);
}

const within = (ms, what, work) => {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen within ${ms / 1000} s`)), ms);
  });
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer));
};

export async function test(name, body, deadline = TEST_DEADLINE_MS) {
  if (only && !name.includes(only)) return;
  const started = performance.now();
  try {
    await within(deadline, 'the end of the test', body());
    totals.ok += 1;
    console.log(`ok ${name} (${Math.round(performance.now() - started)} ms)`);
  } catch (error) {
    totals.failed += 1;
    console.log(`FAILED ${name}`);
    console.log(`  ${String(error?.stack ?? error).split('\n').slice(0, 12).join('\n  ')}`);
    for (const line of tail) console.log(`  | ${line}`);
  }
  const ending = cleanups.reverse();
  cleanups = [];
  await Promise.race([
    Promise.allSettled(ending.map(end => end())),
    new Promise(done => setTimeout(done, STOP_DEADLINE_MS).unref()),
  ]);
}

/** The last lines that mcpwrap wrote to stderr, shown under a failing test. */
const tail = [];
const children = new Set();

/** Starts a program, resolves with the first line of its stdout, keeps the end of its stderr. */
export async function startForUrl([program, ...args], env = process.env) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  children.add(child);
  const exit = new Promise(done => child.once('exit', (code, signal) => done({ code, signal })));
  void exit.then(() => children.delete(child));
  const stdout = [];
  createInterface({ input: child.stderr }).on('line', line => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
  });
  const url = await within(START_DEADLINE_MS, `the URL of ${program}`, new Promise((found, fail) => {
    createInterface({ input: child.stdout }).on('line', line => {
      stdout.push(line);
      found(line.trim());
    });
    child.once('error', fail);
    void exit.then(({ code }) => fail(new Error(`it ended with ${code} before it printed a URL\n${tail.join('\n')}`)));
  }));
  const stop = async () => {
    child.kill('SIGTERM');
    const ended = await within(STOP_DEADLINE_MS, 'the end after SIGTERM', exit).catch(error => {
      child.kill('SIGKILL');
      throw error;
    });
    return { ...ended, stdout };
  };
  return { url, stop };
}

/** The server by name, as the transport of a client needs it: `{url}` through mcpwrap, `{command, args}` directly. */
export async function serve(name, options = []) {
  const command = SERVERS[name] ?? name;
  if (DIRECT === 'http' && name !== 'everything') return { name, ...(await startForUrl([...command, '--http'])) };
  if (DIRECT) return { name, command: command[0], args: command.slice(1), stop: async () => ({}) };
  const wrapped = await wrap(command, options);
  return { name, ...wrapped };
}

export function wrap(command, options = []) {
  accessSync(MCPWRAP, constants.X_OK);
  return startForUrl([MCPWRAP, 'dev', '--listen', '127.0.0.1:0', ...options, '--', ...command]);
}

/** A list of what arrived, whose reader waits for the entry instead of sleeping. */
export class Inbox {
  #entries = [];
  #waiting = new Set();

  push(entry) {
    this.#entries.push(entry);
    for (const look of [...this.#waiting]) look();
  }

  get all() {
    return [...this.#entries];
  }

  until(wanted, what = 'the awaited message', ms = 10_000) {
    const arrived = new Promise(found => {
      const look = () => {
        const entry = this.#entries.find(wanted);
        if (entry === undefined) return;
        this.#waiting.delete(look);
        found(entry);
      };
      this.#waiting.add(look);
      look();
    });
    return within(ms, what, arrived);
  }
}

/** Asks again until the answer satisfies, because some effects have no event that a client could wait for. */
export async function eventually(ask, satisfied, what, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (satisfied(answer)) return answer;
    if (Date.now() > end) throw new Error(`${what} did not happen within ${ms / 1000} s, last seen: ${JSON.stringify(answer)}`);
    await new Promise(done => setTimeout(done, 50));
  }
}

/** Prints the totals and ends the process; nothing that was started outlives it. */
export function finish(suite) {
  for (const child of children) child.kill('SIGKILL');
  console.log(`${suite}: ${totals.ok} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  process.exit(totals.failed > 0 ? 1 : 0);
}
