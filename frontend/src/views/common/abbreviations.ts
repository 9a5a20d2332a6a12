/** What the abbreviations in methods' names stand for. */
export const SPELLED_OUT: Record<string, string> = {
  SHAP: 'SHapley Additive exPlanations: fair shares of the change, after Shapley’s theory of games.',
  LIME: 'Local Interpretable Model-agnostic Explanations: a simple model fitted around this one input.',
  LRP: 'Layer-wise Relevance Propagation: the output handed back from layer to layer.',
  DeepLIFT: 'Deep Learning Important FeaTures: differences from a baseline handed back through the layers.',
  CAM: 'Class Activation Map: where the channels of a layer speak for a class.',
};

/** What the abbreviations in a text stand for; undefined where there are none. */
export function spelledOut(text: string): string | undefined {
  const words = Object.keys(SPELLED_OUT).filter((word) => new RegExp(`\\b${word}\\b`).test(text));
  return words.map((word) => `${word}: ${SPELLED_OUT[word]?.replace(/:.*/, '')}`).join(' · ') || undefined;
}
