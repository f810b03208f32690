/**
 * A gateway that starts one cell on a machine one of whose programs never comes back. For tests that kill it then.
 *
 * Arguments: folder of the records, folder of packages, step, the program in its place.
 */
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createSandbox } from '../../src/sandbox/index.ts';
import { cellSpec } from './cell-spec.ts';
import { type Step, withProgram } from './fault-tools.ts';

const [stateDir = '', packagesDir = '', step = '', path = ''] = process.argv.slice(2);
const sandbox = await createSandbox({
  stateDir,
  packagesDir,
  log: silentLog,
  clock: systemClock,
  random: systemRandom,
  host: withProgram(step as Step, path), // a step's name, from the test
});
const ignore = (): void => undefined;
const cell = await sandbox.launch(cellSpec({ command: ['sleep', '600'], tcpPorts: [443, 80] }), {
  onTcp: ignore,
  onDnsTcp: ignore,
  onDnsUdp: ignore,
});
await cell.exited;
