// SIPp: calls by the thousand, with the scenarios of scenarios/.
import { fileURLToPath } from 'node:url';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Process } from './process.js';

const scenario = (name) => fileURLToPath(new URL(`../scenarios/${name}.xml`, import.meta.url));

/**
 * Starts SIPp.
 * @param {object} options
 * @param {string} options.name of its log
 * @param {string} options.scenario in scenarios/
 * @param {string} options.directory
 * @param {import('./network.js').Host} options.host
 * @param {string} options.server address
 * @param {Record<string, string>} options.keys what the scenario's own keywords stand for
 * @param {string[]} options.args
 */
export function startSipp({ name, scenario: file, directory, host, server, keys, args }) {
  const named = Object.entries(keys).flatMap(([key, value]) => ['-key', key, value]);
  return new Process(name, directory, host.inside('sipp', `${server}:5060`, '-sf', scenario(file), '-i', host.address,
    '-mi', host.address, '-p', '5060', '-nostdin', '-mp', '10000',
    '-trace_err', '-trace_stat', '-fd', '5', ...named, ...args), { cwd: directory });
}

/** The counters at the end of a run, by SIPp's names, cumulative. */
export function sippCounters(directory, scenarioName) {
  const file = readdirSync(directory).find((entry) => entry.startsWith(`${scenarioName}_`) && entry.endsWith('.csv'));
  const [names, ...rows] = readFileSync(join(directory, file), 'latin1').trim().split('\n').map((row) => row.split(';'));
  return Object.fromEntries(names.map((name, column) => [name, rows.at(-1)[column]]));
}
