import { expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { ProfileResources } from '../../src/mcp/endpoint/profile-resources.ts';
import { ResourceLists } from '../../src/mcp/upstream/resource-lists.ts';

const profile = new ProfileResources();

const both = (lists: ResourceLists): void => {
  lists.asking('resources/list', profile)();
  lists.asking('resources/templates/list', profile)();
};

it('what a server listed is what it would list once it has listed both, until it says otherwise', () => {
  const clock = fixedClock(0);
  const lists = new ResourceLists(clock, true);
  lists.asking('resources/list', profile)();
  expect(lists.isCurrent(profile)).toBe(false);
  both(lists);
  clock.advance(1_000_000);
  expect(lists.isCurrent(profile)).toBe(true);
  lists.changed();
  expect(lists.isCurrent(profile)).toBe(false);
  both(lists);
  expect(lists.isCurrent(profile)).toBe(true);
});

it('a change on the way makes a list one of before', () => {
  const lists = new ResourceLists(fixedClock(0), true);
  both(lists);
  const taken = lists.asking('resources/list', profile);
  lists.changed();
  taken();
  lists.asking('resources/templates/list', profile)();
  expect(lists.isCurrent(profile)).toBe(false);
});

it('one that tells of no changes is believed for a while', () => {
  const clock = fixedClock(0);
  const lists = new ResourceLists(clock, false);
  both(lists);
  clock.advance(limits.mcpResourceListsKeptMs - 1);
  expect(lists.isCurrent(profile)).toBe(true);
  clock.advance(1);
  expect(lists.isCurrent(profile)).toBe(false);
});

it('what it listed to one profile tells another nothing', () => {
  const lists = new ResourceLists(fixedClock(0), true);
  both(lists);
  expect(lists.isCurrent(profile)).toBe(true);
  expect(lists.isCurrent(new ProfileResources())).toBe(false);
});
