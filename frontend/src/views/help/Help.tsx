import { Modal } from '@mantine/core';
import { SPELLED_OUT } from '../common/abbreviations';
import styles from './Help.module.css';

/** What each key does, by where it does it. */
const KEYS: Record<string, [keys: string[], what: string][]> = {
  Anywhere: [
    [['←', '→'], 'the sample before, the sample after (also k and j)'],
    [['↑', '↓'], 'the sample above, the sample below'],
    [['/'], 'go to the sample of a number'],
    [['e'], 'which class is explained: predicted, true, runner-up'],
    [['m'], 'the attribution method'],
    [['f'], 'the map as large as the screen, beside the original'],
    [['?'], 'this page'],
    [['Esc'], 'close what is open'],
  ],
  'On a map': [
    [['←', '→', '↑', '↓'], 'read the value beside; ten further with Shift'],
    [['+', '−'], 'closer, farther; 0 shows all of it'],
  ],
};

const WORDS: Record<string, string> = {
  Attribution: 'How much each part of an input moved the output: up (for the class) or down (against it).',
  Output: 'The number that the model returns for the class, before score_func. It is what is explained.',
  Score: 'What score_func makes of the outputs, a probability for instance. Samples are ranked by it.',
  Baseline: 'The input that stands for “nothing there”, which a method compares with: black, blurred, zeros.',
  'Adds up': 'All attributions together are the change of the output from the baseline to the input.',
  'Clip at 99th percentile':
    'Colours are full at the value that 99 % of the parts stay below, so that one outlier does not make all else pale.',
  '|a|': 'The size of an attribution, whatever its sign.',
  Channel:
    'One of the numbers of a pixel: red, green or blue, or a band. Their attributions are summed unless one is chosen.',
  ...SPELLED_OUT,
};

/** What the keys do and what the words mean. */
export default function Help({ onClose }: { onClose: () => void }) {
  return (
    <Modal
      opened
      size={720}
      title="Keys and words"
      closeButtonProps={{ 'aria-label': 'Close' }}
      transitionProps={{ duration: 0 }}
      classNames={{ content: styles.content, title: styles.title, header: styles.header }}
      onClose={onClose}
    >
      <div className={styles.columns}>
        <div>
          {Object.entries(KEYS).map(([where, rows]) => (
            <section key={where}>
              <h3 className={styles.heading}>{where}</h3>
              <dl className={styles.keys}>
                {rows.map(([keys, what]) => (
                  <div key={what}>
                    <dt>
                      {keys.map((key) => (
                        <kbd key={key}>{key}</kbd>
                      ))}
                    </dt>
                    <dd>{what}</dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
        </div>
        <section>
          <h3 className={styles.heading}>Words</h3>
          <dl className={styles.words}>
            {Object.entries(WORDS).map(([word, meaning]) => (
              <div key={word}>
                <dt>{word}</dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </Modal>
  );
}
