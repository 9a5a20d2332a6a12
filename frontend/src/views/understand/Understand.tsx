import type { Sample } from '../../api/schema';
import type { useSample } from '../../state/data';
import { Notice } from '../common/Notice';
import type { SampleList } from '../look/Look';
import { Detail } from './Detail';
import { Missing } from './Missing';
import { PanelHead } from './PanelHead';

interface UnderstandProps {
  index: number | null;
  sample: Sample | undefined;
  /** The sample asked for by its number, where the list does not have it. */
  single: ReturnType<typeof useSample>;
  list: SampleList;
  onStep: (by: number) => void;
  onClose: (() => void) | undefined;
}

/** The selected sample: why the model said that, and whether to believe it. */
export function Understand({ index, sample, single, list, onStep, onClose }: UnderstandProps) {
  if (index === null) {
    return list.isPending || list.error || list.data?.pages[0]?.samples.length === 0 ? null : (
      <Notice title="Nothing selected">Choose a sample to look into it.</Notice>
    );
  }
  return (
    <>
      <PanelHead index={index} sample={sample} onStep={onStep} onClose={onClose} />
      {sample ? <Detail sample={sample} /> : <Missing index={index} single={single} />}
    </>
  );
}
