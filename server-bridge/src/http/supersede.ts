/** One running request per token and key: a newer one with the same token cancels the older. */
import { HearthError } from '@hearth/protocol';

export class Supersede {
  readonly #running = new Map<string, AbortController>();

  /** Cancels the older request and registers this one, until `done` is called. */
  enter(keyId: string, token: string, controller: AbortController): { done: () => void } {
    const name = `${keyId} ${token}`;
    this.#running
      .get(name)
      ?.abort(new HearthError('superseded', 'A newer request with the same supersede token took its place.'));
    this.#running.set(name, controller);
    return {
      done: () => {
        if (this.#running.get(name) === controller) this.#running.delete(name);
      },
    };
  }
}
