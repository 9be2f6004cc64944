// The tray of variants: mixes that are kept, named, put in order, and compared with the tile on the stage.

import { Comparison } from "./compare.js";
import { at, make } from "./dom.js";
import { icon } from "./icons.js";
import { link } from "./tile.js";
import { kept, mixed, remember, say } from "./words.js";

const KEPT = "plitka.variants";
const MOST = 24;
const THUMBNAIL = 96; // pixels a side

/** Add the tray to the panel. What is kept lies in the browser, or where it may not, in the page alone. */
export function attachVariants(designer) {
  new Variants(designer);
}

class Variants {
  #designer;
  #comparison;
  #variants = read(); // [{id, name, tile, picture}]
  #list = make("ul", { class: "variants" });
  #title = make("h2", { id: "variants-title" });
  #keep = make("button", { type: "button", class: "quiet small", onclick: () => this.#add(this.#designer.tile) });
  #empty = make("p", { class: "note" });

  constructor(designer) {
    this.#designer = designer;
    this.#comparison = new Comparison(designer, () => this.#fill());
    designer.addSection("mix", make("section", { "aria-labelledby": "variants-title" },
      make("div", { class: "heading" }, this.#title, this.#keep), this.#empty, this.#list));
    designer.subscribe(() => this.#fill());
  }

  #add(tile, name = "", at_ = this.#variants.length) {
    if (this.#variants.length >= MOST) {
      this.#designer.tell(() => say("variants_full", { most: MOST }), true);
      return;
    }
    const number = 1 + Math.max(0, ...this.#variants.map((one) => one.number ?? 0));
    const variant = { id: crypto.randomUUID(), number, name, tile, picture: this.#thumbnail(tile) };
    this.#set(this.#variants.toSpliced(at_, 0, variant));
    this.#designer.tell(() => say("variant_kept", { name: named(variant) }));
  }

  /** The picture on the stage, made small, if it is this tile's; else "". */
  #thumbnail(tile) {
    const picture = at("picture");
    if (picture.dataset.of !== link(tile) || picture.dataset.view !== "drawing") return "";
    const small = make("canvas", { width: THUMBNAIL, height: THUMBNAIL });
    const pen = small.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, 0, THUMBNAIL, THUMBNAIL);
    return small.toDataURL("image/jpeg", 0.8);
  }

  #set(variants) {
    this.#variants = variants;
    remember(JSON.stringify(variants), KEPT);
    this.#fill();
  }

  #change(id, parts) {
    this.#set(this.#variants.map((one) => (one.id === id ? { ...one, ...parts } : one)));
  }

  #move(id, step) {
    const index = this.#variants.findIndex((one) => one.id === id);
    const rest = this.#variants.toSpliced(index, 1);
    this.#set(rest.toSpliced(index + step, 0, this.#variants[index]));
    const row = this.#rows().get(id);
    row.querySelector(`[data-deed="${step < 0 ? "up" : "down"}"]:not(:disabled), [data-deed]:not(:disabled)`)?.focus();
  }

