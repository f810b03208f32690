import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whatever began last of these, which wait more than they work, would be waited for alone. */
const FIRST = ['test/catalog/catalog-e2e', 'test/e2e/run.', 'test/e2e/real-servers'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = FIRST.findIndex((name) => moduleId.includes(name));
      return at === -1 ? FIRST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

/** What takes long, and what looks at the memory or the descriptors of its own process: each file has a process to itself. */
const APART = [
  'test/{catalog,clients,e2e}/**/*.test.ts',
  'test/attacks/{egress-http2,front,run,whole}-*.test.ts',
  'test/sandbox/{cell,faults,file-grants,launch-failures,prepared-cells}.test.ts',
  'test/egress/websocket-relay.test.ts',
  'test/main/answer-server.test.ts',
];

// What tests make for other users to read must not depend on who runs them.
process.umask(0o022);

// For every process that the tests start: hundreds of times the same modules.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/sallyport-compiled');

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'apart', include: APART } },
      // To load the product anew for each of four hundred files costs more than most of them do.
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...APART],
          isolate: false,
        },
      },
    ],
    pool: 'forks',
    // Of two processors: there is always one that waits.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 180_000,
    hookTimeout: 240_000,
    // What is waited for may be a process on a busy machine.
    expect: { poll: { timeout: 20_000 } },
  },
});
