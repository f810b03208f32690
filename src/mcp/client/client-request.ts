/** A client's request on its way from the session through the router and the gate to a server's connection. */
import type { Carried, ClientFacts } from './client-facts.ts';
import type { RpcRequest } from '../protocol/message.ts';
import type { TapedRequest } from '../ports/recorder.ts';
import type { RequestControl } from './request-control.ts';

export interface ClientRequest {
  readonly message: RpcRequest;
  readonly client: ClientFacts;
  readonly carried: Carried;
  readonly control: RequestControl;
  /** What is recorded of it; absent: nothing. */
  readonly taped?: TapedRequest;
}
