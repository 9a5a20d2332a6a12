import {
  type CSSProperties,
  type KeyboardEvent,
  memo,
  type PointerEvent,
  type UIEvent,
  useEffect,
  useId,
  useRef,
  useState,
} from 'react';
import styles from './TextView.module.css';
import type { Part } from './words';

const BLOCK = 100; // tokens that are drawn again together
const AT_FIRST = 6; // blocks, more than the box shows
const FURTHER = 10; // blocks, each time the end of those drawn comes near
const NEAR = 800; // px

const MOVES: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const LEAP = 10; // tokens, with Shift

/** How a token at a place looks, and what is said of it. */
export type TokenLook = (token: string, place: number) => { title: string; style: CSSProperties | undefined };

interface TokensProps {
  name: string;
  parts: Part[];
  /** Whether a part may go over several lines. */
  flowing: boolean;
  /** Which of them to show: [first, beyond the last]. */
  range: readonly [number, number];
  look: TokenLook;
  active: number | null;
  /** Whether to scroll to the active one, as where no pointer is on it. */
  reveal: boolean;
  onActive: (place: number | null, byKey?: boolean) => void;
}

/** The tokens as one stop for Tab, in which arrow keys move, as the pointer does; thousands of them, too. */
export function Tokens(props: TokensProps) {
  const { name, parts, flowing, range, look, active, reveal, onActive } = props;
  const [from, to] = range;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [scrolled, setScrolled] = useState(AT_FIRST);
  const reached = active === null ? 0 : Math.ceil((active + 1 - from) / BLOCK);
  const blocks = Math.min(Math.max(scrolled, reached + 1), Math.ceil((to - from) / BLOCK));
  const grow = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }: UIEvent) => {
    if (scrollHeight - scrollTop - clientHeight < NEAR) setScrolled(Math.max(scrolled, blocks) + FURTHER);
  };
  useEffect(() => {
    if (active !== null) setScrolled((now) => Math.max(now, reached)); // what was drawn stays
  }, [active, reached]);
  useEffect(() => {
    if (!reveal || active === null) return;
    box.current?.querySelector(`[data-place="${active}"]`)?.scrollIntoView({ block: 'nearest' });
  }, [reveal, active]);
  const move = (event: KeyboardEvent) => {
    const by = MOVES[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = Math.min(to - 1, Math.max(from, (active ?? from - by) + by * (event.shiftKey ? LEAP : 1)));
    onActive(next, true);
  };
  const follow = (event: PointerEvent) => {
    const token = (event.target as Element).closest<HTMLElement>('[data-place]');
    if (token) onActive(Number(token.dataset.place));
  };
  return (
    <div
      ref={box}
      className={styles.tokens}
      role="listbox"
      aria-label={name}
      data-flowing={flowing || undefined}
      aria-activedescendant={active === null ? undefined : `${id}${active}`}
      tabIndex={0}
      onKeyDown={move}
      onFocus={() => active === null && onActive(from, true)}
      onBlur={() => onActive(null)}
      onPointerOver={follow}
      onPointerLeave={() => onActive(null)}
      onScroll={grow}
    >
      {Array.from({ length: blocks }, (_, i) => {
        const start = from + i * BLOCK;
        const end = Math.min(to, start + BLOCK);
        const here = active !== null && active >= start && active < end ? active : null;
        return <Block key={start} id={id} parts={parts} start={start} end={end} look={look} active={here} />;
      })}
    </div>
  );
}

interface BlockProps {
  id: string;
  parts: Part[];
  start: number;
  end: number;
  look: TokenLook;
  /** The active token, where it is one of these. */
  active: number | null;
}

/** Some of the tokens: drawn again only where they or what is active among them change. */
const Block = memo(function Block({ id, parts, start, end, look, active }: BlockProps) {
  return parts.slice(start, end).map(({ text, special }, i) => {
    const place = start + i;
    const { title, style } = look(text, place);
    return (
      // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names the active one
      <span
        key={place}
        id={`${id}${place}`}
        className={styles.token}
        style={style}
        title={title}
        role="option"
        aria-selected={active === place}
        aria-label={title}
        data-place={place}
        data-quiet={special || undefined}
      >
        {text}
      </span>
    );
  });
});
