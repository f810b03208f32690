/**
 * Every way in which the data plane says no, and what the program in the cell is told about it: the one place
 * where an inner reason becomes a status and a text. Details that only the operator may know stay in the
 * audit event; what is said here is what the program could find out anyway, and what to do next.
 */
import { AppError, type AppErrorKind, isAppError, type JsonObject } from '../kernel/index.ts';
import type {
  EgressRefusalCode,
  LimitRefusal,
  Refusal as PolicyRefusal,
  RuleRefusalCode,
  ToolRefusalCode,
} from '../policy/index.ts';

/** Decided by policy, which brings the texts along. */
type PolicyCode =
  | EgressRefusalCode
  | ToolRefusalCode
  | RuleRefusalCode
  | LimitRefusal['code']
  | 'egress_credential_outside_call';

/** Decided here. */
type OwnCode =
  | 'egress_name_mismatch'
  | 'egress_protocol_unknown'
  | 'egress_proxy_target'
  | 'egress_tunnel_plain'
  | 'egress_tunnels_limit'
  | 'egress_upstreams_limit'
  | 'egress_descriptors_limit'
  | 'egress_tcp_unnamed'
  | 'egress_tcp_sealed'
  | 'egress_placeholder_misplaced'
  | 'egress_placeholder_foreign'
  | 'egress_request_malformed'
  | 'egress_request_timeout'
  | 'egress_body_too_large'
  | 'egress_expectation_unsupported'
  | 'egress_upgrade_unsupported'
  | 'egress_websocket_malformed'
  | 'egress_websocket_flood'
  | 'egress_credential_unusable'
  | 'egress_credential_unmasked'
  | 'egress_credential_withdrawn'
  | 'egress_credential_killed'
  | 'egress_upstream_unresolved'
  | 'egress_upstream_address_refused'
  | 'egress_upstream_tls'
  | 'egress_upstream_unreachable'
  | 'egress_upstream_closed'
  | 'egress_response_malformed'
  | 'egress_upstream_websocket'
  | 'egress_content_coding'
  | 'egress_content_charset'
  | 'egress_unread_limit'
  | 'egress_timeout';

export type RefusalCode = PolicyCode | OwnCode;

/** What a text may mention. */
export interface RefusalFacts {
  readonly host?: string;
  readonly port?: number;
  readonly credential?: string;
  /** Where a placeholder stood, in words. */
  readonly place?: string;
  /** What would be allowed, in words. */
  readonly allowed?: string;
  /** The parser's or the peer's reason, a stable word. */
  readonly reason?: string;
}

/** What a policy, or whoever knows better than the table below, has to say. */
interface Said {
  readonly message: string;
  readonly hint: string;
  readonly retryAfterSeconds?: number;
}

/** Thrown, or handed on, by any step of the pipeline. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly facts: RefusalFacts;
  /** For the audit only. */
  readonly detail: JsonObject;
  readonly said: Said | null;

  private constructor(code: RefusalCode, facts: RefusalFacts, detail: JsonObject, said: Said | null) {
    super(code);
    this.code = code;
    this.facts = facts;
    this.detail = detail;
    this.said = said;
  }

  static of(code: OwnCode, facts: RefusalFacts = {}, detail: JsonObject = {}): Refusal {
    return new Refusal(code, facts, detail, null);
  }

  /** The same, said of a place. */
  at(place: { readonly host: string; readonly port: number }): Refusal {
    return new Refusal(this.code, { ...place, ...this.facts }, this.detail, this.said);
  }

  static byPolicy(refusal: PolicyRefusal<PolicyCode>, detail: JsonObject = {}): Refusal {
    return new Refusal(refusal.code, {}, detail, refusal);
  }

  static limited(refusal: LimitRefusal, detail: JsonObject): Refusal {
    return new Refusal(refusal.code, {}, detail, refusal);
  }

  /** The placeholder stands where its place is declared, in a request that its binding does not cover. */
  static unbound(refusal: PolicyRefusal<string>, detail: JsonObject): Refusal {
    return new Refusal('egress_placeholder_misplaced', {}, { ...detail, rule: refusal.code }, refusal);
  }

  /** A connection to an address that the resolver of the cell never gave out. */
  static bareAddress(detail: JsonObject): Refusal {
    return new Refusal('egress_host_denied', {}, detail, {
      message: 'This server may not connect to bare addresses.',
      hint: 'Connections go to names on the "egress" list of the manifest, resolved by the resolver of the cell.',
    });
  }
}

/** A refusal as it goes out. */
export interface WireRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retryAfterSeconds?: number;
}

interface Text {
  readonly status: number;
  readonly message: (facts: RefusalFacts) => string;
  readonly hint: (facts: RefusalFacts) => string;
}

const place = ({ host, port }: RefusalFacts): string =>
  `${host ?? 'this address'}${port === undefined ? '' : `:${port}`}`;

