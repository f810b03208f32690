/** Where a key stands in a request that arrived at the stand-in, and whether it stands anywhere else. */
import type { Arrival, KeyPlace, SeenRequest } from './catalog-server.ts';
import { pathMatches, pathOf } from './stand-in.ts';

/**
 * What is wrong with how `key` arrived: no such request, a place without it or in another form, or the key in a
 * place that nobody declared. Empty when all is as it should be.
 */
export function arrivalFaults(
  requests: readonly SeenRequest[],
  arrivals: readonly Arrival[],
  key: string,
): string[] {
  const faults: string[] = [];
  for (const arrival of arrivals) {
    const label = `${arrival.method} ${arrival.host}${arrival.path}`;
    const matching = requests.filter((request) => matches(arrival, request));
    if (matching.length === 0) faults.push(`${label}: never arrived`);
    for (const request of matching) {
      for (const place of arrival.places) {
        const fault = placeFault(place, request, key);
        if (fault !== null) faults.push(`${label}: ${fault}`);
      }
    }
  }
  for (const request of requests) {
    const places = arrivals.filter((arrival) => matches(arrival, request)).flatMap((one) => one.places);
    const allowed = places.filter((place) => placeFault(place, request, key) === null).length;
    const found = occurrences(request, key);
    if (found > allowed) {
      faults.push(
        `${request.method} ${request.host}${pathOf(request.target)}: key in ${found} places, ${allowed} declared`,
      );
    }
  }
  return faults;
}

function matches(arrival: Arrival, request: SeenRequest): boolean {
  return (
    arrival.host === request.host &&
    arrival.method === request.method &&
    pathMatches(arrival.path, pathOf(request.target))
  );
}

function placeFault(place: KeyPlace, request: SeenRequest, key: string): string | null {
  if ('header' in place) {
    const value = request.headers[place.header.toLowerCase()];
    return value === place.form.replace('{key}', key)
      ? null
      : `header ${place.header} is not "${place.form}"`;
  }
  if ('basic' in place) {
    const pair = place.basic === 'user' ? `${key}:${place.other}` : `${place.other}:${key}`;
    const expected = `Basic ${Buffer.from(pair).toString('base64')}`;
    return request.headers['authorization'] === expected ? null : `Basic ${place.basic} is not the key`;
  }
  if ('query' in place) {
    const values = new URL(request.target, 'https://stand-in').searchParams.getAll(place.query);
    return values.length === 1 && values[0] === key ? null : `query ${place.query} is not the key`;
  }
  return atPointer(request.body, place.json) === key ? null : `JSON ${place.json} is not the key`;
}

function atPointer(body: string, pointer: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  for (const step of pointer.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, step.replaceAll('~1', '/').replaceAll('~0', '~'))?.value;
  }
  return value;
}

function occurrences(request: SeenRequest, key: string): number {
  const headers = Object.values(request.headers).flatMap((value) => [value, decodeBasic(value)]);
  const texts = [request.target, request.body, ...headers];
  return texts.reduce((sum, text) => sum + text.split(key).length - 1, 0);
}

function decodeBasic(header: string): string {
  return header.startsWith('Basic ') ? Buffer.from(header.slice(6), 'base64').toString('utf8') : '';
}
