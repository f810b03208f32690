export type {
  CallbackArrival,
  CallbackDoor,
  Check,
  Claim,
  CliHost,
  Connection,
  LintReport,
  RunOptions,
  ServeOptions,
} from './host.ts';
export { printable, printableLines } from './output.ts';
export { run } from './program.ts';
