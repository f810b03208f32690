/**
 * Version 1 documents with the hashes that the registry's own tool gives them (its hash function at commit
 * 5a6d9272, run on these very texts; for `n` and `on` on the same texts with the two words in quotes).
 */
import { TOOLSPEC, VERSION_1 } from './documents.ts';

const DIGEST = `sha256:${'0a'.repeat(32)}`;

export interface Vector {
  readonly name: string;
  readonly text: string;
  readonly hash: string;
}

export const MANIFESTS: readonly Vector[] = [
  {
    name: 'a manifest with most fields',
    text: VERSION_1,
    hash: '036986c1dfe73c15a012fe0cf12a74b78a862e4b9512e45f58961a3cf5b7c6bd',
  },
  {
    name: 'the least manifest: empty lists and nulls are left out',
    text: `{schemaVersion: 1, name: least, version: 0.0.1, source: {repo: r, tag: t, package: ~}, image: {ref: i, digest: "${DIGEST}", entrypoint: /s}, tier: entrusted, entitlements: {egress: []}, credentials: null, tools: []}`,
    hash: '37ccfe9221582cd4d21189b48a6d9a6878e00968dbe2572fb4abdc0eb8833d69',
  },
  {
    name: 'characters that JSON for scripts escapes',
    text: replaceTitle('"<b>R&D</b> \\u2028\\u2029 \\t\\b\\f\\u0001 é 😀 \\"quoted\\" \\\\ / \\x7f"'),
    hash: '678462adb63c5be20b083a044b42f2fe54421bd5753ac0b02cf06327b48399e9',
  },
  {
    name: 'unquoted numbers and booleans in text fields',
    text: `schemaVersion: 0x1
name: 0777
version: 1.0.0
source: { repo: 1_000, tag: 1.10, package: True }
image: { ref: 1e6, digest: "${DIGEST}", entrypoint: 1234567.5, builder: 2024-01-01 }
tier: 0o17
displayName: .5
description: 18446744073709551616
category: -0b11
icon: 100000.5
entitlements: {}
`,
    hash: 'a06cafc4294fe5dfeff892ddb25090ef8df2c950c702fc61550ec6dc2adb8ff6',
  },
  {
    name: 'an entrusted credential, and nothing in its scopes',
    text: `schemaVersion: 1
name: chart
version: 10.20.30
source: { repo: r, tag: t }
image: { ref: i, digest: "${DIGEST}", entrypoint: /s, builder: go-static }
tier: entrusted
entitlements: { egress: [charts.example.com] }
credentials:
  - { id: key, type: custom_env, provider: chart, scopes: [], inject: { env: CHART_KEY } }
  - { id: other, inject: {} }
tools: [{ name: draw }]
`,
    hash: '0131d48d3a2fecf6d3f15d3e71a70f13feeb2b628fb1290a4cc54a3034cf755b',
  },
  {
    name: 'a wildcard over a public suffix, which lint refuses',
    text: VERSION_1.replace('"*.eu.ledger.example"', '"*.co.uk"'),
    hash: '56249d8e74ea10e1db3561f914eaa4c56bec5bd7e40ddb2d3e170fc1061bfc44',
  },
  {
    name: 'unknown version and invalid values',
    text: 'schemaVersion: 7\nname: NOT A NAME\ntier: gold\n',
    hash: 'fb7533fc25003f2bf3a2e81d9e65b0cc7012643329f0099affb6daa6538a5457',
  },
];

export const TOOLSPECS: readonly Vector[] = [
  {
    name: 'parameters called n and on',
    text: TOOLSPEC,
    hash: '7ecc9e76553de3a1b99ffe9203ced868d7d387d08e0a4209d4cd26d57ccb22d0',
  },
  {
    name: 'auth with nothing in it is not the same as no auth',
    text: 'schemaVersion: 1\nname: a\nversion: 0.0.1\nbaseUrl: https://a.example\nauth: {}\ntools: []\n',
    hash: 'eebba38c5ff85a9272c3b42dabd1a44b4f82af09be6a8dfdf86c13bcf30e0995',
  },
  {
    name: 'no auth, and a tool without parameters',
    text: 'schemaVersion: 1\nname: a\nversion: 0.0.1\nbaseUrl: https://a.example\nauth: null\ntools: [{ name: t, method: GET, path: /, description: "<>", params: [{ name: p, required: false }] }]\n',
    hash: 'd49ac1d919fbecd440b62ea27ae699850cc37cde864a9ebb8b2c7fe083f45ca3',
  },
];

function replaceTitle(text: string): string {
  return `${VERSION_1}displayName: ${text}\n`;
}
