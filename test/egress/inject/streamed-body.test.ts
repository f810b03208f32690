import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type CredentialBinding } from '../../../src/egress/index.ts';
import type { RequestStream } from '../../../src/egress/message.ts';
import { Refusal } from '../../../src/egress/refusals.ts';
import { StreamedBody } from '../../../src/egress/inject/request-body.ts';
import { AppError, Secret } from '../../../src/kernel/index.ts';
import { Fields } from '../../../src/wire/index.ts';
import { FOREIGN, given } from './bound-request.ts';
import { bearer, PLACEHOLDER, TOKEN } from '../world.ts';

/** What became of a body that was sent in pieces. */
interface Outcome {
  readonly text: string;
  readonly ended: boolean;
  /** Code of the refusal. */
  readonly refused: string | null;
  readonly opened: number;
}

interface How {
  /** How long opening takes: `later` is after the whole body came. */
  readonly opening?: 'soon' | 'later' | 'never';
}

const codeOf = (reason: unknown): string | null =>
  reason instanceof Refusal || reason instanceof AppError ? reason.code : null;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function stream(
  credentials: readonly CredentialBinding[],
  headers: Readonly<Record<string, string>>,
  pieces: readonly (string | Buffer)[],
  { opening = 'soon' }: How = {},
): Promise<Outcome> {
  const { binder, request } = given(credentials, headers);
  const written: Buffer[] = [];
  let [ended, opened] = [false, 0];
  let failure: unknown = null;
  const upstream: RequestStream = {
    lastActive: 0,
    write: (data) => {
      expect(data.length).toBeGreaterThan(0);
      written.push(data);
      return true;
    },
    end: () => {
      ended = true;
    },
    pause: () => {},
    resume: () => {},
    destroy: () => {},
  };
  const release: (() => void)[] = [];
  const body = new StreamedBody(upstream, request, {
    ...binder,
    judge: () => null,
    open: async () => {
      opened += 1;
      if (opening === 'later') await new Promise<void>((resolve) => release.push(resolve));
      if (opening === 'never') throw new AppError('vault_denied', 'No.', { kind: 'denied' });
      return Secret.fromString(TOKEN);
    },
    onBodyRoom: () => {},
    onBodyFailure: (reason) => {
      failure ??= reason;
      body.stop();
    },
  });
  for (const piece of pieces) {
    if (body.refused !== null) break;
    body.onBody(Buffer.from(piece));
    if (opening === 'soon') await turn();
  }
  if (opening === 'later' && opened > 0) expect(body.isFull).toBe(true);
  if (body.refused === null) body.end(new Fields());
  /* One of them always comes, after as long as decoding takes. */
  while (!ended && failure === null && body.refused === null) {
    for (const go of release.splice(0)) go();
    await turn();
  }
  body.stop();
  return {
    text: Buffer.concat(written).toString('latin1'),
    ended,
    refused: codeOf(body.refused ?? failure),
    opened,
  };
}

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const MULTIPART = { 'Content-Type': 'multipart/form-data; boundary="XX"' };
const form = [bearer({ inject: [{ form: 'key' }] })];
const multipart = [bearer({ inject: [{ multipart: 'key' }] })];
const part = (name: string, content: string): string =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
const END = '--XX--\r\n';

/** Split at every byte, and into single bytes. */
function* splits(body: string): Generator<string[]> {
  for (let at = 0; at <= body.length; at += 1) yield [body.slice(0, at), body.slice(at)].filter(Boolean);
  yield Array.from(body);
}

const GOOD = [
  ['a form', form, FORM, `a=1&key=${PLACEHOLDER}&b`],
  ['a form that begins with it', form, FORM, `key=${PLACEHOLDER}`],
  ['a multipart form', multipart, MULTIPART, `${part('a', '1')}${part('key', PLACEHOLDER)}${END}`],
] as const;

