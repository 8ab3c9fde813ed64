// Owns the official conformance suite's run through mcpwrap: each pinned version of the suite against each fixture.
// The same fixture served by its own SDK over HTTP is measured in the same run and must match `baseline.toml`; what
// passes there must pass through mcpwrap. A crossing pair (suite of one era, fixture of the other) has no direct
// counterpart: there everything must pass but what `expected.toml` names with the section that forbids it.
// `node conformance.mjs --write-baseline` rewrites the baseline; CROSSING=1 adds the crossing pairs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'smol-toml';
import { DIRECT, HERE, SERVERS, finish, startForUrl, test, wrap } from './harness.mjs';

const RUN_DEADLINE_MS = 300_000;
const BASELINE = join(HERE, 'baseline.toml');
const read = name => parse(readFileSync(join(HERE, name), 'utf8'));

const OLD = { suite: 'conformance-0.1', revision: '2025-11-25', args: [] };
const STATEFUL = { suite: 'conformance-0.2', revision: '2025-11-25', args: ['--spec-version', '2025-11-25'] };
const STATELESS = { suite: 'conformance-0.2', revision: '2026-07-28', args: ['--spec-version', '2026-07-28'] };
const version = suite => JSON.parse(readFileSync(join(HERE, 'node_modules', suite, 'package.json'), 'utf8')).version;
const PAIRS = [
  { ...OLD, fixture: 'legacy', crossing: false },
  { ...STATEFUL, fixture: 'legacy', crossing: false },
  { ...STATELESS, fixture: 'modern', crossing: false },
  { ...OLD, fixture: 'modern', crossing: true },
  { ...STATEFUL, fixture: 'modern', crossing: true },
  { ...STATELESS, fixture: 'legacy', crossing: true },
].map(pair => ({ ...pair, suite_version: version(pair.suite) }));

const title = pair => `conformance ${pair.suite_version}, ${pair.revision}, ${pair.fixture} fixture`;
const isOf = pair => entry =>
  entry.suite === pair.suite_version && entry.revision === pair.revision && entry.fixture === pair.fixture;

/** Runs the suite's program, yields scenario → {outcome, succeeded, complaints}. */
async function runSuite(pair, url) {
  const out = mkdtempSync(join(tmpdir(), 'mcpwrap-conformance-'));
  try {
    const program = join(HERE, 'node_modules', pair.suite, 'dist/index.js');
    const args = [program, 'server', '--url', url, '--suite', 'all', '-o', out, ...pair.args];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'ignore'], timeout: RUN_DEADLINE_MS });
    await new Promise((done, fail) => child.once('exit', done).once('error', fail));
    const scenarios = new Map();
    for (const folder of readdirSync(out)) {
      const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT/.exec(folder)?.[1];
      if (scenario) scenarios.set(scenario, judge(JSON.parse(readFileSync(join(out, folder, 'checks.json'), 'utf8'))));
    }
    return scenarios;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** A scenario passes if it checked something and no check failed; one that only informs has not passed. */
function judge(checks) {
  const failures = checks.filter(check => check.status === 'FAILURE');
  const succeeded = new Set(checks.filter(check => check.status === 'SUCCESS').map(check => check.id));
  const outcome = failures.length > 0 ? 'fail' : succeeded.size > 0 ? 'pass' : 'nothing-checked';
  const complaints = failures.map(check => `${check.id}: ${check.errorMessage ?? check.description}`);
  return { outcome, succeeded, complaints };
}

async function measure(pair, start) {
  const server = await start();
  try {
    return await runSuite(pair, server.url);
  } finally {
    await server.stop().catch(error => console.log(`  | ${error.message}`));
  }
}

const direct = pair => measure(pair, () => startForUrl([...SERVERS[pair.fixture], '--http']));
const wrapped = pair => measure(pair, () => wrap(SERVERS[pair.fixture]));
const named = (scenarios, outcome) =>
  [...scenarios].filter(([, result]) => result.outcome === outcome).map(([scenario]) => scenario).sort();
