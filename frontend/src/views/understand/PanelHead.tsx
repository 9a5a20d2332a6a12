import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconArrowLeft, IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import type { Sample } from '../../api/schema';
import { useQuestion, useTask } from '../../state/question';
import { Mark } from '../common/Mark';
import { Residual } from '../common/Residual';
import styles from './Understand.module.css';

interface PanelHeadProps {
  index: number;
  sample: Sample | undefined;
  onStep: (by: number) => void;
  onClose: (() => void) | undefined;
}

/** Which sample it is, what was predicted and what is true; and the way to its neighbours. */
export function PanelHead({ index, sample, onStep, onClose }: PanelHeadProps) {
  const { question } = useQuestion();
  const task = useTask();
  const prediction = sample?.predictions.find((each) => each.model === question.model);
  return (
    <div className={styles.head}>
      {onClose && (
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<IconArrowLeft size={15} />}
          onClick={onClose}
          autoFocus
        >
          All
        </Button>
      )}
      <h2 className={styles.title}>Sample {index}</h2>
      {prediction && task !== 'regression' && (prediction.predicted || !sample?.label) && (
        <Mark correct={prediction.correct} word />
      )}
      <Residual prediction={prediction} truth={sample?.truth} />
      <span className={styles.gap} />
      <Tooltip label="Previous sample (k or ←)">
        <ActionIcon
          size={26}
          variant="subtle"
          color="gray"
          aria-label="Previous sample"
          onClick={() => onStep(-1)}
        >
          <IconChevronLeft size={17} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Next sample (j or →)">
        <ActionIcon
          size={26}
          variant="subtle"
          color="gray"
          aria-label="Next sample"
          onClick={() => onStep(1)}
        >
          <IconChevronRight size={17} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
