import { describe, expect, it } from 'vitest';
import { callRefusal, isCall } from '../../src/egress/http2/call-refusal.ts';
import { Fields } from '../../src/wire/index.ts';
import { ask, connectHttp2 } from './http2-world.ts';
import { inWorld, PLACEHOLDER } from './world.ts';

const refusal = { status: 403, code: 'egress_code', message: 'No: 100 % \u00e9.', hint: 'Do\nthis.' };

describe('a refusal for gRPC', () => {
  it('has a status of gRPC, and says why in the text that belongs to it', () => {
    const fields = callRefusal(refusal);
    expect(fields.get('content-type')).toBe('application/grpc');
    expect(fields.get('grpc-status')).toBe('7');
    expect(fields.get('grpc-message')).toBe('egress_code: No: 100 %25 %C3%A9. Do%0Athis.');
  });

  it.each([
    [400, '13'],
    [413, '8'],
    [502, '14'],
    [418, '2'],
  ])('%i is %s', (status, expected) => {
    expect(callRefusal({ ...refusal, status }).get('grpc-status')).toBe(expected);
  });

  it.each([
    ['application/grpc', true],
    ['application/grpc+proto', true],
    ['Application/gRPC; x=y', true],
    ['application/grpc-web', false],
    ['application/json', false],
  ])('%s: %s', (type, expected) => {
    const fields = new Fields();
    fields.add('Content-Type', type);
    expect(isCall(fields)).toBe(expected);
  });

  it('is given to calls, and JSON to all others', async () => {
    await inWorld({}, async (world) => {
      const session = await connectHttp2(world);
      const headers = { ':method': 'POST', 'x-other': PLACEHOLDER };
      const call = await ask(session, { ...headers, 'content-type': 'application/grpc' }, 'x');
      expect([call.status, call.headers['grpc-status'], call.body.length, call.reset]).toEqual([
        200,
        '7',
        0,
        0,
      ]);
      expect(call.headers['grpc-message']).toContain('egress_placeholder_misplaced');
      const other = await ask(session, headers, 'x');
      expect([other.status, other.headers['content-type']]).toEqual([403, 'application/json']);
      expect((await world.eventsOf('credential.refused'))[0]?.data).toMatchObject({
        code: 'egress_placeholder_misplaced',
      });
      session.destroy();
    });
  });
});
