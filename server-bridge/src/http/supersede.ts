/** One running request per token and key: a newer one with the same token cancels the older. */

export class Supersede {
  readonly #running = new Map<string, () => void>();

  /**
   * Calls the older request's `superseded` and puts this one in its place, until the returned function is called. The
   * newer one's place is there before the older one's end, so that nothing in between sees neither.
   */
  enter(keyId: string, token: string, superseded: () => void): () => void {
    const name = `${keyId} ${token}`;
    const older = this.#running.get(name);
    this.#running.set(name, superseded);
    older?.();
    return () => {
      if (this.#running.get(name) === superseded) this.#running.delete(name);
    };
  }
}
