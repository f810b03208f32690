/**
 * OAuth to remote servers, as a client: where to log in, with what name, what comes back, and how it is renewed. No
 * value that is stored comes by here: see `ports.ts`.
 */
export { type Grant, grantData, readGrant } from './grant.ts';
export { createGrants, type Grants, type LoginRefusal } from './grants.ts';
export type { LoginBegun, LoginWanted } from './login.ts';
export {
  GRANT_SLOTS,
  type GrantDeps,
  type GrantRecorder,
  type GrantRows,
  type GrantServer,
  type GrantSlot,
  type GrantValues,
  type OAuthAnswer,
  type OAuthHttp,
  type OAuthRequest,
} from './ports.ts';
