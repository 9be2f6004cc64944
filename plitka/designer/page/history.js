// What was before, and what was undone.

const MOST = 200;

export class History {
  #past = [];
  #future = [];

  /** Keep a state that another one is about to follow. */
  keep(state) {
    this.#past.push(state);
    if (this.#past.length > MOST) this.#past.shift();
    this.#future = [];
  }

  /** The state before this one, or null. */
  undo = (state) => step(this.#past, this.#future, state);

  /** The state that was undone to this one, or null. */
  redo = (state) => step(this.#future, this.#past, state);

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }
}

function step(from, to, state) {
  if (from.length === 0) return null;
  to.push(state);
  return from.pop();
}