  #remove(id) {
    const index = this.#variants.findIndex((one) => one.id === id);
    if (this.#comparison.variant?.id === id) this.#comparison.end();
    this.#set(this.#variants.toSpliced(index, 1));
    const next = this.#variants[Math.min(index, this.#variants.length - 1)];
    (next ? this.#rows().get(next.id).querySelector('[data-deed="removal"]') : this.#keep).focus();
  }

  #rows = () => new Map([...this.#list.children].map((row) => [row.dataset.id, row]));

  #fill() {
    this.#title.textContent = say("variants");
    this.#keep.textContent = say("variant_keep");
    this.#empty.textContent = say("variants_none");
    this.#empty.hidden = this.#variants.length > 0;
    const rows = this.#rows();
    for (const [id, row] of rows) if (!this.#variants.some((one) => one.id === id)) row.remove();
    for (const [index, variant] of this.#variants.entries()) {
      const row = rows.get(variant.id) ?? this.#row(variant.id);
      if (this.#list.children[index] !== row) this.#list.insertBefore(row, this.#list.children[index] ?? null);
      this.#write(row, variant, index);
    }
  }

  #row(id) {
    const own = () => this.#variants.find((one) => one.id === id);
    const index = () => this.#variants.findIndex((one) => one.id === id);
    const deed = (name, onclick, content) =>
      make("button", { type: "button", class: `quiet ${content ? "small compare-with" : "icon"}`, "data-deed": name, onclick }, content ?? icon(name));
    const name = make("input", { type: "text", maxlength: 60, onchange: () => this.#change(id, { name: name.value.trim() }) });
    return make("li", { class: "variant", "data-id": id },
      make("button", { type: "button", class: "quiet thumbnail", "data-deed": "open", onclick: () => this.#designer.show(own().tile) }),
      name,
      make("span", { class: "deeds" },
        deed("compare", () => this.#comparison.toggle(own()), "A|B"),
        deed("copy", () => this.#add(own().tile, own().name && say("variant_copy", { name: own().name }), index() + 1)),
        deed("up", () => this.#move(id, -1)), deed("down", () => this.#move(id, 1)),
        deed("removal", () => this.#remove(id))));
  }

  #write(row, variant, index) {
    const words = { name: named(variant) };
    const name = row.querySelector("input");
    if (document.activeElement !== name) name.value = variant.name;
    name.placeholder = named({ ...variant, name: "" });
    name.setAttribute("aria-label", say("variant_name", words));
    for (const button of row.querySelectorAll("[data-deed]")) {
      const word = say(`variant_${button.dataset.deed}`, { ...words, mix: mixed(variant.tile) });
      button.setAttribute("aria-label", word);
      button.title = word;
    }
    row.querySelector('[data-deed="up"]').disabled = index === 0;
    row.querySelector('[data-deed="down"]').disabled = index === this.#variants.length - 1;
    row.querySelector('[data-deed="compare"]').setAttribute("aria-pressed", String(this.#comparison.variant?.id === variant.id));
    const opened = link(variant.tile) === link(this.#designer.tile);
    row.classList.toggle("opened", opened);
    if (opened) row.querySelector('[data-deed="open"]').setAttribute("aria-current", "true");
    else row.querySelector('[data-deed="open"]').removeAttribute("aria-current");
    thumb(row.querySelector(".thumbnail"), variant);
  }
}

/** List what the tray has: [{name, tile}]. */
export const listVariants = () => read().map((one) => ({ name: named(one), tile: one.tile }));

const named = ({ name, number }) => name || say("variant", { number });

/** Show a variant's picture, or its colours in stripes as wide as their shares. */
function thumb(button, { picture, tile }) {
  if (button.dataset.of === link(tile)) return;
  button.dataset.of = link(tile);
  if (picture) {
    button.replaceChildren(painted(picture));
    return;
  }
  const stripes = tile.colors.map((color) => {
    const stripe = make("span");
    stripe.style.background = color.hex;
    stripe.style.flexGrow = color.share / tile.whole;
    return stripe;
  });
  button.replaceChildren(make("span", { class: "stripes swatch" }, ...stripes));
}

/** Paint a picture that is written as a data URI, which the page may not load: it asks its server alone. */
function painted(picture) {
  const canvas = make("canvas", { width: THUMBNAIL, height: THUMBNAIL });
  const bytes = Uint8Array.from(atob(picture.slice(picture.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  createImageBitmap(new Blob([bytes], { type: "image/jpeg" })).then(
    (bitmap) => canvas.getContext("2d").drawImage(bitmap, 0, 0, THUMBNAIL, THUMBNAIL),
    () => canvas.remove(), // what the browser kept is no picture any more
  );
  return canvas;
}

/** Read the variants that the browser keeps; what is none of ours is left out. */
function read() {
  let found;
  try {
    found = JSON.parse(kept(KEPT) ?? "[]");
  } catch {
    return [];
  }
  return Array.isArray(found) ? found.filter(isVariant).slice(0, MOST) : [];
}

function isVariant(one) {
  const isColor = (color) =>
    typeof color?.name === "string" && /^#[0-9a-f]{6}$/.test(color.hex) && typeof color.share === "number" && color.share >= 0;
  return typeof one?.id === "string" && typeof one.name === "string" && Number.isInteger(one.number)
    && /^(data:image\/jpeg;base64,[A-Za-z0-9+/]*={0,2})?$/.test(one.picture)
    && Array.isArray(one.tile?.colors) && one.tile.colors.length > 0 && one.tile.colors.every(isColor)
    && [1, 100].includes(one.tile.whole) && typeof one.tile.overrides === "object";
}
