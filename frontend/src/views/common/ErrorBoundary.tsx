import { Button } from '@mantine/core';
import { Component, type ReactNode } from 'react';
import { Main } from './Main';
import { Notice } from './Notice';

interface Props {
  children: ReactNode;
  /** Instead of the full notice, where a part may be missing. */
  fallback?: ReactNode;
}

/** Keeps a failing part from taking the whole view with it. */
export class ErrorBoundary extends Component<Props, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    if (this.props.fallback !== undefined) return this.props.fallback;
    const again = (
      <Button size="xs" onClick={() => this.setState({ error: null })}>
        Show it again
      </Button>
    );
    return (
      <Main style={{ flex: 1, display: 'grid', placeItems: 'center' }}>
        <Notice alone title="The dashboard could not be drawn" actions={again}>
          {error.message}
        </Notice>
      </Main>
    );
  }
}
