import { sentence } from '../base/sentence';
import type { ApiError } from './schema';

/** The type of what takes long, and is to be asked again. */
export const NOT_YET = 'Not yet';

/** What the server calls its own refusals: words that tell a person nothing. */
const OWN = new Set(['Refused', 'Error']);

/** A request that did not succeed: what went wrong, in words for a person, and what to try. */
export class Failure extends Error implements ApiError {
  readonly type: string;
  readonly hint: string;

  constructor({ type, message, hint }: ApiError) {
    super(message);
    this.name = 'Failure';
    this.type = type;
    this.hint = hint;
  }

  static unreachable(): Failure {
    return new Failure({
      type: 'Unreachable',
      message: 'The server does not answer.',
      hint: 'Check that the Python process is still running, then try again.',
    });
  }

  static kernelGone(): Failure {
    return new Failure({ type: 'Unreachable', message: 'The kernel is gone.', hint: 'Run the cell again.' });
  }

  /** From an answer that is not a success; its body is an ApiError unless something in between wrote it. */
  static fromAnswer(body: unknown, response: Response): Failure {
    if (isApiError(body)) return new Failure({ ...body, hint: body.hint ?? '' });
    return new Failure({
      type: `HTTP ${response.status}`,
      message: `The server answered ${[response.status, response.statusText].join(' ').trim()}.`,
      hint: '',
    });
  }

  /** From anything thrown. */
  static from(error: unknown): Failure {
    if (error instanceof Failure) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new Failure({ type: 'Error', message, hint: '' });
  }
}

/** Whether nobody answered: no server, or no kernel. */
export function isUnreachable(error: Error): boolean {
  return Failure.from(error).type === 'Unreachable';
}

function isApiError(body: unknown): body is ApiError {
  return typeof body === 'object' && body !== null && 'type' in body && 'message' in body;
}

/** What went wrong: our own words as a sentence, those of an exception as they are. */
export function messageOf(error: ApiError): string {
  return exceptionName(error) ? error.message : sentence(error.message);
}

/** The exception that a person may look up; null where it is the server's own refusal, which its message explains. */
export function exceptionName({ type }: ApiError): string | null {
  return OWN.has(type) || type.includes(' ') ? null : type;
}
