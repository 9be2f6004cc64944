// The colours of the tile: a row for each, the bars, and how colours come and go.

import { attachBar } from "./bar.js";
import { at, fillField, make, number } from "./dom.js";
import { icon } from "./icons.js";
import { describe, knownOf } from "./lists.js";
import * as mix from "./mix.js";
import { groupsOf, isGrouped, isMeasuredAs, measuredOf, shareOf } from "./shown.js";
import { reveal } from "./sheet.js";
import { attachSlider } from "./slider.js";
import { codeOf, colorName, figure, percent, say } from "./words.js";

const FIRST = { name: "black", free: false }; // colour of a new mix, until another one is put in its place

export class Mixer {
  #designer;
  #start = null; // the colours when the slider began to be dragged
  #rows = new Map(); // name -> {row, slider, field, lock, …}

  constructor(designer) {
    this.#designer = designer;
    at("even").addEventListener("click", () => this.#change(mix.even(this.mixed())));
    at("new-mix").addEventListener("click", () => this.#anew());
    attachBar(this, designer);
    designer.subscribe((state) => this.#show(state));
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") designer.swap(null);
    });
  }

  get #tile() {
    return this.#designer.tile;
  }

  /** The colours, their shares in whole tenths of a percent that add up to 100. */
  mixed() {
    const { colors, whole } = this.#tile;
    return whole === 100 && colors.every((c) => Number.isInteger(c.share * 10)) ? colors : mix.rounded(colors, whole);
  }

