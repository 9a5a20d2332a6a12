/** On a card beside its original, large in the panel, or as one of several to compare. */
export type Size = 'card' | 'panel' | 'tile';
