/** Carries the contract's requests: over HTTP, over a notebook's channel, or to generated data. */
export interface Transport {
  /** Where relative addresses start, without a slash at the end. */
  base: string;
  /** Whether the browser itself can load an address, as an <img> does. */
  direct: boolean;
  fetch(request: Request): Promise<Response>;
}
