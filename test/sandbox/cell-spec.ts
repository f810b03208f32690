/** A cell as tests start it: with the command that they give, and nothing that they do not ask for. */
import { newId, systemRandom } from '../../src/kernel/index.ts';
import type { CellSpec } from '../../src/sandbox/index.ts';

export const cellSpec = (spec: Pick<CellSpec, 'command'> & Partial<CellSpec>): CellSpec => ({
  id: newId<'cell'>('cell', systemRandom),
  label: 'test',
  args: [],
  env: {},
  tcpPorts: [],
  caPem: '',
  files: [],
  limits: {},
  ...spec,
});
