/** Keys of providers, as their documentation says that they look. */
import type { WordDetector } from '../../detector.ts';
import { businessKeys } from './business.ts';
import { cloudKeys } from './cloud.ts';
import { codeKeys } from './code.ts';
import { dataKeys } from './data.ts';
import { keyDetector } from './key-format.ts';
import { modelKeys } from './models.ts';

export const providerKeys: readonly WordDetector[] = [
  ...cloudKeys,
  ...codeKeys,
  ...modelKeys,
  ...businessKeys,
  ...dataKeys,
].map(keyDetector);
