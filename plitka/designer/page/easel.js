// Has the tile drawn while it changes: drafts as fast as they come, then measured pictures at rest.

import { picture } from "./server.js";
import { key, request } from "./tile.js";

const REST = 120; // ms without a change after which the hand counts as resting
const KEPT = 8; // finished tiles, so that undo shows its picture at once

export class Easel {
  #show;
  #fault;
  #wanted = null; // {tile, settled}
  #drafting = false;
  #finishing = null; // AbortController of the measured picture under way
  #rest = 0;
  #finals = new Map(); // key of a tile -> final picture

  /** show({kind, blob, measured, tile}) is told of each picture, fault(error) of what went wrong. */
  constructor(show, fault) {
    this.#show = show;
    this.#fault = fault;
  }

  /** Draw this tile. settled: whether the hand has let go, so that the whole picture is wanted. */
  draw(tile, settled) {
    this.#wanted = { tile, settled };
    this.#finishing?.abort();
    this.#finishing = null;
    clearTimeout(this.#rest);
    const final = this.#finals.get(key(tile));
    if (final) {
      this.#wanted = null;
      this.#show({ ...final, tile });
      return;
    }
    this.#draft();
  }

  /** The final picture of a tile, as Blob: the one that is there, or a new one. */
  async final(tile) {
    return (this.#finals.get(key(tile)) ?? (await this.#finished(tile, "final"))).blob;
  }

  async #draft() {
    if (this.#drafting) return; // it looks for what is wanted when it is done
    this.#drafting = true;
    try {
      while (this.#wanted) {
        const { tile, settled } = this.#wanted;
        const text = key(tile);
        const drawn = await picture("draft", text);
        if (!this.#wanted) break; // undone to a tile that is there
        this.#show({ kind: "draft", ...drawn, tile });
        if (key(this.#wanted.tile) !== text) continue;
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
    const made = { kind, ...(await picture(kind, JSON.stringify(request(tile)), signal)) };
    if (kind === "final") {
      this.#finals.set(key(tile), made);
      if (this.#finals.size > KEPT) this.#finals.delete(this.#finals.keys().next().value);
    }
    return made;
  }
}
