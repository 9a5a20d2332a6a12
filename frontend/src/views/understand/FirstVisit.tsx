import { Button } from '@mantine/core';
import { IconBulb } from '@tabler/icons-react';
import type { Attribution } from '../../api/schema';
import { number } from '../../base/format';
import { COLOR_MAPS } from '../../render/colors';
import { useDisplay } from '../../state/display';
import { useTask } from '../../state/question';
import { useOnce } from '../../state/remembered';
import styles from './FirstVisit.module.css';

/** What the two colours and the number mean, once in every browser. */
export function FirstVisit({ attribution }: { attribution: Attribution }) {
  const [done, finish] = useOnce('colours-explained');
  const { colors } = useDisplay().display;
  const task = useTask();
  if (done) return null;
  const { positive, negative } = COLOR_MAPS[colors];
  const { target, against } = attribution;
  const over = against ? ` over that for ‘${against.name}’` : '';
  const whose = task === 'regression' ? 'the output' : `the output for ‘${target.name}’${over}`;
  return (
    <aside className={styles.note} aria-label="How to read this">
      <IconBulb size={16} stroke={1.7} aria-hidden />
      <div>
        <p>
          <b>How to read this.</b> The model’s number here is {number(attribution.output)}.{' '}
          {attribution.signed ? (
            <>
              What is <b>{positive}</b> raised {whose}, what is <b>{negative}</b> lowered it; pale parts
              hardly matter.
            </>
          ) : (
            <>
              The stronger the {positive}, the more a part matters to {whose}; the method does not say in
              which direction.
            </>
          )}{' '}
          Press <kbd>?</kbd> for keys and words.
        </p>
        <Button size="compact-xs" variant="default" onClick={finish}>
          Got it
        </Button>
      </div>
    </aside>
  );
}