  /** Change the colours. settled: false while something is dragged. */
  #change(colors, settled = true) {
    this.#designer.change({ colors, whole: 100 }, settled);
  }

  // Colours come and go

  /** Take a colour into the mix, or in the place of the one that is to be swapped. */
  take(color) {
    const { told, state } = this.#designer;
    if (state.swap !== null) this.#swap(state.swap, color);
    else if (this.own(color)) return;
    else if (this.#tile.colors.length >= told.most.colors) this.#designer.tell(() => say("too_many", { most: told.most.colors }), true);
    else this.#add(color);
  }

  /** Find a colour's own entry in the mix, by what it looks like. */
  own = (color) => this.#tile.colors.find((own) => own.hex === color.hex);

  #add(color) {
    const next = mix.added(this.mixed(), color);
    this.#change(next);
    const full = next.at(-1).share === 0;
    this.#designer.tell(
      () => say("added", { color: colorName(color.name), share: percent(next.at(-1).share / 100) }) + (full ? ` ${say("all_locked")}` : ""),
      full,
    );
  }

  #swap(name, color) {
    const colors = this.mixed();
    const index = colors.findIndex((own) => own.name === name);
    this.#designer.swap(null);
    if (this.own(color)?.name === name) return;
    this.#change(mix.swapped(colors, index, this.own(color) ?? color));
    this.#designer.tell(() => say("swapped", { color: colorName(name), other: colorName(color.name) }));
  }

  remove(name) {
    if (this.#tile.colors.length === 1) {
      this.#designer.tell(() => say("only_color"), true);
      return;
    }
    this.#change(mix.removed(this.mixed(), this.#index(name)));
    this.#designer.tell(() => say("removed", { color: colorName(name) }));
  }

  /** Begin anew with one colour, in whose place the first one is put that is chosen. */
  #anew() {
    const first = this.#designer.told.swatches.find(({ phrase }) => phrase === FIRST.name) ?? this.#designer.told.swatches[0];
    this.#change([{ name: first.phrase, hex: first.hex, free: false, share: 100, locked: false, typed: false }]);
    this.#designer.swap(first.phrase);
    reveal(at("palette"));
    at("search").focus({ preventScroll: true });
    this.#designer.tell(() => say("new_mix_said"), true);
  }

  // Shares

  #index = (name) => this.#tile.colors.findIndex((color) => color.name === name);
  #percent = (name) => Math.round((this.#tile.colors[this.#index(name)].share / this.#tile.whole) * 1000) / 10;

  #move(name, share, settled, typed = false) {
    const from = this.#start ?? this.mixed();
    const others = from.filter((color) => color.name !== name);
    if (others.length === 0 || others.every((color) => color.locked)) {
      this.#start = null;
      this.#change(from, settled);
      this.#designer.tell(() => say(others.length === 0 ? "only_color" : "all_locked"), true);
      return;
    }
    this.#start = settled ? null : from;
    const next = mix.moved(from, this.#index(name), share, typed);
    this.#change(next, settled);
    if (settled) this.#explain(from, next, this.#index(name), share);
  }

  /** Say what a share could not be, or which typed ones gave way to it. */
  #explain(before, after, index, share) {
    const moved = after.filter((color, other) => other !== index && before[other].typed && !color.typed);
    if (share <= 100 && share - after[index].share > 0.05)
      this.#designer.tell(() => say("no_room", { share: figure(share), most: figure(after[index].share) }), true);
    else if (moved.length > 0)
      this.#designer.tell(() => say("made_room", { colors: moved.map((color) => `${colorName(color.name)} ${percent(color.share / 100)}`).join(", ") }), true);
  }

  // Rows

  #show({ tile, shown, swap }) {
    const names = tile.colors.map((color) => color.name);
    for (const [name, { row }] of this.#rows)
      if (!names.includes(name)) {
        row.remove();
        this.#rows.delete(name);
      }
    for (const [index, color] of tile.colors.entries()) {
      if (!this.#rows.has(color.name)) this.#rows.set(color.name, this.#row(color));
      const { row } = this.#rows.get(color.name);
      if (at("rows").children[index] !== row) at("rows").insertBefore(row, at("rows").children[index] ?? null);
      this.#fill(this.#rows.get(color.name), color, shown, swap);
    }
    stripe(at("measured-bar"), tile.colors, (color) => shareOf(shown, color) ?? 0);
    at("groups").textContent = groupsOf(shown);
    at("measured-note").textContent = say(shown === null || shown.counted ? "counted_note" : "measured_note");
    at("even").disabled = tile.colors.filter((color) => !color.locked).length < 2;
  }

  #row({ name, hex }) {
    const slider = make("input", {
      type: "range", min: 0, max: 100, step: 1,
      oninput: () => this.#move(name, Number(slider.value), false),
      onchange: () => this.#move(name, Number(slider.value), true),
    });
    const field = make("input", {
      type: "text", inputmode: "decimal", maxlength: 6, "data-commits": "",
      oninput: () => (field.dataset.touched = ""),
      onblur: () => this.#commit(name, field),
      onkeydown: (event) => {
        const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
        if (event.key === "Enter") this.#commit(name, field);
        if (event.key === "Escape") {
          delete field.dataset.touched;
          field.value = field.dataset.commits;
        }
        if (!step) return;
        event.preventDefault();
        this.#move(name, this.#percent(name) + step, true);
      },
    });
    const button = (kind, onclick, ...parts) => make("button", { type: "button", class: `quiet ${kind}`, onclick }, ...parts);
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = hex;
    slider.style.setProperty("--color", hex);
    const parts = {
      slider, field,
      swap: button("icon swap", () => this.#choose(name), swatch),
      name: make("span", { class: "name" }),
      code: make("span", { class: "code" }),
      lock: button("icon", () => this.#lock(name)),
      removal: button("icon", () => this.#removeRow(name), icon("close")),
      shares: make("div", { class: "shares" }),
    };
    const track = attachSlider(slider);
    return {
      ...parts,
      row: make("li", { class: "row" },
        make("div", { class: "row-words" }, parts.swap, make("span", { class: "names" }, parts.name, parts.code),
          make("span", { class: "field" }, field, make("span", { "aria-hidden": "true" }, "%")), parts.lock, parts.removal),
        parts.shares, track),
    };
  }

  /** Take what was typed, though it may be what the field showed before: it is typed now, and stays. */
  #commit(name, field) {
    const share = number(field.value);
    const touched = "touched" in field.dataset && this.#index(name) >= 0;
    delete field.dataset.touched;
    if (touched && !Number.isNaN(share)) this.#move(name, share, true, true);
    field.value = field.dataset.commits;
  }

  #choose(name) {
    const chosen = this.#designer.state.swap === name ? null : name;
    this.#designer.swap(chosen);
    if (chosen !== null) reveal(at("palette"));
  }

  #removeRow(name) {
    const index = this.#index(name);
    this.remove(name);
    if (this.#index(name) >= 0) return; // the only colour
    const next = this.#tile.colors[Math.min(index, this.#tile.colors.length - 1)];
    this.#rows.get(next.name).removal.focus();
  }

  #lock(name) {
    const colors = this.#tile.colors.map((color) => (color.name === name ? { ...color, locked: !color.locked } : color));
    this.#designer.change({ colors });
  }

  #fill(row, color, shown, swap) {
    const name = colorName(color.name);
    const share = color.share / this.#tile.whole;
    const told = (element, word) => {
      element.setAttribute("aria-label", say(word, { color: name }));
      if (element.tagName === "BUTTON") element.title = say(word, { color: name });
    };
    for (const [part, word] of Object.entries(LABELS)) told(row[part], word);
    row.name.textContent = name;
    const listed = color.free ? knownOf(color.hex) : undefined;
    row.code.textContent = listed ? [listed.name, describe(listed)].filter(Boolean).join(", ") : codeOf(color.name);
    row.slider.value = Math.round(share * 100);
    row.slider.style.setProperty("--at", `${share * 100}%`);
    row.slider.setAttribute("aria-valuetext", percent(share));
    row.slider.disabled = color.locked;
    row.field.readOnly = color.locked;
    fillField(row.field, figure(share * 100));
    row.field.classList.toggle("typed", Boolean(color.typed));
    row.swap.setAttribute("aria-pressed", String(swap === color.name));
    row.lock.setAttribute("aria-pressed", String(Boolean(color.locked)));
    row.lock.replaceChildren(icon(color.locked ? "locked" : "unlocked"));
    row.row.classList.toggle("held", color.locked);
    row.row.classList.toggle("alike", isGrouped(shown, color.name));
    row.shares.replaceChildren(...writtenOf(shown, color));
    row.shares.dataset.share = shareOf(shown, color) ?? "";
  }
}

const LABELS = { slider: "share_of", field: "percent_of", lock: "lock", removal: "remove", swap: "swap" };

/** Write what the picture shows of a colour, exactly, and beside it a quiet tick: what was measured of it. */
function writtenOf(shown, color) {
  const found = shareOf(shown, color);
  if (found === undefined) return [make("span", {}, say("not_shown"))];
  const measured = measuredOf(shown, color);
  if (!shown.counted) return [make("span", {}, say("measured", { share: measured }))];
  const exact = make("span", { class: "exact" }, say("shown", { share: percent(found) }));
  if (!measured) return [exact];
  const agrees = isMeasuredAs(shown, color);
  const tick = make("span", { class: "tick", title: say(agrees ? "tick" : "tick_off") }, say("stranger", { share: measured }));
  if (agrees) tick.prepend(icon("tick"));
  return [exact, tick];
}

function stripe(bar, colors, share) {
  while (bar.children.length > colors.length) bar.lastChild.remove();
  while (bar.children.length < colors.length) bar.append(make("span"));
  for (const [index, color] of colors.entries()) {
    bar.children[index].style.background = color.hex;
    bar.children[index].style.flexGrow = share(color);
  }
}
