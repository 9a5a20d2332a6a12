import { createContext, useContext } from 'react';
import type { Workspace } from '../api/schema';

export const WorkspaceContext = createContext<Workspace | null>(null);

/** The name of a class, also of a label for which there is no output. */
export function className(classes: string[], index: number): string {
  return classes[index] ?? `class ${index}`;
}

export function useWorkspace(): Workspace {
  const workspace = useContext(WorkspaceContext);
  if (!workspace) throw new Error('useWorkspace: outside of <WorkspaceContext>');
  return workspace;
}