const count = scenarios => `${named(scenarios, 'pass').length} of ${scenarios.size}`;

const asBaseline = (pair, scenarios) => ({
  suite: pair.suite_version,
  revision: pair.revision,
  fixture: pair.fixture,
  passes: named(scenarios, 'pass'),
  fails: named(scenarios, 'fail'),
  nothing_checked: named(scenarios, 'nothing-checked'),
});

/** One test per scenario; `mustPass` and `cannotPass` are the names, `yardstick` the direct run if there is one. */
async function report(pair, scenarios, mustPass, cannotPass, yardstick) {
  for (const scenario of mustPass) {
    await test(`${title(pair)}: ${scenario}`, async () => {
      const result = scenarios.get(scenario);
      assert.ok(result, 'the scenario left no result');
      assert.equal(result.outcome, 'pass', result.complaints.join('\n'));
    });
    const reached = scenarios.get(scenario)?.succeeded ?? new Set();
    const missing = [...(yardstick?.get(scenario)?.succeeded ?? [])].filter(check => !reached.has(check));
    if (missing.length > 0) console.log(`  note: directly these checks succeed too: ${missing.join(', ')}`);
  }
  for (const scenario of cannotPass) {
    await test(`${title(pair)}: ${scenario} is still forbidden`, async () => {
      assert.notEqual(scenarios.get(scenario)?.outcome, 'pass', 'it passes: take it out of expected.toml');
    });
  }
}

async function sameEra(pair, known) {
  const yardstick = await direct(pair);
  const row = { pair: title(pair), direct: count(yardstick), mcpwrap: '-' };
  await test(`${title(pair)}: served by its SDK it matches baseline.toml`, async () => {
    assert.deepEqual(asBaseline(pair, yardstick), { ...known });
  });
  if (!DIRECT) {
    const scenarios = await wrapped(pair);
    row.mcpwrap = count(scenarios);
    await report(pair, scenarios, known?.passes ?? [], [], yardstick);
  }
  return row;
}

async function crossing(pair, forbidden, applicable) {
  const scenarios = await wrapped(pair);
  const cannotPass = forbidden.map(entry => entry.scenario);
  await test(`${title(pair)}: every exception names the section that forbids it`, async () => {
    for (const { scenario, spec, why } of forbidden) assert.ok(scenario && spec && why, scenario);
  });
  const mustPass = applicable.filter(scenario => !cannotPass.includes(scenario));
  await report(pair, scenarios, mustPass, cannotPass);
  return { pair: `${title(pair)} (crossing)`, direct: 'n/a', mcpwrap: `${count(scenarios)}, ${cannotPass.length} forbidden` };
}

if (process.argv.includes('--write-baseline')) {
  const run = [];
  for (const pair of PAIRS.filter(one => !one.crossing)) run.push(asBaseline(pair, await direct(pair)));
  const head = '# What passes when the SDK itself serves the fixture; written by `node conformance.mjs --write-baseline`.\n\n';
  writeFileSync(BASELINE, head + stringify({ run }).replaceAll('", "', '",\n  "').replaceAll('[ "', '[\n  "').replaceAll('" ]', '",\n]'));
} else if (DIRECT === 'stdio') {
  console.log('skipped: conformance suite: it needs a URL, stdio has none');
} else {
  const baseline = read('baseline.toml').run;
  const expected = read('expected.toml').cannot_pass ?? [];
  const rows = [];
  for (const pair of PAIRS) {
    if (!pair.crossing) rows.push(await sameEra(pair, baseline.find(isOf(pair))));
    else if (process.env.CROSSING === '1' && !DIRECT) {
      // What the suite can pass at all is what it passes against the fixture of its own era.
      const home = baseline.find(entry => entry.suite === pair.suite_version && entry.revision === pair.revision);
      rows.push(await crossing(pair, expected.filter(isOf(pair)), home.passes));
    }
  }
  for (const row of rows) console.log(`${row.pair.padEnd(72)} direct ${row.direct.padEnd(10)} mcpwrap ${row.mcpwrap}`);
}
finish('conformance');
