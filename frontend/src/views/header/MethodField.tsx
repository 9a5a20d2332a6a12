import { ActionIcon, type ComboboxItem, type ComboboxParsedItem, Select, Tooltip } from '@mantine/core';
import { IconAdjustments } from '@tabler/icons-react';
import { type RefObject, useState } from 'react';
import type { MethodInfo, MethodOffer } from '../../api/schema';
import { useOffers } from '../../state/offers';
import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { spelledOut } from '../common/abbreviations';
import { cited, grouped, matching, priceInBrief, priceInWords } from '../common/methods';
import styles from './Header.module.css';

interface MethodFieldProps {
  /** Whether its parameters are shown, and the button that shows and hides them. */
  opened: boolean;
  toggle: RefObject<HTMLButtonElement | null>;
  onToggle: () => void;
}

/** The attribution method: by what methods do, each with what it promises and costs, or why it cannot work here. */
export function MethodField({ opened, toggle, onToggle }: MethodFieldProps) {
  const { methods } = useWorkspace();
  const { question, change } = useQuestion();
  const [asked, setAsked] = useState(false);
  const offers = useOffers(question.model, asked);
  const changed = Object.keys(question.args).length;
  const known = new Map(methods.map((method) => [method.name, method]));
  const item = ({ name, title }: MethodInfo): ComboboxItem => ({
    value: name,
    label: title,
    disabled: Boolean(offers.get(name)?.unavailable),
  });
  return (
    <div className={styles.method}>
      <Select
        searchable
        aria-label="Attribution method"
        aria-keyshortcuts="m"
        title={[question.method.summary, spelledOut(question.method.title)].filter(Boolean).join(' ')}
        allowDeselect={false}
        comboboxProps={{ width: 'min(460px, 92vw)', position: 'bottom-start' }}
        classNames={{ options: styles.tall, option: styles.offer, groupLabel: styles.group }}
        data={grouped(methods).map(({ group, methods }) => ({ group, items: methods.map(item) }))}
        filter={({ options, search }) => {
          const fits = (value: string) => matching(known.get(value), search);
          return options.flatMap<ComboboxParsedItem>((option) => {
            if (!('items' in option)) return fits(option.value) ? [option] : [];
            const items = option.items.filter(({ value }) => fits(value));
            return items.length ? [{ ...option, items }] : [];
          });
        }}
        nothingFoundMessage="No such method"
        value={question.method.name}
        onDropdownOpen={() => setAsked(true)}
        onChange={(method) => change({ method, args: null })}
        renderOption={({ option }) => (
          <Offered method={known.get(option.value)} offer={offers.get(option.value)} />
        )}
      />
      <Tooltip label="Parameters of the method" disabled={opened}>
        <ActionIcon
          ref={toggle}
          size={30}
          variant="default"
          aria-label={changed ? `Parameters of the method, ${changed} changed` : 'Parameters of the method'}
          aria-expanded={opened}
          className={changed ? styles.changed : undefined}
          onClick={onToggle}
        >
          <IconAdjustments size={17} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}

interface OfferedProps {
  method: MethodInfo | undefined;
  offer: MethodOffer | undefined;
}

function Offered({ method, offer }: OfferedProps) {
  if (!method) return null;
  return (
    <span className={styles.option}>
      <span className={styles.optionHead}>
        <b title={spelledOut(method.title)}>{method.title}</b>
        {offer?.price && <small title={priceInWords(offer.price)}>{priceInBrief(offer.price)}</small>}
      </span>
      {offer?.unavailable ? (
        <small>Not here: {offer.unavailable}</small>
      ) : (
        <>
          <small>
            {method.summary} {method.promise} {method.paper && <i>{cited(method.paper)}</i>}
          </small>
          {method.caveat && <small>{method.caveat}</small>}
        </>
      )}
    </span>
  );
}
