import { endsBefore, type SampleList } from '../../state/data';
import type { Selected } from '../../state/selection';
import { Notice } from '../common/Notice';
import { UnknownNote } from '../common/UnknownNote';
import { Detail } from './Detail';
import { Missing } from './Missing';
import { Outside } from './Outside';
import { PanelHead } from './PanelHead';

interface UnderstandProps {
  selected: Selected;
  list: SampleList;
  onStep: (by: number) => void;
  onClose: (() => void) | undefined;
}

/** The selected sample: why the model said that, and whether to believe it. */
export function Understand({ selected, list, onStep, onClose }: UnderstandProps) {
  const { index, sample, listed, single } = selected;
  const settled = list.isSuccess && !list.isPlaceholderData;
  if (index === null) {
    return list.isPending || list.error || list.data?.pages[0]?.samples.length === 0 ? null : (
      <Notice title="Nothing selected">Choose a sample to look into it.</Notice>
    );
  }
  return (
    <>
      <PanelHead index={index} sample={sample} onStep={onStep} onClose={onClose} />
      {onClose && <UnknownNote />}
      {sample && !listed && settled && <Outside sample={sample} />}
      {sample ? (
        <Detail sample={sample} />
      ) : (
        <Missing index={index} single={single} none={endsBefore(index, list)} />
      )}
    </>
  );
}
