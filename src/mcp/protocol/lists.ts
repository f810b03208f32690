/** Which lists there are, how they are asked for, and how a change of one is told. */

/** A listing method and the member of its result that holds the items. */
export const listings = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
} as const;

export type ListMethod = keyof typeof listings;

/** What only tells which things there are, or asks for nothing: judged entry by entry, whatever the rules about requests say. */
export const listsAndSettings: readonly string[] = [
  ...Object.keys(listings),
  'resources/unsubscribe',
  'logging/setLevel',
];

/** Capabilities with lists that may change. */
export const listed = ['tools', 'prompts', 'resources'] as const;

export const listChanged = (capability: (typeof listed)[number]): string =>
  `notifications/${capability}/list_changed`;

export const isListMethod = (method: string): method is ListMethod => Object.hasOwn(listings, method);
