import type { ComponentProps } from 'react';
import { useHost } from '../../state/host';

/** What a page is mainly about; in a notebook, which is about more, a section of it. */
export function Main(props: ComponentProps<'main'>) {
  const Landmark = useHost().embedded ? 'section' : 'main';
  return <Landmark {...props} />;
}
