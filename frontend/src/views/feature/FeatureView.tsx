import type { InputAttribution, SampleInput } from '../../api/client';
import type { Meant } from '../common/meant';
import { BarView } from './BarView';
import styles from './FeatureView.module.css';
import { ImageView } from './ImageView';
import type { Size } from './size';
import { TextView } from './TextView';

interface FeatureViewProps {
  input: SampleInput;
  attribution: InputAttribution | undefined;
  size: Size;
  /** The class explained. */
  target?: Meant | undefined;
  /** Which input of its sample it is. */
  place?: number;
  /** Which of many bars to show, in which order; the strongest first where absent. */
  places?: number[] | undefined;
}

/** The view of an input by its kind; a new kind does not compile until it has one. */
export function FeatureView({ input, attribution, ...how }: FeatureViewProps) {
  switch (input.kind) {
    case 'image':
      return <ImageView input={input} attribution={ofKind(attribution, 'image')} {...how} />;
    case 'text':
      return <TextView input={input} attribution={ofKind(attribution, 'text')} {...how} />;
    case 'general':
      return <BarView input={input} attribution={ofKind(attribution, 'general')} {...how} />;
    case 'empty':
      return how.size === 'panel' ? <p className={styles.empty}>{input.name} is not shown.</p> : null;
    default:
      return unknownKind(input);
  }
}

function ofKind<K extends InputAttribution['kind']>(attribution: InputAttribution | undefined, kind: K) {
  return attribution?.kind === kind ? (attribution as Extract<InputAttribution, { kind: K }>) : undefined;
}

function unknownKind(input: never): never {
  throw new Error(`FeatureView: no view for ${JSON.stringify(input)}.`);
}
