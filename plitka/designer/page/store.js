// A small store: one state, and those who are told when it changes.

export class Store {
  #state;
  #listeners = [];

  constructor(state) {
    this.#state = state;
  }

  get state() {
    return this.#state;
  }

  /** Change parts of the state, and tell all listeners. */
  set(parts) {
    this.#state = { ...this.#state, ...parts };
    this.tell();
  }

  /** Call all listeners with the state as it is: they said it in another language, for example. */
  tell() {
    for (const listener of this.#listeners) listener(this.#state);
  }

  /** listener(state) is called after each change, in the order of subscription. */
  subscribe(listener) {
    this.#listeners.push(listener);
  }
}
