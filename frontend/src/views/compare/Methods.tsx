import { Button, Checkbox, Popover } from '@mantine/core';
import { IconChevronDown } from '@tabler/icons-react';
import { useState } from 'react';
import type { Attribution, MethodInfo, Sample } from '../../api/schema';
import { useAddress } from '../../state/address';
import { comparisonParsers } from '../../state/location';
import { useOffers } from '../../state/offers';
import { requestFor, useQuestion, useReady } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { grouped } from '../common/methods';
import { Section } from '../common/Section';
import { Agreement } from './Agreement';
import styles from './Compare.module.css';
import { Tile } from './Tile';
import { Tiles } from './Tiles';

interface CompareProps {
  sample: Sample;
  lead: Attribution | undefined;
}

/** The same sample and class explained by the methods chosen; nothing is computed before one is. */
export function Methods({ sample, lead }: CompareProps) {
  const { methods } = useWorkspace();
  const { question, change } = useQuestion();
  const [{ compare }] = useAddress(comparisonParsers);
  const chosen = methods.filter(({ name }) => compare.includes(name));
  const atLayer = chosen.find(({ uses_layer }) => uses_layer);
  const placed = useReady(atLayer ? { ...question, method: atLayer } : question);
  const isCurrent = ({ name }: MethodInfo) => name === question.method.name;
  const requestBy = (method: MethodInfo) =>
    requestFor({ ...placed, method, args: isCurrent(method) ? question.args : {} }, sample);
  if (methods.length < 2) return null;
  return (
    <Section title="Methods side by side" aside={<Chooser />}>
      {chosen.length === 0 ? (
        <p className={styles.hint}>Do other methods agree? Choose some to see.</p>
      ) : (
        <>
          <Tiles label="Methods side by side" sample={sample}>
            {chosen.map((method) => (
              <Tile
                key={method.name}
                sample={sample}
                request={requestBy(method)}
                method={method}
                ready={placed.ready || !method.uses_layer}
                title={method.title}
                current={isCurrent(method)}
                lead={lead}
                onChoose={() => isCurrent(method) || change({ method: method.name, args: null })}
              />
            ))}
          </Tiles>
          <Agreement
            sample={sample}
            names={chosen.map(({ title }) => title)}
            requests={chosen.map(requestBy)}
          />
        </>
      )}
    </Section>
  );
}

/** The methods to choose from; the one in use comes along with the first choice, to be compared with. */
function Chooser() {
  const { methods } = useWorkspace();
  const { question } = useQuestion();
  const [opened, setOpened] = useState(false);
  const offers = useOffers(question.model, opened);
  const [{ compare }, change] = useAddress(comparisonParsers);
  const choose = (names: string[]) => {
    const first = compare.length === 0 ? [question.method.name] : [];
    change({ compare: names.length ? [...new Set([...first, ...names])] : null }, { replace: true });
  };
  return (
    <Popover width={260} position="bottom-end" trapFocus onOpen={() => setOpened(true)}>
      <Popover.Target>
        <Button size="compact-xs" variant="default" rightSection={<IconChevronDown size={13} aria-hidden />}>
          Choose methods
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Methods to compare">
        <Checkbox.Group value={compare} onChange={choose} aria-label="Methods to compare">
          <div className={styles.choices}>
            {grouped(methods).map(({ group, methods }) => (
              <section key={group} className={styles.group} aria-label={group}>
                <h3>{group}</h3>
                {methods.map(({ name, title }) => (
                  <Checkbox
                    key={name}
                    size="xs"
                    value={name}
                    label={title}
                    title={offers.get(name)?.unavailable ?? undefined}
                    disabled={Boolean(offers.get(name)?.unavailable) && !compare.includes(name)}
                  />
                ))}
              </section>
            ))}
          </div>
        </Checkbox.Group>
        <Button
          size="compact-xs"
          variant="subtle"
          mt={8}
          disabled={compare.length === 0}
          onClick={() => choose([])}
        >
          Clear
        </Button>
      </Popover.Dropdown>
    </Popover>
  );
}
