/** A template's example as a rule that can be pasted into a policy. */
import { stringify } from 'yaml';
import type { Template } from './template.ts';

export const exampleOf = ({ name, example }: Template): string =>
  stringify(
    [
      {
        id: `my-${name}`,
        template: name,
        ...(Object.keys(example.with).length === 0 ? {} : { with: example.with }),
      },
    ],
    {
      lineWidth: 0,
      flowCollectionPadding: true,
    },
  ).trimEnd();
