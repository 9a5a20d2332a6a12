import { Button, CloseButton } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { MethodInfo, Paper } from '../../api/schema';
import type { Argument, Arguments } from '../../state/location';
import { usePrice } from '../../state/offers';
import { changedArguments, isUsed } from '../../state/parameters';
import { requestFor, useQuestion } from '../../state/question';
import { cited, priceInWords } from '../common/methods';
import styles from './Header.module.css';
import { ParameterField } from './ParameterField';

interface ParameterFormProps {
  method: MethodInfo;
  args: Arguments;
  onClose: () => void;
}

interface PaperLineProps {
  paper: Paper;
}

function PaperLine({ paper }: PaperLineProps) {
  return (
    <p className={styles.summary}>
      {paper.url ? (
        <a href={paper.url} target="_blank" rel="noreferrer" title={paper.title}>
          {cited(paper)}
        </a>
      ) : (
        <span title={paper.title}>{cited(paper)}</span>
      )}
    </p>
  );
}

/** What it costs to explain a sample with these parameters, before it runs. */
function PriceLine() {
  const { question } = useQuestion();
  const request = requestFor(question, { index: question.sample ?? 0, label: null, predictions: [] });
  const { data } = usePrice(request, question.ready);
  return data ? <p className={styles.summary}>Costs {priceInWords(data)} for each sample.</p> : null;
}

/** A form made from a method's parameters, in a row of its own, so that it covers nothing; only valid values are sent. */
export function ParameterForm({ method, args, onClose }: ParameterFormProps) {
  const { change } = useQuestion();
  const [resets, setResets] = useState(0);
  const set = (name: string, value: Argument) => {
    const next = changedArguments(method, { ...args, [name]: value });
    change({ args: Object.keys(next).length ? next : null }, { replace: true });
  };
  const reset = () => {
    change({ args: null });
    setResets(resets + 1);
  };
  const section = useRef<HTMLElement>(null);
  useEffect(() => section.current?.focus(), []);
  return (
    <section
      ref={section}
      className={styles.form}
      aria-label="Parameters of the method"
      tabIndex={-1}
      data-keys="own"
      onKeyDown={(event) => event.key === 'Escape' && onClose()}
    >
      <div className={styles.about}>
        <h2>{method.title}</h2>
        <p className={styles.summary}>{method.summary}</p>
        {method.promise && <p className={styles.summary}>{method.promise}</p>}
        {method.caveat && <p className={styles.caveat}>{method.caveat}</p>}
        {method.paper && <PaperLine paper={method.paper} />}
        <PriceLine />
      </div>
      {method.parameters
        .filter((parameter) => isUsed(parameter, method, args))
        .map((parameter) => (
          <ParameterField
            key={`${parameter.name}-${resets}`}
            parameter={parameter}
            value={args[parameter.name]}
            onChange={(value) => set(parameter.name, value)}
          />
        ))}
      {method.parameters.length === 0 && <p className={styles.summary}>This method has no parameters.</p>}
      <div className={styles.formActions}>
        {method.parameters.length > 0 && (
          <Button size="xs" variant="default" disabled={Object.keys(args).length === 0} onClick={reset}>
            Reset to defaults
          </Button>
        )}
        <CloseButton size="sm" aria-label="Hide the parameters" onClick={onClose} />
      </div>
    </section>
  );
}
