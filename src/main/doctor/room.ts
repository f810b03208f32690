/** Whether there is room: on the disk of the home, and for open files. */
import type { Check } from '../../cli/index.ts';
import { limits } from '../../kernel/index.ts';
import type { Machine } from './machine.ts';

/** @param path the home, or where it will be */
export function checkDisk(path: string, machine: Machine): Check {
  const name = 'disk';
  const room = machine.room(path);
  if (room === null) return { name, ok: true, found: 'not known' };
  const mebibytes = Math.floor(room.bytes / limits.MIB);
  const found = `${mebibytes} MiB free${room.files === null ? '' : `, and ${room.files} files`}`;
  const fix = `Make room where ${path} is: sallyport uses it for packages, the audit log and logs. See: df -h ${path}; df -i ${path}`;
  if (room.bytes < limits.doctorDiskBytesMin || (room.files ?? Infinity) < limits.doctorDiskFilesMin)
    return { name, ok: false, found, fix };
  return room.bytes < limits.doctorDiskBytesScarce
    ? { name, ok: true, found: `${found}, which a few large packages fill`, fix }
    : { name, ok: true, found };
}

/** Every connection of every cell takes descriptors of the gateway. */
export function checkDescriptors(machine: Machine): Check {
  const name = 'descriptors';
  const [, text = ''] = /^Max open files\s+\S+\s+(\S+)/m.exec(machine.text('/proc/self/limits') ?? '') ?? [];
  if (text === '') return { name, ok: true, found: 'not known' };
  // Node takes as many as it may: the second number.
  const most = text === 'unlimited' ? Infinity : Number(text);
  const fix = 'Start it with more: ulimit -n 65536 before it, or LimitNOFILE=65536 in its unit.';
  if (most < limits.doctorDescriptorsMin) return { name, ok: false, found: text, fix };
  return most < limits.doctorDescriptorsScarce
    ? { name, ok: true, found: `${text}: enough for a few cells`, fix }
    : { name, ok: true, found: text };
}
