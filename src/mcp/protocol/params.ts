import { AppError } from '../../kernel/index.ts';
import { paramString, type RpcRequest } from './message.ts';

/** A parameter without which the request cannot be routed. @throws AppError `mcp_params_invalid` */
export function requiredParam(request: RpcRequest, ...path: readonly string[]): string {
  const value = paramString(request, ...path);
  if (value !== null) return value;
  throw new AppError('mcp_params_invalid', `Invalid params: "${path.join('.')}" must be a string.`, {
    kind: 'invalid',
  });
}
