/** The whole table: every server of `catalog/`, and how it is proven against a stand-in for its API. */
import type { CatalogServer } from './catalog-server.ts';
import { developmentServers } from './servers/development.ts';
import { officeServers } from './servers/office.ts';
import { otherPlaceServers } from './servers/places.ts';
import { searchServers } from './servers/search.ts';
import { stripe } from './servers/stripe.ts';

export const catalogServers: readonly CatalogServer[] = [
  ...developmentServers,
  ...officeServers,
  ...otherPlaceServers,
  ...searchServers,
  stripe,
];