describe('a body that streams', () => {
  it.each(GOOD)(
    '%s, split anywhere: the key is in its place, and the rest is what it was',
    async (_name, credentials, headers, body) => {
      for (const pieces of splits(body)) {
        expect(await stream(credentials, headers, pieces)).toEqual({
          text: body.replace(PLACEHOLDER, TOKEN),
          ended: true,
          refused: null,
          opened: 1,
        });
      }
    },
  );

  it.each(GOOD)('%s, with a key that takes its time', async (_name, credentials, headers, body) => {
    for (const pieces of [[body], Array.from(body)])
      expect(await stream(credentials, headers, pieces, { opening: 'later' })).toMatchObject({
        text: body.replace(PLACEHOLDER, TOKEN),
        ended: true,
      });
  });

  it.each(GOOD)(
    '%s: nothing from the key on is sent when there is none',
    async (_name, credentials, headers, body) => {
      for (const pieces of [[body], Array.from(body)]) {
        const outcome = await stream(credentials, headers, pieces, { opening: 'never' });
        expect(outcome).toMatchObject({ ended: false, refused: 'vault_denied' });
        expect(body.startsWith(outcome.text)).toBe(true);
        expect(outcome.text.length).toBeLessThanOrEqual(body.indexOf(PLACEHOLDER));
      }
    },
  );

  const twice = `key=${PLACEHOLDER}&x=1&key=2`;
  const BAD: readonly [string, readonly CredentialBinding[], Record<string, string>, string, string?][] = [
    ['another field', form, FORM, `other=${PLACEHOLDER}`],
    ['the name of a field', form, FORM, `${PLACEHOLDER}=1`],
    ['a longer value', form, FORM, `key=x${PLACEHOLDER}`],
    ['a value without a name', form, FORM, PLACEHOLDER],
    ['a field that comes again', form, FORM, twice],
    ['a field that was there before', form, FORM, `key=2&key=${PLACEHOLDER}`],
    ['a field behind a semicolon', form, FORM, `a=1;key=${PLACEHOLDER}`],
    ['another field, percent-encoded', form, FORM, `o=${PLACEHOLDER.replaceAll('P', '%50')}`],
    ['another field, in base64', form, FORM, `o=${btoa(`xx${PLACEHOLDER}xx`)}&p=1`],
    ['a form of another type', form, { 'Content-Type': 'text/plain' }, `key=${PLACEHOLDER}`],
    ['a form of no type', form, {}, `key=${PLACEHOLDER}`],
    ["another cell's", form, FORM, `key=${FOREIGN}`, 'egress_placeholder_foreign'],
    ["another cell's, elsewhere", form, FORM, `x=${FOREIGN}&y`, 'egress_placeholder_foreign'],
    ['another part', multipart, MULTIPART, `${part('x', PLACEHOLDER)}${END}`],
    ['the name of a part', multipart, MULTIPART, `${part(PLACEHOLDER, 'x')}${END}`],
    ['a file', multipart, MULTIPART, `${part('key"; filename="k', PLACEHOLDER)}${END}`],
    ['the name of a file', multipart, MULTIPART, `${part(`k"; filename="${PLACEHOLDER}`, '')}${END}`],
    ['a longer part', multipart, MULTIPART, `${part('key', `${PLACEHOLDER}\n`)}${END}`],
    ['a part that comes again', multipart, MULTIPART, `${part('key', PLACEHOLDER)}${part('key', '')}${END}`],
    ['a preamble', multipart, MULTIPART, `${PLACEHOLDER}\r\n${part('key', '1')}${END}`],
    ['an epilogue', multipart, MULTIPART, `${part('key', '1')}${END}${PLACEHOLDER}`],
    ['a form without that boundary', multipart, MULTIPART, part('key', PLACEHOLDER).replaceAll('XX', 'YY')],
    [
      'a form that ends without its boundary',
      multipart,
      MULTIPART,
      `${part('key', PLACEHOLDER)}--XX\r\n`,
      'egress_request_malformed',
    ],
    [
      'a form with more behind its end',
      multipart,
      MULTIPART,
      `${part('key', PLACEHOLDER)}${END}--XX`,
      'egress_request_malformed',
    ],
  ];

  it.each(BAD)(
    '%s, split anywhere: it is refused and never completed',
    async (_name, credentials, headers, body, code = 'egress_placeholder_misplaced') => {
      for (const pieces of splits(body)) {
        const { refused, ended, text } = await stream(credentials, headers, pieces);
        expect([refused, ended]).toEqual([code, false]);
        expect(text).not.toContain(FOREIGN);
        if (body !== twice && code === 'egress_placeholder_misplaced')
          expect(text).not.toMatch(new RegExp(`${TOKEN}.`));
      }
    },
  );

  it('under a coding is searched before it is completed, and passes as it came', async () => {
    const coded = { 'Content-Encoding': 'gzip' };
    const clean = gzipSync(`a ${'b'.repeat(100_000)}`);
    expect(await stream(form, coded, [clean.subarray(0, 50), clean.subarray(50)])).toEqual({
      text: clean.toString('latin1'),
      ended: true,
      refused: null,
      opened: 0,
    });
    for (const [coding, bytes] of [
      ['gzip', gzipSync(`a ${PLACEHOLDER}`)],
      ['br', brotliCompressSync(`${'b'.repeat(100_000)}${PLACEHOLDER}`)],
      ['identity, gzip', gzipSync(btoa(PLACEHOLDER))],
    ] as const) {
      const outcome = await stream(form, { ...FORM, 'Content-Encoding': coding }, [bytes]);
      expect(outcome).toMatchObject({ ended: false, refused: 'egress_placeholder_misplaced' });
    }
  });

  it('is refused when it is not in the coding that it claims, and passes in one that nobody knows', async () => {
    expect(await stream(form, { 'Content-Encoding': 'gzip' }, ['no gzip'])).toMatchObject({
      ended: false,
      refused: 'egress_request_malformed',
    });
    expect(await stream(form, { 'Content-Encoding': 'aws-chunked' }, ['plain'])).toMatchObject({
      text: 'plain',
      ended: true,
    });
    expect(await stream(form, { 'Content-Encoding': 'aws-chunked' }, [PLACEHOLDER])).toMatchObject({
      refused: 'egress_placeholder_misplaced',
    });
  });

  it('puts nothing in once the request is over, and keeps no key', async () => {
    const { binder, request } = given(form, FORM);
    const written: Buffer[] = [];
    const nothing = (): void => undefined;
    const upstream: RequestStream = {
      lastActive: 0,
      write: (data) => written.push(data) > 0,
      end: () => expect.unreachable(),
      pause: nothing,
      resume: nothing,
      destroy: nothing,
    };
    const value = Secret.fromString(TOKEN);
    let give: (secret: Secret) => void = nothing;
    const body = new StreamedBody(upstream, request, {
      ...binder,
      judge: () => null,
      open: () => new Promise((resolve) => (give = resolve)),
      onBodyRoom: () => expect.unreachable(),
      onBodyFailure: () => expect.unreachable(),
    });
    body.onBody(Buffer.from(`a=1&key=${PLACEHOLDER}&b`));
    body.end(new Fields());
    body.stop();
    give(value);
    await turn();
    expect(Buffer.concat(written).toString()).toBe('a=1&key=');
    expect(() => value.bytes()).toThrow('destroyed');
  });
});

describe('an upstream that cannot be written to', () => {
  it.each([
    ['at once', 'a=1&'],
    ['behind a key', `key=${PLACEHOLDER}&`],
  ])('fails the body, and nothing else: %s', async (_name, piece) => {
    const { binder, request } = given([bearer({ inject: [{ form: 'key' }] })], FORM);
    const broken = new Error('not written');
    let failure: unknown = null;
    const write = (data: Buffer): boolean => {
      if (data.toString() !== 'key=') throw broken;
      return true;
    };
    const nothing = (): void => {};
    const body = new StreamedBody(
      { lastActive: 0, write, end: nothing, pause: nothing, resume: nothing, destroy: nothing },
      request,
      {
        ...binder,
        judge: () => null,
        open: async () => Secret.fromString(TOKEN),
        onBodyRoom: nothing,
        onBodyFailure: (reason) => {
          failure = reason;
        },
      },
    );
    body.onBody(Buffer.from(piece));
    await turn();
    expect(body.refused ?? failure).toBe(broken);
  });
});
