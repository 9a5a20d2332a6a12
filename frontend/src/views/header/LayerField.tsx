import { Select } from '@mantine/core';
import type { LayerInfo, ModelLayers } from '../../api/schema';
import { count } from '../../base/format';
import { useLayers } from '../../state/offers';
import { useQuestion } from '../../state/question';
import styles from './Header.module.css';

const SHOWN = 300; // modules drawn at once; a search finds the others
const SUGGESTED = '? ';

/** The layer that a method looks at: those that people look at first, then all modules as a tree. */
export function LayerField() {
  const { question, change } = useQuestion();
  const { data } = useLayers(question.model, question.method.uses_layer);
  if (!question.method.uses_layer) return null;
  const layers = new Map(data?.layers.map((layer) => [layer.name, layer]));
  const reasons = new Map(data?.suggested.map(({ name, reason }) => [name, reason]));
  return (
    <Select
      searchable
      aria-label="Layer"
      className={styles.field}
      placeholder="Looking at the layers…"
      allowDeselect={false}
      limit={SHOWN}
      comboboxProps={{ width: 'min(460px, 92vw)', position: 'bottom-start' }}
      classNames={{ options: styles.tall, option: styles.offer, groupLabel: styles.group }}
      data={optionsOf(data, question.layer)}
      value={question.layer}
      onChange={(value) =>
        change({ layer: value?.startsWith(SUGGESTED) ? value.slice(SUGGESTED.length) : value })
      }
      nothingFoundMessage="No layer of that name"
      renderOption={({ option: { value } }) =>
        value.startsWith(SUGGESTED) ? (
          <Row
            layer={layers.get(value.slice(SUGGESTED.length))}
            reason={reasons.get(value.slice(SUGGESTED.length))}
          />
        ) : (
          <Row layer={layers.get(value)} />
        )
      }
    />
  );
}

function optionsOf(data: ModelLayers | undefined, chosen: string | null) {
  const missing = chosen !== null && !data?.layers.some(({ name }) => name === chosen) ? [chosen] : [];
  const option = (name: string) => ({ value: name, label: name });
  if (!data) return missing.map(option);
  const suggested = data.suggested.map(({ name }) => ({ value: SUGGESTED + name, label: name }));
  const all = data.layers.map(({ name, shape }) => ({ ...option(name), disabled: shape === null }));
  return [
    { group: 'Looked at first', items: suggested },
    { group: `All ${count(all.length)} modules`, items: [...missing.map(option), ...all] },
  ];
}

interface RowProps {
  layer: LayerInfo | undefined;
  /** Why it is suggested; else it is a part of the tree. */
  reason?: string | undefined;
}

function Row({ layer, reason }: RowProps) {
  if (!layer) return null;
  const path = layer.name.split('.');
  const depth = reason === undefined ? path.length - 1 : 0;
  return (
    <span className={styles.layer} style={{ paddingLeft: 14 * Math.min(depth, 8) }}>
      <b title={layer.name}>{reason === undefined ? path.at(-1) : layer.name}</b>
      <small>
        {reason ? `${layer.type}, ${reason}` : layer.type}
        {layer.calls > 1 && `, runs ${layer.calls} times`}
      </small>
      <small>{layer.shape ? layer.shape.join(' × ') : 'not reached'}</small>
    </span>
  );
}
