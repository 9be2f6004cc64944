// Undo and redo: stacks of past and of undone states.

const MOST = 200;

export class History {
  #past = [];
  #future = [];

  /** Push the state that a change is about to replace. */
  keep(state) {
    this.#past.push(state);
    if (this.#past.length > MOST) this.#past.shift();
    this.#future = [];
  }

  /** Return the state before `state`, or null. */
  undo = (state) => step(this.#past, this.#future, state);

  /** Return the state that was undone last, or null. */
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
