/**
 * Every limit of the product, named, with its unit. A limit that is not here does not exist;
 * a module that needs one adds it here rather than writing a number in its code.
 */
export * from './approvals.ts';
export * from './alerts.ts';
export * from './audit.ts';
export * from './cells.ts';
export * from './credentials.ts';
export * from './delivery.ts';
export * from './doctor.ts';
export * from './egress.ts';
export * from './http-api.ts';
export * from './limiting.ts';
export * from './manifest.ts';
export * from './masking.ts';
export * from './mcp.ts';
export * from './oauth.ts';
export * from './packages.ts';
export * from './policy.ts';
export * from './protocols.ts';
export * from './recording.ts';
export * from './run.ts';
export * from './scrub.ts';
export * from './size.ts';
export * from './store.ts';
export * from './upstreams.ts';
export * from './usage.ts';
