import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  batchLines,
  datagrams,
  framed,
  lagOf,
  otlpBody,
  otlpRejected,
  reachedIn,
  readSigningKeys,
  syslogMessages,
  webhookBody,
  webhookHeaders,
} from '../../src/delivery/index.ts';
import { backOffMs } from '../../src/delivery/back-off.ts';
import { limits, Secret } from '../../src/kernel/index.ts';
import { checkpoint, event, WORKSPACE } from './events.ts';

const keysOf = (text: string) => readSigningKeys(Secret.fromString(text));
const batch = { id: 'b', at: 1_700_000_000_123, events: [event(7)], checkpoints: [checkpoint(7)] };

describe('signatures of webhooks', () => {
  // The example of the specification's reference libraries.
  const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

  it('are those of the specification', () => {
    const keys = keysOf(SECRET);
    if (!keys.ok) throw new Error(keys.error);
    const body = Buffer.from('{"test": 2432232314}');
    expect(webhookHeaders(keys.value, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_999, body)).toEqual([
      ['webhook-id', 'msg_p5jXN8AQM9LWM0D4loKWxJek'],
      ['webhook-timestamp', '1614265330'],
      ['webhook-signature', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='],
    ]);
  });

  it('are two while one secret replaces another, the new one first, and none without a secret', () => {
    const keys = keysOf(`${OTHER}\n${SECRET}\n`);
    if (!keys.ok) throw new Error(keys.error);
    const body = Buffer.from('x');
    const mac = (secret: string): string =>
      `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
        .update('i.1.x')
        .digest('base64')}`;
    expect(webhookHeaders(keys.value, 'i', 1_000, body).at(-1)).toEqual([
      'webhook-signature',
      `${mac(OTHER)} ${mac(SECRET)}`,
    ]);
    expect(webhookHeaders([], 'i', 1_000, body).map(([name]) => name)).toEqual([
      'webhook-id',
      'webhook-timestamp',
    ]);
  });

  it.each([
    ['', 'it is empty'],
    ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'a line is not whsec_'],
    ['whsec_c2hvcnQ=', 'a line is not whsec_'],
    [`whsec_${'A'.repeat(100)}`, 'a line is not whsec_'],
    ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa*w', 'a line is not whsec_'],
    [`${SECRET}\n${OTHER}\n${SECRET}`, 'it has more than 2 lines'],
  ])('are not made with %j', (text, why) => {
    const keys = keysOf(text);
    expect(keys).toMatchObject({ ok: false, error: expect.stringContaining(why) as string });
    if (text !== '') expect(JSON.stringify(keys)).not.toContain(text.slice(6, 20));
  });
});

describe('bodies', () => {
  it('of webhooks have the documented shape', () => {
    expect(JSON.parse(webhookBody(batch).toString())).toEqual({
      type: 'audit.batch',
      id: 'b',
      timestamp: '2023-11-14T22:13:20.123Z',
      data: {
        events: [{ ...event(7) }],
        checkpoints: [{ ...checkpoint(7), type: 'audit.checkpoint' }],
      },
    });
  });

  it('of OpenTelemetry have exact times, severities and an id', () => {
    const body = JSON.parse(
      otlpBody({ ...batch, events: [event(7), event(8, { type: 'egress.refused' })] }, '1.2.3').toString(),
    ) as {
      resourceLogs: [{ resource: object; scopeLogs: [{ logRecords: Record<string, unknown>[] }] }];
    };
    expect(body.resourceLogs[0].resource).toEqual({
      attributes: [
        { key: 'service.name', value: { stringValue: 'sallyport' } },
        { key: 'service.version', value: { stringValue: '1.2.3' } },
      ],
    });
    const [first, second, third] = body.resourceLogs[0].scopeLogs[0].logRecords;
    expect(first).toMatchObject({
      timeUnixNano: '1767323045007000000',
      observedTimeUnixNano: '1700000000123000000',
      severityNumber: 9,
      eventName: 'call.started',
      attributes: expect.arrayContaining([
        { key: 'sallyport.id', value: { stringValue: `${WORKSPACE}:7` } },
        { key: 'sallyport.sequence', value: { intValue: '7' } },
      ]) as unknown[],
    });
    expect(second).toMatchObject({ severityNumber: 13, severityText: 'WARN' });
    expect(third).toMatchObject({ eventName: 'audit.checkpoint' });
  });

  it.each([
    ['{}', 0],
    ['', 0],
    ['{"partialSuccess":{"rejectedLogRecords":"3"}}', 3],
    ['{"partialSuccess":{"rejectedLogRecords":2,"errorMessage":"x"}}', 2],
    ['{"partialSuccess":null}', 0],
    ['{"partialSuccess":{"rejectedLogRecords":-1}}', 0],
  ])('of collectors, %s, reject %i', (answer, rejected) => {
    expect(otlpRejected(answer)).toBe(rejected);
  });
});

