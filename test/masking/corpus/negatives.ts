/** What looks like a key or like data of a person, and is neither. */
import { characters, type Draw, fill, pick } from './random.ts';

/** By what it is: a text with one. */
export const negatives: Readonly<Record<string, (draw: Draw) => string>> = {
  uuid: (draw) => fill(draw, 'request {uuid} done'),
  'hash of git': (draw) =>
    fill(draw, pick(draw, ['commit {h:40}', 'merge {h:7} into {h:7}', '{h:40} refs/heads/main'])),
  digest: (draw) =>
    fill(draw, pick(draw, ['sha256:{h:64}', 'image@sha256:{h:64}', 'md5 {h:32}', 'ETag: "{h:32}"'])),
  integrity: (draw) => `"integrity": "sha512-${characters(draw, 'b', 86)}=="`,
  timestamp: (draw) =>
    fill(
      draw,
      pick(draw, [
        'at 17{d:8}',
        '"ts": 17{d:11}',
        '2026-0{n:1}-1{d:1}T0{d:1}:{0|1|2}{d:1}:{0|1|2}{d:1}.{d:3}Z',
        '[1{d:1}/Nov/2026:10:{0|1|2}{d:1}:{0|1|2}{d:1} +0{d:1}00]',
        '17{d:14} us',
        'uptime {d:5}.{d:2}',
      ]),
    ),
  version: (draw) =>
    fill(
      draw,
      pick(draw, [
        'v{n:1}.{d:2}.{d:1}',
        'version {n:1}.{n:1}.{d:1}.{n:1}',
        'Chrome/1{d:2}.0.{n:1}{d:2}.{n:1}{d:1}',
        'linux 6.{d:1}.{d:2}-{d:2}-generic',
        'build 10.0.{n:1}{d:3}.{n:1}{d:2}',
        'lib@{n:1}.{d:1}.{d:2}',
        '"version": "{n:1}.{n:1}.{n:1}.{n:1}"',
      ]),
    ),
  package: (draw) =>
    fill(
      draw,
      pick(draw, [
        '@types/node@{n:1}.{d:1}.0',
        'react@18.{d:1}.0',
        'npm:left-pad@1.{d:1}.0',
        'pkg:npm/%40scope/name@{n:1}.0.0',
      ]),
    ),
  'file with an at sign': (draw) =>
    fill(
      draw,
      pick(draw, [
        'logo@2x.png',
        'icon-{s:4}@3x.webp',
        'styles@{n:1}.css',
        'git@github.com:octo/{s:6}.git',
        '@media (min-width: {d:3}px)',
        'user@localhost',
        'a@b',
      ]),
    ),
  'number of an order': (draw) =>
    fill(
      draw,
      pick(draw, [
        'order {n:1}{d:6}',
        'invoice 2026-{d:5}',
        'ticket #{n:1}{d:5}',
        'SKU-{d:8}',
        'id={n:1}{d:8}',
        'row {n:1}{d:9}',
        'INC{d:7}',
        'PO {n:1}{d:7}-{d:2}',
      ]),
    ),
  'identifier of a service': (draw) =>
    fill(
      draw,
      pick(draw, [
        '1{d:17}',
        '1{d:18}',
        'arn:aws:iam::{n:1}{d:11}:role/x',
        'i-0{h:16}',
        'cus_{a:14}',
        'ch_{a:24}',
        'pi_{a:24}',
        'C0{u:9}',
        'channel C{u:10}',
        'evt_{a:24}',
        'pk_live_{a:24}',
      ]),
    ),
  'base64 of a picture': (draw) =>
    `data:image/png;base64,iVBORw0KGgo${Buffer.from(Array.from({ length: 300 }, () => draw(256))).toString('base64')}`,
  'colour, size, position': (draw) =>
    fill(
      draw,
      pick(draw, [
        '#{h:6}',
        'rgb({n:1}{d:1}, {n:1}{d:1}, {n:1})',
        '{d:2}.{d:6}, -{d:2}.{d:6}',
        'lat 5{d:1}.{d:13}',
        '{n:1}{d:2}x{n:1}{d:2}',
        'M {d:2} {d:2} L {d:2} {d:2} {d:3} {d:3}',
      ]),
    ),
  'address of hardware': (draw) =>
    fill(
      draw,
      pick(draw, [
        '{h:2}:{h:2}:{h:2}:{h:2}:{h:2}:{h:2}',
        'at 0{d:1}:{0|1|2}{d:1}:{0|1|2}{d:1}',
        'std::vector<int>::iterator',
        'a::b::c',
        '::before',
        'mod::{s:4}::fn{d:2}',
      ]),
    ),
  'word of a program': (draw) =>
    fill(
      draw,
      pick(draw, [
        'const token = getToken();',
        'password: string',
        'token_type: bearer',
        'max_tokens: {n:1}{d:3}',
        'if (password !== confirmPassword)',
        'secret_name: projects/{d:3}/db',
        'apiKey: process.env.API_KEY',
        'password = "${DB_PASSWORD}"',
        'token: <YOUR_TOKEN>',
        'secretKeyRef: my-secret-{s:4}',
        'API_KEY=changeme',
        'export TOKEN=$(cat file)',
        'password_hint: first dog',
        'access_key_id_label: production',
        'credential_type: oauth2',
        'token_expires_in: {n:1}{d:3}',
        'public_key: {b:40}',
        'secret_arn: arn:aws:secretsmanager:x:1:secret:{s:6}',
      ]),
    ),
  cursor: (draw) =>
    fill(
      draw,
      pick(draw, [
        'next_page_token: {a:40}',
        '"nextCursor": "{a:44}"',
        'continuation_token={b:48}',
        'pageToken={a:32}',
        'sync_token: {w:40}',
      ]),
    ),
  'stand-in for a key': (draw) =>
    fill(
      draw,
      pick(draw, [
        'sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
        'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
        'AIzaXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX',
        'Bearer YOUR_TOKEN_HERE',
        'sk-...',
        'https://user:password@host/',
        'xoxb-your-token',
        '-----BEGIN PRIVATE KEY-----...',
      ]),
    ),
  'public part of a key': (draw) =>
    `-----BEGIN ${pick(draw, ['PUBLIC KEY', 'CERTIFICATE'])}-----\n${characters(draw, 'b', 64)}\n-----END`,
  'number that fails its check': (draw) =>
    fill(
      draw,
      pick(draw, [
        '4111 1111 1111 1112',
        '5500000000000005',
        'DE8937040044053201300{1|2|3}',
        'GB82WEST1234569876543{1|3}',
        '12345678{A|B|C}',
        '078-00-1120',
        '666-12-3456',
        'X1234567{A|B|C}',
        '111.444.777-3{1|2|3}',
        '756.9217.0769.8{1|2|3}',
      ]),
    ),
  'book, article': (draw) =>
    fill(
      draw,
      pick(draw, [
        'ISBN 978-3-16-148410-{d:1}',
        'EAN 400638133393{d:1}',
        'ISSN 2049-36{d:2}',
        'doi:10.1000/{d:6}',
        'RFC {n:1}{d:3}',
      ]),
    ),
  'table of numbers': (draw) =>
    fill(
      draw,
      pick(draw, [
        '{n:1} {n:1}{d:1} {n:1}{d:2} {n:1}{d:3}',
        '{d:1}.{d:6} {d:1}.{d:6}',
        '200 {n:1}{d:2} {n:1}{d:3} 0.00{d:1}',
        '{n:1}{d:2},{d:3},{d:3}',
        '{n:1}{d:3}-{n:1}{d:3}',
        '{n:1}{d:1}/{n:1}{d:1}',
      ]),
    ),
  'identifier of a trace': (draw) =>
    fill(
      draw,
      pick(draw, [
        '00-{h:32}-{h:16}-01',
        'x-amzn-trace-id: Root=1-{h:8}-{h:24}',
        'trace_id={h:32} span_id={h:16}',
        'pod/api-{s:10}-{s:5}',
        'req_{a:24}',
        '{a:11}',
      ]),
    ),
  'address that says nothing': (draw) =>
    pick(draw, [
      '127.0.0.1',
      '0.0.0.0:8080',
      '::1',
      'localhost:3000',
      '255.255.255.0',
      '1.2.3',
      '1.2.3.4.5',
      '999.1.1.1',
    ]),
};
