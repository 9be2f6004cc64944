// The colours of the tile: a row for each, and the bars.

import { at, make, number } from "./dom.js";
import { icon } from "./icons.js";
import * as mix from "./mix.js";
import { colourName, figure, percent, say } from "./words.js";

export class Mixer {
  #change;
  #tell;
  #tile = null;
  #start = null; // the mixture when a hand took hold of a slider
  #rows = []; // {name, slider, field, lock, measured, row, …}

  /** change(colours, settled) is told of each change; tell(words) says something aloud. */
  constructor(change, tell) {
    this.#change = change;
    this.#tell = tell;
    at("even").addEventListener("click", () => this.#change(mix.even(this.#mixed()), true));
  }

  /** Show a tile, and what was measured on its picture: {name: share}, or null. */
  show(tile, measured) {
    this.#tile = tile;
    const names = tile.colours.map((colour) => colour.name).join();
    if (names !== this.#rows.map((row) => row.name).join()) this.#build();
    for (const [index, colour] of tile.colours.entries()) this.#fill(this.#rows[index], colour, measured);
    this.#bars(measured);
    at("even").disabled = tile.colours.filter((colour) => !colour.locked).length < 2;
  }

  /** All words again, in another language. */
  rename() {
    this.#rows = [];
  }

  add(colour) {
    const next = mix.added(this.#mixed(), colour);
    this.#change(next, true);
    const share = percent(next.at(-1).share / 100);
    const full = next.at(-1).share === 0 ? ` ${say("all_locked")}` : "";
    this.#tell(say("added", { colour: colourName(colour.name), share }) + full, Boolean(full));
  }

  remove(name) {
    if (this.#tile.colours.length === 1) {
      this.#tell(say("only_colour"), true);
      return;
    }
    const index = this.#tile.colours.findIndex((colour) => colour.name === name);
    this.#change(mix.removed(this.#mixed(), index), true);
    this.#tell(say("removed", { colour: colourName(name) }));
    this.#rows[Math.min(index, this.#rows.length - 1)].slider.focus();
  }

  #mixed() {
    return this.#tile.whole === 100 && this.#tile.colours.every((c) => Number.isInteger(c.share * 10))
      ? this.#tile.colours
      : mix.rounded(this.#tile.colours, this.#tile.whole);
  }

  #move(index, share, settled) {
    const from = this.#start ?? this.#mixed();
    const others = from.filter((_, other) => other !== index);
    if (others.length === 0 || others.every((colour) => colour.locked)) {
      this.#start = null;
      this.#tell(say(others.length === 0 ? "only_colour" : "all_locked"), true);
      this.#change(from, settled);
      return;
    }
    this.#start = settled ? null : from;
    this.#change(mix.moved(from, index, share), settled);
  }

  #build() {
    const held = document.activeElement?.dataset?.of;
    const part = document.activeElement?.dataset?.part;
    this.#rows = this.#tile.colours.map((colour, index) => this.#row(colour, index));
    at("rows").replaceChildren(...this.#rows.map((row) => row.row));
    this.#rows.find((row) => row.name === held)?.[part]?.focus();
  }

  #row(colour, index) {
    const name = colourName(colour.name);
    const marks = (part) => ({ "data-of": colour.name, "data-part": part });
    const slider = make("input", {
      type: "range", min: 0, max: 100, step: 1, ...marks("slider"), "aria-label": say("share_of", { colour: name }),
      oninput: () => this.#move(index, Number(slider.value), false),
      onchange: () => this.#move(index, Number(slider.value), true),
    });
    const commit = () => {
      const share = number(field.value);
      if (Number.isNaN(share)) this.show(this.#tile, this.measured);
      else if (Math.abs(share - shown(this.#tile, index)) > 0.04) this.#move(index, share, true);
      field.value = figure(shown(this.#tile, index));
    };
    const field = make("input", {
      type: "text", inputmode: "decimal", maxlength: 6, ...marks("field"), "aria-label": say("percent_of", { colour: name }),
      onchange: commit,
      onkeydown: (event) => {
        const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        this.#move(index, shown(this.#tile, index) + step, true);
      },
    });
    const lock = make("button", {
      type: "button", class: "quiet icon", ...marks("lock"), "aria-label": say("lock", { colour: name }), title: say("lock", { colour: name }),
      onclick: () => this.#lock(index),
    });
    const remove = make("button", {
      type: "button", class: "quiet icon", ...marks("removal"), "aria-label": say("remove", { colour: name }), title: say("remove", { colour: name }),
      onclick: () => this.remove(colour.name),
    }, icon("close"));
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = colour.hex;
    const measured = make("span", { class: "measured" });
    const row = make("li", { class: "row" },
      make("div", { class: "row-words" }, swatch,
        make("span", { class: "named" }, make("span", { class: "name" }, name), measured),
        make("span", { class: "field" }, field, make("span", { "aria-hidden": "true" }, "%")), lock, remove),
      slider);
    slider.style.setProperty("--colour", colour.hex);
    return { name: colour.name, row, slider, field, lock, removal: remove, measured };
  }

  #lock(index) {
    const colours = this.#tile.colours.map((colour, other) =>
      other === index ? { ...colour, locked: !colour.locked } : colour);
    this.#change(colours, true, this.#tile.whole);
  }

  #fill(row, colour, measured) {
    const share = colour.share / this.#tile.whole;
    row.slider.value = Math.round(share * 100);
    row.slider.style.setProperty("--at", `${share * 100}%`);
    row.slider.setAttribute("aria-valuetext", percent(share));
    row.slider.disabled = colour.locked;
    row.field.readOnly = colour.locked;
    if (document.activeElement !== row.field || row.field.dataset.share !== String(share)) row.field.value = figure(share * 100);
    row.field.dataset.share = share;
    row.lock.setAttribute("aria-pressed", colour.locked);
    row.lock.replaceChildren(icon(colour.locked ? "locked" : "unlocked"));
    row.row.classList.toggle("held", colour.locked);
    this.measured = measured;
    const found = measured?.[colour.name.toLowerCase()];
    row.measured.textContent = found === undefined ? say("not_measured") : say("measured", { share: percent(found) });
    row.measured.dataset.share = found ?? "";
  }

  #bars(measured) {
    stripe(at("bar"), this.#tile.colours, (colour) => colour.share / this.#tile.whole);
    stripe(at("measured-bar"), this.#tile.colours, (colour) => measured?.[colour.name.toLowerCase()] ?? 0);
  }
}

const shown = (tile, index) => Math.round((tile.colours[index].share / tile.whole) * 1000) / 10;

function stripe(bar, colours, share) {
  while (bar.children.length > colours.length) bar.lastChild.remove();
  while (bar.children.length < colours.length) bar.append(make("span"));
  for (const [index, colour] of colours.entries()) {
    bar.children[index].style.background = colour.hex;
    bar.children[index].style.flexGrow = share(colour);
  }
}