describe('syslog', () => {
  const origin = { host: 'gate way', pid: 42 };

  it('has the header of RFC 5424 and the event as JSON', () => {
    const [first, second] = syslogMessages(batch, origin).map((message) => message.toString());
    expect(first).toMatch(
      /^<110>1 2026-01-02T03:04:05\.007Z gate_way sallyport 42 call\.started - \ufeff\{"sequence":7,/,
    );
    expect(second).toContain(' audit.checkpoint - \ufeff{"sequence":7,');
    const grave = syslogMessages(
      { ...batch, events: [event(1, { type: 'placeholder.foreign' })] },
      origin,
    )[0];
    expect(grave?.toString().startsWith('<106>1 ')).toBe(true);
  });

  it('is framed by the number of its octets', () => {
    expect(framed([Buffer.from('ü'), Buffer.from('ab')]).toString()).toBe('2 ü2 ab');
  });

  it('leaves out of a datagram what is too long for one, and says so', () => {
    const long = event(1, { data: { text: 'ü'.repeat(limits.deliveryDatagramBytesMax / 2) } });
    const [message] = datagrams({ ...batch, events: [long] }, origin);
    expect(message?.length).toBeLessThan(2_000);
    expect(message?.toString()).toContain('"leftOut":"too long for a datagram"');
  });
});

describe('lines of a file', () => {
  it('say how far they go, for their workspace', () => {
    const text = batchLines({ ...batch, events: [event(6), event(7)] }).join('');
    expect(reachedIn(text, WORKSPACE)).toEqual({ sequence: 7, checkpoint: 7 });
    expect(reachedIn(text, 'wsp_other')).toEqual({ sequence: 0, checkpoint: 0 });
    expect(reachedIn('{"sequence":99}\nx\n', WORKSPACE)).toEqual({ sequence: 0, checkpoint: 0 });
  });
});

describe('the pause after failures', () => {
  it('doubles up to a limit, half of it by chance', () => {
    const least = { bytes: (length: number) => Buffer.alloc(length) };
    const most = { bytes: (length: number) => Buffer.alloc(length, 0xff) };
    expect([1, 2, 3, 40].map((failures) => backOffMs(failures, least))).toEqual([500, 1_000, 2_000, 150_000]);
    expect(Math.round(backOffMs(1, most))).toBe(1_000);
  });
});

describe('the lag', () => {
  it('is counted in events, and in the time that the oldest one waits which has to go', async () => {
    const log = [
      event(1),
      event(2, { type: 'delivery.failed', at: 5 }),
      event(3, { at: 1_000 }),
      event(4, { at: 2_000 }),
    ];
    const source = {
      head: async () => log.length,
      read: async (from: number, limit: number) => log.slice(from - 1, from - 1 + limit),
      checkpoints: async () => [],
    };
    expect(await lagOf(source, 1, 11_000)).toEqual({ events: 2, ms: 10_000 });
    expect(await lagOf(source, 4, 11_000)).toEqual({ events: 0, ms: 0 });
    log.splice(2);
    expect(await lagOf(source, 1, 11_000)).toEqual({ events: 0, ms: 0 });
  });
});
