// Requests pictures of the tile while it changes: drafts one after another, measured ones at rest.

import { picture } from "./server.js";
import { alone, key, request } from "./tile.js";

/** The identity of what is drawn here: the tile alone. */
const drawnKey = (tile) => key(alone(tile));

const REST = 120; // ms without a change before the measured preview is requested
const KEPT = 8; // final pictures, so that undo shows its picture at once

export class Renderer {
  #show;
  #fault;
  #wanted = null; // {tile, settled}: what to draw next
  #drafting = false;
  #finishing = null; // AbortController of the measured picture under way
  #rest = 0;
  #finals = new Map(); // key of a tile -> final picture

  /** show({kind, blob, shown, tile}) is called with each picture, fault(error) with each error. */
  constructor(show, fault) {
    this.#show = show;
    this.#fault = fault;
  }

  /** Draw a tile. settled: whether the change is done, so that the final picture is wanted. */
  draw(tile, settled) {
    this.#wanted = { tile, settled };
    this.#finishing?.abort();
    this.#finishing = null;
    clearTimeout(this.#rest);
    const final = this.#finals.get(drawnKey(tile));
    if (final) {
      this.#wanted = null;
      this.#show({ ...final, tile });
      return;
    }
    this.#draft();
  }

  /** Get the final picture of a tile as Blob: the one that is kept, or a new one. */
  async final(tile) {
    return (this.#finals.get(drawnKey(tile)) ?? (await this.#finished(tile, "final"))).blob;
  }

  async #draft() {
    if (this.#drafting) return; // the loop below takes the new tile next
    this.#drafting = true;
    try {
      while (this.#wanted) {
        const { tile, settled } = this.#wanted;
        const text = drawnKey(tile);
        const drawn = await picture("draft", text);
        if (!this.#wanted) break; // an undo went back to a tile whose picture is kept
        this.#show({ kind: "draft", ...drawn, tile });
        if (drawnKey(this.#wanted.tile) !== text) continue;
        if (this.#wanted.settled || settled) this.#finish(tile, "final");
        else this.#rest = setTimeout(() => this.#finish(tile, "preview"), REST);
        this.#wanted = null;
      }
    } catch (error) {
      this.#wanted = null;
      this.#fault(error);
    } finally {
      this.#drafting = false;
    }
  }

  async #finish(tile, kind) {
    const working = new AbortController();
    this.#finishing = working;
    try {
      const made = await this.#finished(tile, kind, working.signal);
      if (this.#finishing === working) this.#show({ ...made, tile });
    } catch (error) {
      if (error.name !== "AbortError") this.#fault(error);
    }
  }

  async #finished(tile, kind, signal) {
    const made = { kind, ...(await picture(kind, JSON.stringify(request(alone(tile))), signal)) };
    if (kind === "final") {
      this.#finals.set(drawnKey(tile), made);
      if (this.#finals.size > KEPT) this.#finals.delete(this.#finals.keys().next().value);
    }
    return made;
  }
}