const TEXTS: Readonly<Record<OwnCode, Text>> = {
  egress_name_mismatch: {
    status: 403,
    message: () =>
      'The name that was connected to, the name in TLS, and the Host of the request are not the same.',
    hint: (facts) =>
      `This connection is for ${facts.allowed ?? 'one name'}; a request on it must say so everywhere.`,
  },
  egress_protocol_unknown: {
    status: 400,
    message: () => 'The connection speaks neither TLS nor HTTP.',
    hint: () => 'Only HTTPS and HTTP can leave a cell.',
  },
  egress_proxy_target: {
    status: 400,
    message: (facts) =>
      `This is a proxy, and it is not certain where the request is to go (${facts.reason ?? 'malformed'}).`,
    hint: () =>
      'Ask for https:// with CONNECT HOST:PORT, and for http:// with the whole URL in the request line. Both name a host, not an address.',
  },
  egress_tunnel_plain: {
    status: 400,
    message: () => 'A tunnel through the proxy carries TLS and nothing else.',
    hint: () => 'Send requests for http:// to the proxy itself, with the whole URL in the request line.',
  },
  egress_tunnels_limit: {
    status: 429,
    message: () => 'The server has too many connections open that are passed on unread.',
    hint: (facts) => `The limit is ${facts.allowed ?? 'fixed'}. Close those that are not used.`,
  },
  egress_upstreams_limit: {
    status: 429,
    message: () => 'The server has too many connections to upstreams in use.',
    hint: (facts) =>
      `The limit is ${facts.allowed ?? 'fixed'}. Read the answers that are open, or give them up, and try again.`,
  },
  egress_descriptors_limit: {
    status: 503,
    message: () => 'The gateway has no descriptors left for another connection.',
    hint: () =>
      'Try again later. The operator can raise the limit of open files: LimitNOFILE in its systemd unit, or ulimit -n.',
  },
  egress_tcp_unnamed: {
    status: 403,
    message: () => 'It is not certain which name the connection is for.',
    hint: () =>
      'Connections of the protocol tcp go to a name that the resolver of the cell has an address of its own for.',
  },
  egress_tcp_sealed: {
    status: 403,
    message: (facts) =>
      `${place(facts)} may get the sealed credential ${facts.credential ?? ''}, so nothing from there is passed on unread.`,
    hint: () => 'Use the protocol https for this host, or make the credential an entrusted one.',
  },
  egress_placeholder_misplaced: {
    status: 403,
    message: (facts) =>
      `The placeholder of ${facts.credential ?? 'a credential'} is in ${facts.place ?? 'a place'}, where it is not declared, in a request to ${place(facts)}.`,
    hint: (facts) =>
      `It is declared for: ${facts.allowed ?? 'nowhere'}. See "credentials" in the manifest of the server.`,
  },
  egress_placeholder_foreign: {
    status: 403,
    message: () => 'The request has a placeholder that was not given to this server.',
    hint: () =>
      'Find out how it got here: the operator has been told. A placeholder works only for the server that it was made for.',
  },
  egress_request_malformed: {
    status: 400,
    message: (facts) => `The request is not HTTP/1.1 as it has to be (${facts.reason ?? 'malformed'}).`,
    hint: () => 'Requests that two programs could read differently are refused rather than guessed at.',
  },
  egress_request_timeout: {
    status: 408,
    message: () => 'The request did not arrive in time.',
    hint: () => 'Send the whole request without pausing.',
  },
  egress_body_too_large: {
    status: 413,
    message: () => 'The body is too large for a request into whose body a credential may have to be put.',
    hint: (facts) => `The limit is ${facts.allowed ?? 'fixed'}.`,
  },
  egress_expectation_unsupported: {
    status: 417,
    message: () => 'The request expects something that is not supported.',
    hint: () => 'The only expectation is 100-continue.',
  },
  egress_upgrade_unsupported: {
    status: 501,
    message: () => 'Connections can be upgraded to WebSocket here, and to nothing else.',
    hint: () => 'Use WebSocket, or plain HTTP requests.',
  },
  egress_websocket_malformed: {
    status: 400,
    message: (facts) => `This is not WebSocket as it has to be (${facts.reason ?? 'malformed'}).`,
    hint: () =>
      'Handshakes and frames that two programs could read differently are refused (RFC 6455). Extensions are never agreed on.',
  },
  egress_websocket_flood: {
    status: 429,
    message: () =>
      'Too many WebSocket frames with next to nothing in them came: pings, pongs, or messages of a byte or none.',
    hint: () => 'Send such frames less often.',
  },
  egress_credential_unusable: {
    status: 502,
    message: (facts) =>
      `The stored value of ${facts.credential ?? 'a credential'} cannot be put into ${facts.place ?? 'a request'}.`,
    hint: () =>
      'It holds a line break, a separator or another character that would not stay what it is there. Set it again: sallyport secret set SERVER NAME.',
  },
  egress_credential_unmasked: {
    status: 502,
    message: (facts) =>
      `Answers cannot be searched for the value of ${facts.credential ?? 'a credential'} yet.`,
    hint: () => 'It has just changed. Try again.',
  },
  egress_credential_withdrawn: {
    status: 403,
    message: (facts) =>
      `The value of ${facts.credential ?? 'a credential'} was deleted, and the connection made use of it.`,
    hint: () => 'Set it again, and connect anew: sallyport secret set SERVER NAME.',
  },
  egress_credential_killed: {
    status: 403,
    message: (facts) =>
      `The kill switch is set for ${facts.credential ?? 'a credential'}, and the connection made use of it.`,
    hint: () => 'An owner can lift it: sallyport resume --credential SERVER/NAME.',
  },
  egress_upstream_unresolved: {
    status: 502,
    message: (facts) => `The name ${facts.host ?? ''} could not be resolved.`,
    hint: () => 'Check the name, and the resolver of the machine that Sallyport runs on.',
  },
  egress_upstream_address_refused: {
    status: 403,
    message: (facts) =>
      `${facts.host ?? 'The name'} resolves to an address that may not be connected to (${facts.reason ?? 'special'}).`,
    hint: () =>
      'If that is meant to be, the operator can list the network in "egress.allowNetworks" of sallyport.yaml.',
  },
  egress_upstream_tls: {
    status: 502,
    message: (facts) => `${place(facts)} could not prove who it is (${facts.reason ?? 'TLS failed'}).`,
    hint: () => 'A private authority can be trusted with "egress.extraCa" of sallyport.yaml.',
  },
  egress_upstream_unreachable: {
    status: 502,
    message: (facts) => `${place(facts)} could not be reached (${facts.reason ?? 'no connection'}).`,
    hint: () => 'Check that the service is up and that the machine that Sallyport runs on can reach it.',
  },
  egress_upstream_closed: {
    status: 502,
    message: (facts) => `${place(facts)} closed the connection before it answered.`,
    hint: () => 'The request may or may not have been carried out. Check before sending it again.',
  },
  egress_response_malformed: {
    status: 502,
    message: (facts) =>
      `${place(facts)} answered with something that is not HTTP/1.1 as it has to be (${facts.reason ?? 'malformed'}).`,
    hint: () => 'Answers that two programs could read differently are refused rather than guessed at.',
  },
  egress_upstream_websocket: {
    status: 502,
    message: (facts) =>
      `${place(facts)} does not speak WebSocket as it has to be spoken (${facts.reason ?? 'malformed'}).`,
    hint: () => 'Handshakes and frames that two programs could read differently are refused (RFC 6455).',
  },
  egress_content_coding: {
    status: 502,
    message: (facts) =>
      `${place(facts)} answered in a content coding that cannot be searched for keys (${facts.reason ?? 'unknown'}).`,
    hint: () => 'Ask for gzip, deflate, br or identity.',
  },
  egress_content_charset: {
    status: 502,
    message: (facts) => `${place(facts)} answered in a character set that cannot be searched for keys.`,
    hint: () => 'Ask for UTF-8. Keys are looked for where ASCII is ASCII, and in UTF-16.',
  },
  egress_unread_limit: {
    status: 429,
    message: () => 'The server leaves too much of too many answers unread.',
    hint: () => 'Read the answers that are open, or give them up, and try again.',
  },
  egress_timeout: {
    status: 504,
    message: (facts) => `${place(facts)} did not answer in time.`,
    hint: () => 'The request may or may not have been carried out. Check before sending it again.',
  },
};

