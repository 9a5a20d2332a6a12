import type { InputAttribution, SampleInput } from '../../api/client';
import type { ImageAttribution, TextAttribution, TextInput } from '../../api/schema';
import { fixed } from '../../base/format';
import { useBound, useMapBound } from '../../state/bound';
import { useCells } from '../../state/cells';
import { useDisplay, useSign } from '../../state/display';
import { chosenMap } from './Layers';
import { useReading } from './parts';
import { type Extent, extentOf, largest, type Weight } from './weights';

interface ReachProps {
  input: SampleInput;
  attribution: InputAttribution;
}

/** The value at which the colours and bars of an input are full. */
export function Reach({ input, attribution }: ReachProps) {
  if (attribution.kind === 'image') return <OfMap attribution={attribution} />;
  if (attribution.kind === 'text' && input.kind === 'text')
    return <OfText input={input} attribution={attribution} />;
  if (attribution.kind === 'general') return <OfWeights kind="general" weights={attribution.weights} />;
  return null;
}

function OfMap({ attribution }: { attribution: ImageAttribution }) {
  const { channels } = useDisplay().display;
  const cells = useCells(chosenMap(attribution, channels));
  const bound = useMapBound(cells);
  return cells ? <Written bound={bound} extent={cells} /> : null;
}

function OfText({ input, attribution }: { input: TextInput; attribution: TextAttribution }) {
  return <OfWeights kind="text" weights={useReading(input, attribution).weights} />;
}

function OfWeights({ kind, weights }: { kind: 'text' | 'general'; weights: readonly Weight[] }) {
  const bound = useBound(kind, largest(weights));
  return <Written bound={bound} extent={extentOf(weights)} />;
}

function Written({ bound, extent }: { bound: number; extent: Extent }) {
  const unsigned = useSign() === 'absolute' || extent.minimum >= 0;
  return <>{unsigned ? `0 – ${fixed(bound)}` : `±${fixed(bound)}`}</>;
}
