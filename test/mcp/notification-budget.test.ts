import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { NotificationBudget } from '../../src/mcp/upstream/notification-budget.ts';

function budget() {
  let told = 0;
  const taken = new NotificationBudget(() => (told += 1));
  return { taken, told: () => told };
}

describe('what one server may say by itself', () => {
  it('is so many in a second', () => {
    const { taken, told } = budget();
    const most = limits.mcpNotificationsPerSecondMax;
    const passed = Array.from({ length: most + 100 }, () => taken.take(5_000, 10)).filter(Boolean);
    expect([passed.length, told()]).toEqual([most, 1]);
    expect(taken.take(5_999, 10)).toBe(false);
    expect(taken.take(6_000, 10)).toBe(true);
    expect(told()).toBe(1);
  });

  it('is so much in a second, and always one', () => {
    const { taken, told } = budget();
    const quarter = limits.mcpNotificationCharsPerSecondMax / 4;
    const passed = Array.from({ length: 9 }, () => taken.take(5_000, quarter));
    expect(passed).toEqual([true, true, true, true, true, false, false, false, false]);
    expect(told()).toBe(1);
    expect(taken.take(6_000, 100 * quarter)).toBe(true);
    expect(taken.take(6_000, 1)).toBe(false);
    expect(told()).toBe(2);
  });
});
