import { Button } from '@mantine/core';
import type { Attribution, Prediction, Sample } from '../../api/schema';
import { score } from '../../base/format';
import { useAddress } from '../../state/address';
import { comparisonParsers } from '../../state/location';
import { useUsualLayers } from '../../state/offers';
import { requestFor, useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { Mark } from '../common/Mark';
import { Name } from '../common/Name';
import { Section } from '../common/Section';
import { Agreement } from './Agreement';
import styles from './Compare.module.css';
import { Tile } from './Tile';
import { Tiles } from './Tiles';

/** The same sample and class explained for every model, once asked for. */
export function Models({ sample, lead }: { sample: Sample; lead: Attribution | undefined }) {
  const { models, explains_label } = useWorkspace();
  const { question, change } = useQuestion();
  const [{ across }, compare] = useAddress(comparisonParsers);
  const usual = useUsualLayers(models, across && question.method.uses_layer);
  if (models.length < 2) return null;
  const own = sample.predictions.find(({ model }) => model === question.model)?.predicted;
  const meant = (explains_label ? sample.label : null) ?? own;
  const request = requestFor(question, sample);
  const target = question.method.uses_target ? (request.target ?? meant?.index ?? null) : null;
  const asked = (model: number) => {
    const layer = model === question.model ? request.layer : usual[model];
    return { ...request, model, target, layer: question.method.uses_layer ? (layer ?? null) : null };
  };
  const choose = (model: number) =>
    change({
      model,
      sample: sample.index,
      target: typeof target === 'number' ? target : null,
      against: request.against,
    });
  const toggle = (
    <Button
      size="compact-xs"
      variant="default"
      aria-expanded={across}
      onClick={() => compare({ across: across ? null : true }, { replace: true })}
    >
      {across ? 'Hide' : `Compare ${models.length} models`}
    </Button>
  );
  return (
    <Section title="Models side by side" aside={toggle}>
      {across ? (
        <>
          <Tiles label="Models side by side" sample={sample}>
            {models.map(({ name }, model) => (
              <Tile
                key={model}
                sample={sample}
                request={asked(model)}
                method={question.method}
                ready={question.ready && usual[model] !== undefined}
                title={name}
                note={<Said prediction={sample.predictions.find((each) => each.model === model)} />}
                current={model === question.model}
                lead={lead}
                onChoose={() => model === question.model || choose(model)}
              />
            ))}
          </Tiles>
          <Agreement
            sample={sample}
            names={models.map(({ name }) => name)}
            requests={models.map((_, model) => asked(model))}
          />
        </>
      ) : (
        <p className={styles.hint}>Do the models look at the same things? Compare them to see.</p>
      )}
    </Section>
  );
}

/** What a model predicts. */
function Said({ prediction }: { prediction: Prediction | undefined }) {
  if (!prediction?.predicted) return null;
  const best = prediction.classes.find(({ index }) => index === prediction.predicted?.index);
  return (
    <p className={styles.said}>
      <Name text={prediction.predicted.name} />
      {best && score(best.score)}
      <Mark correct={prediction.correct} />
    </p>
  );
}