const KIND_STATUS: Readonly<Record<AppErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 403,
  denied: 403,
  not_found: 403,
  conflict: 409,
  limited: 429,
  unavailable: 502,
  failed: 502,
};

const isOwn = (code: RefusalCode): code is OwnCode => Object.hasOwn(TEXTS, code);
/** Policy says no: 403, or 429 where it is a matter of time. */
const POLICY_STATUS = 403;
const LIMITED_STATUS = 429;

function wording({ code, facts, said }: Refusal): Omit<WireRefusal, 'code'> {
  const text = isOwn(code) ? TEXTS[code] : null;
  return {
    status: text?.status ?? (code === 'limit_exceeded' ? LIMITED_STATUS : POLICY_STATUS),
    message: said?.message ?? text?.message(facts) ?? code,
    hint: said?.hint ?? text?.hint(facts) ?? '',
    ...(said?.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: said.retryAfterSeconds }),
  };
}

/** What the program in the cell is told about any reason for which its request was not carried out. */
export function toWireRefusal(reason: unknown): WireRefusal {
  if (reason instanceof Refusal) return { code: reason.code, ...wording(reason) };
  if (isAppError(reason)) {
    const hint = reason.hint ?? "The gateway's log has the details.";
    return { status: KIND_STATUS[reason.kind], code: reason.code, message: reason.message, hint };
  }
  return {
    status: 502,
    code: 'internal_error',
    message: 'Something went wrong inside Sallyport.',
    hint: "The gateway's log has the details.",
  };
}

/** The code under which a reason is recorded. */
export const refusalCode = (reason: unknown): string =>
  reason instanceof Refusal || reason instanceof AppError ? reason.code : 'internal_error';
