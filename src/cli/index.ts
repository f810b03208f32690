export type { Check, Claim, CliHost, Connection, LintReport, RunOptions } from './host.ts';
export { printable, printableLines } from './output.ts';
export { run } from './program.ts';
