// A and B: the tile on the stage and a variant in the same view, each on its side of a line that is moved.

import { at, make } from "./dom.js";
import { attachSlider } from "./slider.js";
import { link } from "./tile.js";
import { percent, say } from "./words.js";

export class Comparison {
  variant = null; // the one that is compared, or null
  #designer;
  #changed;
  #shown = ""; // what is on the canvas of B: view and tile
  #drawing = null; // AbortController of its picture
  #canvas = make("canvas", { class: "other", "aria-hidden": "true", width: 1, height: 1 });
  #line = make("span", { class: "line", "aria-hidden": "true" });
  #slider = make("input", { type: "range", min: 0, max: 100, value: 50, oninput: () => this.#place() });
  #words = make("p", { class: "sides", "aria-hidden": "true" }, make("span"), make("span"));
  #box = make("div", { class: "compare", hidden: true });

  /** changed() is called when a comparison begins or ends. */
  constructor(designer, changed) {
    this.#designer = designer;
    this.#changed = changed;
    this.#box.append(this.#canvas, this.#line, this.#words, this.#slider);
    attachSlider(this.#slider);
    designer.stage.overlay.append(this.#box);
    designer.subscribe(() => this.#fill());
    this.#place();
  }

  toggle(variant) {
    this.variant = this.variant?.id === variant.id ? null : variant;
    if (this.variant && this.#designer.state.view === "photograph") this.#designer.turn("drawing");
    if (this.variant && at("frame").classList.contains("zoomed")) this.#designer.stage.zoom(false);
    this.#changed();
    this.#fill();
    if (this.variant) this.#slider.focus({ preventScroll: true });
  }

  end() {
    this.variant = null;
    this.#fill();
  }

  #place() {
    const value = Number(this.#slider.value);
    this.#box.style.setProperty("--at", `${value}%`);
    this.#slider.setAttribute("aria-valuetext", say("compare_at", { share: percent(value / 100, 0) }));
  }

  #fill() {
    const { view } = this.#designer.state;
    this.#box.hidden = this.variant === null || view === "photograph";
    if (this.variant === null) {
      this.#shown = "";
      this.#drawing?.abort();
      return;
    }
    const name = this.variant.name || say("variant", { number: this.variant.number });
    this.#slider.setAttribute("aria-label", say("compare_with", { name }));
    this.#place();
    const [left, right] = this.#words.children;
    left.textContent = say("compare_now");
    right.textContent = name;
    const wanted = `${view} ${link(this.variant.tile)}`;
    if (this.#box.hidden || wanted === this.#shown) return;
    this.#shown = wanted;
    this.#draw(this.variant.tile);
  }

  async #draw(tile) {
    this.#drawing?.abort();
    const drawing = (this.#drawing = new AbortController());
    const { draw } = this.#designer.stage.chosen;
    this.#box.classList.add("waiting");
    try {
      const bitmap = await createImageBitmap(await (draw ? draw(tile, drawing.signal) : this.#designer.final(tile)));
      if (this.#drawing === drawing && !drawing.signal.aborted) {
        this.#canvas.width = bitmap.width;
        this.#canvas.height = bitmap.height;
        this.#canvas.getContext("2d").drawImage(bitmap, 0, 0);
        this.#canvas.dataset.of = link(tile);
        this.#box.classList.remove("waiting");
      }
      bitmap.close();
    } catch (error) {
      if (error.name === "AbortError" || this.#drawing !== drawing) return;
      this.#shown = "";
      this.variant = null;
      this.#changed();
      this.#fill();
      this.#designer.fault(error);
    }
  }
}
