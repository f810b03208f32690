import { expect, it } from 'vitest';
import { compareRelay } from './websocket-relay.ts';

it('the relay of WebSockets passes what a plain model says, and no key', async () => {
  const { items, keys, ended } = await compareRelay(20_251_121, 1_500);
  expect(items).toBeGreaterThan(5_000);
  expect(keys).toBeGreaterThan(1_000);
  expect([...ended.keys()]).toEqual(
    expect.arrayContaining([
      'egress_placeholder_misplaced',
      'egress_placeholder_foreign',
      'text_not_utf8',
      'reserved_bits',
      'continuation_missing',
    ]),
  );
});
