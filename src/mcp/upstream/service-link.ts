/**
 * The link to a server that is no program and no address: tools that the gateway has itself, such as those of an HTTP API.
 * Whoever uses the connection cannot tell: requests are answered as an MCP server would, and nothing is ever asked back.
 */
import { AppError } from '../../kernel/index.ts';
import { type RpcRequest, paramSpan, paramString, parseMessage, resultText } from '../protocol/message.ts';
import type { ServiceTransport, ToolService } from '../ports/upstreams.ts';
import { LATEST_SESSION_VERSION, SESSION_VERSIONS } from '../protocol/protocol.ts';
import { slice } from '../protocol/raw-json.ts';
import { failureText, methodUnknown } from '../protocol/rpc-error.ts';
import type { LinkRequest, LinkSink, UpstreamLink } from './upstream-link.ts';

export class ServiceLink implements UpstreamLink {
  /** Nothing is written anywhere. */
  readonly backlogBytes = 0;
  readonly #transport: ServiceTransport;
  /** By the connection's ids. */
  readonly #running = new Map<string, AbortController>();
  #sink: LinkSink | null = null;

  constructor(transport: ServiceTransport) {
    this.#transport = transport;
  }

  listen(sink: LinkSink): void {
    this.#sink = sink;
    void this.#transport.exited.then((exit) => {
      for (const running of this.#running.values()) running.abort(gone());
      sink.exited(exit);
    });
  }

  request({ idText, text }: LinkRequest): void {
    const controller = new AbortController();
    this.#running.set(idText, controller);
    void answer(this.#transport.service, text, controller.signal)
      .then(
        (result) => resultText(idText, result),
        (error: unknown) => failureText(idText, error),
      )
      .then((message) => {
        this.#running.delete(idText);
        if (!controller.signal.aborted) this.#sink?.message(message);
      });
  }

  /** Notifications: there is nobody who would want to know. */
  send(): void {}

  cancel(idText: string): void {
    this.#running.get(idText)?.abort(cancelled());
  }

  lastWords(): string {
    return '';
  }
}

const gone = (): AppError =>
  new AppError('upstream_exited', 'The server was stopped.', { kind: 'unavailable' });
const cancelled = (): AppError =>
  new AppError('upstream_cancelled', 'Nobody waits for this any more.', { kind: 'unavailable' });

/** The raw `result`. */
async function answer(service: ToolService, text: string, signal: AbortSignal): Promise<string> {
  const parsed = parseMessage(text);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('not a request of the connection');
  const request = parsed.value;
  switch (request.method) {
    case 'initialize':
      return helloText(service, request);
    case 'ping':
      return '{}';
    case 'tools/list':
      return `{"tools":[${(await service.tools()).join(',')}]}`;
    case 'tools/call': {
      const span = paramSpan(request, 'arguments');
      const given = span === null ? '{}' : slice(request.text, span);
      return service.call(paramString(request, 'name') ?? '', given, signal);
    }
    case 'resources/list':
      return '{"resources":[]}';
    case 'resources/templates/list':
      return `{"resourceTemplates":${JSON.stringify(service.templates)}}`;
    case 'resources/read':
      return readText(service, paramString(request, 'uri') ?? '');
    default:
      throw methodUnknown(request.method);
  }
}

function helloText({ info, instructions }: ToolService, request: RpcRequest): string {
  const asked = paramString(request, 'protocolVersion');
  return JSON.stringify({
    protocolVersion: asked !== null && SESSION_VERSIONS.includes(asked) ? asked : LATEST_SESSION_VERSION,
    capabilities: { tools: {}, resources: {} },
    serverInfo: info,
    ...(instructions === undefined ? {} : { instructions }),
  });
}

function readText(service: ToolService, uri: string): string {
  const read = service.read(uri);
  if (read !== null) return read;
  throw new AppError('mcp_resource_unknown', `Resource not found: ${uri.slice(0, 200)}`, {
    kind: 'not_found',
    hint: 'Answers that were too long for one result are kept for a while only. Call the tool again.',
  });
}
