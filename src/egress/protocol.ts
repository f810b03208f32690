/**
 * Which protocol is spoken on a connection, and who handles it. A rule declares the protocol of a port. HTTPS and HTTP
 * are told apart, and checked, by what comes first; a protocol of another kind is spoken only where every rule for the
 * place says so, so that a rule that has requests inspected is never widened by one beside it.
 */
import type { Socket } from 'node:net';
import { matchHost } from '../wire/index.ts';
import { Accepted } from './accept.ts';
import type { ConnectionHost, Conversation, Place } from './connection.ts';
import type { EgressRule } from './ports.ts';
import { TcpRelay } from './tcp/relay.ts';

type Protocol = EgressRule['protocol'];
type Handler = (socket: Socket, place: Place, host: ConnectionHost) => Conversation;

const inspected: Handler = (socket, place, host) => new Accepted(socket, place, host);

const HANDLERS: Readonly<Record<Protocol, Handler>> = {
  https: inspected,
  http: inspected,
  tcp: (socket, place, host) => new TcpRelay(socket, place, host),
};

/** What the rules say of a place; `https` where they say several things, or nothing. */
function declaredProtocol(rules: readonly EgressRule[], { names, port }: Place): Protocol {
  const declared = new Set<Protocol>();
  for (const name of names ?? []) {
    for (const rule of rules) {
      if (rule.port === port && matchHost(rule.host, name)) declared.add(rule.protocol);
    }
  }
  const [only] = declared;
  return only !== undefined && declared.size === 1 ? only : 'https';
}

/** Hands a connection, of which nothing was read, to whoever speaks its protocol. */
export const converse: Handler = (socket, place, host) =>
  HANDLERS[declaredProtocol(host.spec.rules, place)](socket, place, host);
