/** Manifests that the tests of this folder start from. */

/** The example of the documentation. */
export const VERSION_2 = `schemaVersion: 2
name: github
version: 2025.4.8
title: GitHub
server:
  kind: sandboxed
  package: npm:@modelcontextprotocol/server-github@2025.4.8
  command: [mcp-server-github]
egress:
  - { host: api.github.com, port: 443, protocol: https, methods: [GET, POST, PUT, PATCH, DELETE] }
credentials:
  - name: GITHUB_PERSONAL_ACCESS_TOKEN
    tier: sealed
    env: GITHUB_PERSONAL_ACCESS_TOKEN
    placeholder: "ghp_{alnum:36}"
    hosts: [api.github.com]
    inject: [ { header: Authorization, format: "Bearer {token}" } ]
tools: { default: [search_repositories, get_file_contents] }
`;

export const VERSION_1 = `schemaVersion: 1
name: ledger
version: 1.2.3
source:
  repo: git.example.org/acme/ledger
  tag: v1.2.3
  package: cmd/server
image:
  ref: images.example.org/acme/ledger
  digest: sha256:${'5e'.repeat(32)}
  entrypoint: /app/server
  builder: toolpack
tier: sealed
entitlements:
  egress:
    - api.ledger.example
    - "*.eu.ledger.example"
credentials:
  - id: ledger_token
    type: oauth2
    provider: ledger
    vendor: acme
    scopes: ["books:read", "books:write"]
    inject:
      header: Authorization
      format: "Bearer {token}"
tools:
  - name: list_books
    default: true
  - name: close_book
    default: false
`;

export const TOOLSPEC = `schemaVersion: 1
name: ledger
version: 1.2.3
baseUrl: https://api.ledger.example
tools:
  - name: list_books
    description: All books of a year
    method: GET
    path: /v1/years/{year}/books
    params:
      - { name: year, in: path, type: integer, required: true, description: Four digits }
      - { name: n, in: query, type: integer }
      - { name: on, in: query, type: string, description: A day }
  - name: close_book
    description: Close a book & lock it
    method: POST
    path: /v1/books/{id}/close
    baseUrl: https://write.eu.ledger.example
    encoding: form
    params:
      - { name: id, in: path, type: string, required: true }
      - { name: reason, in: body, type: string }
`;

/** A text with one passage replaced. Fails when the passage is not there, so that no test mutates nothing. */
export function replaced(text: string, passage: string, by: string): string {
  const index = text.indexOf(passage);
  if (index === -1) throw new Error(`the document has no ${JSON.stringify(passage)}`);
  return text.slice(0, index) + by + text.slice(index + passage.length);
}
