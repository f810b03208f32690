/**
 * What only a gateway of this home can make for a journal: the MAC of each record, and that of the row in the database
 * which says how far the journal has come into the chain. Both keys come from the audit key, by HKDF with a label each.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../kernel/index.ts';
import { macKey } from '../chain-keys.ts';
import type { JournalRow } from '../ports.ts';
import { RecordMac } from './record-mac.ts';

export interface JournalKeys {
  /**
   * HMAC-SHA256 over the journal's id, a line feed, and the record up to its MAC: 32 bytes.
   *
   * @throws Error after `destroy`
   */
  recordMac(journal: string, record: Uint8Array): Buffer;
  isRecordGenuine(journal: string, record: Uint8Array, mac: Uint8Array): boolean;
  /** The row with its MAC: HMAC-SHA256 over the JSON array `["sallyport/audit-journal-row/1",id,records,closed]`. */
  signRow(row: Omit<JournalRow, 'mac'>): JournalRow;
  isRowGenuine(row: JournalRow): boolean;
  destroy(): void;
}

/** @param key the audit key. Stays the caller's; it may be destroyed afterwards */
export function journalKeys(key: Secret): JournalKeys {
  const ofRecords = new RecordMac(macKey(key, 'sallyport/audit-journal/1'));
  let ofRows: KeyObject | null = macKey(key, 'sallyport/audit-journal-row/1');

  function recordMac(journal: string, record: Uint8Array): Buffer {
    return ofRecords.of(`${journal}\n`, record);
  }

  function rowMac({ id, records, closed }: Omit<JournalRow, 'mac'>): Buffer {
    if (ofRows === null) throw new Error('journal key used after it was destroyed');
    const text = JSON.stringify(['sallyport/audit-journal-row/1', id, records, closed]);
    return createHmac('sha256', ofRows).update(text).digest();
  }

  return {
    recordMac,
    isRecordGenuine: (journal, record, mac) => isSame(recordMac(journal, record), mac),
    signRow: ({ id, records, closed }) => ({ id, records, closed, mac: rowMac({ id, records, closed }) }),
    isRowGenuine: (row) => isSame(rowMac(row), row.mac),
    destroy() {
      ofRecords.destroy();
      ofRows = null;
    },
  };
}

const isSame = (mac: Buffer, other: Uint8Array): boolean =>
  mac.length === other.length && timingSafeEqual(mac, other);
