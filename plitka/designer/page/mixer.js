// The colours of the tile: a row for each, and the bars.

import { at, make, number } from "./dom.js";
import { icon } from "./icons.js";
import * as mix from "./mix.js";
import { groupsOf, measuredOf, shareOf } from "./shown.js";
import { colorName, figure, percent, say } from "./words.js";

export class Mixer {
  #change;
  #tell;
  #tile = null;
  #start = null; // the colours when the slider began to be dragged
  #shown = null;
  #rows = []; // {name, slider, field, lock, shares, row, …}

  /** change(colours, settled) is called at each change; tell(words) announces a text. */
  constructor(change, tell) {
    this.#change = change;
    this.#tell = tell;
    at("even").addEventListener("click", () => this.#change(mix.even(this.#mixed()), true));
  }

  /** Show a tile. shown: what its picture shows of its colours (shown.js), or null. */
  show(tile, shown) {
    this.#tile = tile;
    const names = tile.colors.map((color) => color.name).join();
    if (names !== this.#rows.map((row) => row.name).join()) this.#build();
    for (const [index, color] of tile.colors.entries()) this.#fill(this.#rows[index], color, shown);
    this.#bars(shown);
    at("groups").textContent = groupsOf(shown);
    at("measured-note").textContent = say(shown === null || shown.counted ? "counted_note" : "measured_note");
    at("even").disabled = tile.colors.filter((color) => !color.locked).length < 2;
  }

  /** Make all rows anew at the next `show`, in another language. */
  rename() {
    this.#rows = [];
  }

  add(color) {
    const next = mix.added(this.#mixed(), color);
    this.#change(next, true);
    const share = percent(next.at(-1).share / 100);
    const full = next.at(-1).share === 0 ? ` ${say("all_locked")}` : "";
    this.#tell(say("added", { color: colorName(color.name), share }) + full, Boolean(full));
  }

  remove(name) {
    if (this.#tile.colors.length === 1) {
      this.#tell(say("only_color"), true);
      return;
    }
    const index = this.#tile.colors.findIndex((color) => color.name === name);
    this.#change(mix.removed(this.#mixed(), index), true);
    this.#tell(say("removed", { color: colorName(name) }));
    this.#rows[Math.min(index, this.#rows.length - 1)].slider.focus();
  }

  #mixed() {
    return this.#tile.whole === 100 && this.#tile.colors.every((c) => Number.isInteger(c.share * 10))
      ? this.#tile.colors
      : mix.rounded(this.#tile.colors, this.#tile.whole);
  }

  #move(index, share, settled) {
    const from = this.#start ?? this.#mixed();
    const others = from.filter((_, other) => other !== index);
    if (others.length === 0 || others.every((color) => color.locked)) {
      this.#start = null;
      this.#tell(say(others.length === 0 ? "only_color" : "all_locked"), true);
      this.#change(from, settled);
      return;
    }
    this.#start = settled ? null : from;
    this.#change(mix.moved(from, index, share), settled);
  }

  #build() {
    const held = document.activeElement?.dataset?.of;
    const part = document.activeElement?.dataset?.part;
    this.#rows = this.#tile.colors.map((color, index) => this.#row(color, index));
    at("rows").replaceChildren(...this.#rows.map((row) => row.row));
    this.#rows.find((row) => row.name === held)?.[part]?.focus();
  }

  #row(color, index) {
    const name = colorName(color.name);
    const marks = (part) => ({ "data-of": color.name, "data-part": part });
    const slider = make("input", {
      type: "range", min: 0, max: 100, step: 1, ...marks("slider"), "aria-label": say("share_of", { color: name }),
      oninput: () => this.#move(index, Number(slider.value), false),
      onchange: () => this.#move(index, Number(slider.value), true),
    });
    const commit = () => {
      const share = number(field.value);
      if (Number.isNaN(share)) this.show(this.#tile, this.#shown);
      else if (Math.abs(share - percentOf(this.#tile, index)) > 0.04) this.#move(index, share, true);
      field.value = figure(percentOf(this.#tile, index));
    };
    const field = make("input", {
      type: "text", inputmode: "decimal", maxlength: 6, ...marks("field"), "aria-label": say("percent_of", { color: name }),
      onchange: commit,
      onkeydown: (event) => {
        const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        this.#move(index, percentOf(this.#tile, index) + step, true);
      },
    });
    const lock = make("button", {
      type: "button", class: "quiet icon", ...marks("lock"), "aria-label": say("lock", { color: name }), title: say("lock", { color: name }),
      onclick: () => this.#lock(index),
    });
    const remove = make("button", {
      type: "button", class: "quiet icon", ...marks("removal"), "aria-label": say("remove", { color: name }), title: say("remove", { color: name }),
      onclick: () => this.remove(color.name),
    }, icon("close"));
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = color.hex;
    const shares = make("div", { class: "shares" });
    const row = make("li", { class: "row" },
      make("div", { class: "row-words" }, swatch,
        make("span", { class: "name" }, name),
        make("span", { class: "field" }, field, make("span", { "aria-hidden": "true" }, "%")), lock, remove),
      shares, slider);
    slider.style.setProperty("--color", color.hex);
    return { name: color.name, row, slider, field, lock, removal: remove, shares };
  }

  #lock(index) {
    const colors = this.#tile.colors.map((color, other) =>
      other === index ? { ...color, locked: !color.locked } : color);
    this.#change(colors, true, this.#tile.whole);
  }

  #fill(row, color, shown) {
    const share = color.share / this.#tile.whole;
    row.slider.value = Math.round(share * 100);
    row.slider.style.setProperty("--at", `${share * 100}%`);
    row.slider.setAttribute("aria-valuetext", percent(share));
    row.slider.disabled = color.locked;
    row.field.readOnly = color.locked;
    if (document.activeElement !== row.field || row.field.dataset.share !== String(share)) row.field.value = figure(share * 100);
    row.field.dataset.share = share;
    row.lock.setAttribute("aria-pressed", color.locked);
    row.lock.replaceChildren(icon(color.locked ? "locked" : "unlocked"));
    row.row.classList.toggle("held", color.locked);
    this.#shown = shown;
    const found = shareOf(shown, color);
    row.shares.replaceChildren(...written(shown, color).map((text) => make("span", {}, text)));
    row.shares.dataset.share = found ?? "";
  }

  #bars(shown) {
    stripe(at("bar"), this.#tile.colors, (color) => color.share / this.#tile.whole);
    stripe(at("measured-bar"), this.#tile.colors, (color) => shareOf(shown, color) ?? 0);
  }
}

/** Write what the picture shows of a colour, and what was measured of it, each on a line. */
function written(shown, color) {
  const found = shareOf(shown, color);
  if (found === undefined) return [say("not_shown")];
  const measured = measuredOf(shown, color);
  if (!shown.counted) return [say("measured", { share: measured })];
  return [say("shown", { share: percent(found) }), ...(measured ? [say("stranger", { share: measured })] : [])];
}

const percentOf = (tile, index) => Math.round((tile.colors[index].share / tile.whole) * 1000) / 10;

function stripe(bar, colors, share) {
  while (bar.children.length > colors.length) bar.lastChild.remove();
  while (bar.children.length < colors.length) bar.append(make("span"));
  for (const [index, color] of colors.entries()) {
    bar.children[index].style.background = color.hex;
    bar.children[index].style.flexGrow = share(color);
  }
}
