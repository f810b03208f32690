/**
 * Identity: who somebody is, decided once, at the door. Today by access tokens; sessions and OIDC come beside them.
 */
export { parseToken, type ParsedToken, type TokenFormatError } from './token-format.ts';
export type { Principal } from './principal.ts';
export {
  type CreatedToken,
  createTokens,
  type NewToken,
  type TokenInfo,
  type Tokens,
  type TokensDeps,
} from './tokens.ts';
