// Seamless textures for renderers: a dialog that asks how large, makes them, and saves one zip file.

import { openDialog } from "./dialogs.js";
import { at, fillField, make, millimetres, number, radios } from "./dom.js";
import { figureOf, onFigures, setFigure } from "./figures.js";
import { icon } from "./icons.js";
import * as server from "./server.js";
import { request } from "./tile.js";
import { figure, kept, remember, say } from "./words.js";

const KEPT = "plitka.texture"; // the size of the last time

export function attachTexture(designer) {
  const texture = new Texture(designer);
  designer.addAction({ id: "open-texture", word: "texture", icon: "texture", run: () => texture.open() });
  designer.subscribe(() => texture.fill());
}

class Texture {
  #designer;
  #bounds;
  #size; // key of the server's sizes
  #side = null; // in mm; null has the usual one
  #making = null; // AbortController while one is made

  constructor(designer) {
    this.#designer = designer;
    this.#bounds = designer.told.texture;
    const { sizes } = this.#bounds;
    this.#size = kept(KEPT) in sizes ? kept(KEPT) : Object.keys(sizes)[0];
    document.body.append(this.#build());
    at("texture-granule").addEventListener("change", (event) => this.#measured("granule", event.target.value));
    at("texture-side").addEventListener("change", (event) => this.#measured("side", event.target.value));
    at("texture-save").addEventListener("click", () => this.#save());
    at("texture-cancel").addEventListener("click", () => this.#making?.abort());
    at("texture").addEventListener("close", () => this.#making?.abort());
    onFigures(() => this.#choose({}));
    this.fill();
  }

  open() {
    this.fill();
    openDialog(at("texture"));
    at("texture-save").focus();
  }

  #build() {
    const field = (id, note) =>
      make("span", { class: "field" }, make("input", { type: "text", inputmode: "decimal", id, "data-commits": "", "aria-describedby": note }),
        make("span", { class: "texture-unit" }));
    return make("dialog", { id: "texture", "aria-labelledby": "texture-title" },
      make("div", { class: "heading" }, make("h2", { id: "texture-title" }),
        make("button", { type: "button", class: "quiet icon", id: "texture-close", "data-close": "" }, icon("close"))),
      make("p", { class: "note", id: "texture-note" }),
      make("div", { class: "texture-fields" },
        make("h3", { id: "texture-size-title" }),
        make("div", { class: "choices", id: "texture-sizes", role: "radiogroup", "aria-labelledby": "texture-size-title" }),
        make("label", { for: "texture-granule" }), field("texture-granule", "texture-granule-note"),
        make("p", { class: "note", id: "texture-granule-note" }),
        make("label", { for: "texture-side" }), field("texture-side", "texture-side-note"),
        make("p", { class: "note", id: "texture-side-note" })),
      make("ul", { class: "note texture-maps", id: "texture-maps" }),
      make("div", { class: "texture-end" },
        make("div", { class: "texture-busy", id: "texture-busy", role: "status", hidden: true },
          make("span", { class: "spinner", "aria-hidden": "true" }), make("span", { id: "texture-said" })),
        make("button", { type: "button", id: "texture-cancel", hidden: true }),
        make("button", { type: "button", class: "primary", id: "texture-save" })));
  }

  /** The mean diameter of granules in mm: the floor's, which kilograms and the scale bar have as well. */
  get #granule() {
    const { low, high, default: usual } = this.#bounds.granule_mm;
    const granule = millimetres(figureOf("granule"));
    return granule >= low && granule <= high ? granule : usual;
  }

  /** The least and greatest side in whole millimetres, and the usual one. */
  #sides() {
    const { sizes, granule_pixels: [fewest, most], granules_per_1024: usual } = this.#bounds;
    const pixels = sizes[this.#size];
    return {
      low: Math.ceil((pixels / most) * this.#granule),
      high: Math.floor((pixels / fewest) * this.#granule),
      usual: (pixels / 1024) * usual * this.#granule,
    };
  }

  #measured(name, text) {
    const value = number(text);
    const { low, high } = name === "granule" ? this.#bounds.granule_mm : this.#sides();
    const within = Math.min(Math.max(value, low), high);
    if (name === "side" && text.trim() === "") this.#choose({ side: null });
    else if (Number.isNaN(value)) this.fill();
    else if (name === "granule") setFigure("granule", figure(within, 2));
    else this.#choose({ side: within });
  }

  #choose({ size = this.#size, side = this.#side }) {
    this.#size = size;
    const { low, high } = this.#sides();
    this.#side = side !== null && side >= low && side <= high ? side : null;
    remember(size, KEPT);
    this.fill();
  }

  fill() {
    const size = this.#size;
    const granule = this.#granule;
    const sides = this.#sides();
    const long = this.#side ?? sides.usual;
    const words = {
      "texture-title": "texture_title", "texture-note": "texture_note", "texture-size-title": "texture_size", "texture-cancel": "cancel", "texture-save": "texture_save",
    };
    for (const [id, word] of Object.entries(words)) at(id).textContent = say(word);
    at("texture-close").setAttribute("aria-label", say("close"));
    at("texture").querySelector("label[for=texture-granule]").textContent = say("texture_granule");
    at("texture").querySelector("label[for=texture-side]").textContent = say("texture_side");
    for (const unit of at("texture").querySelectorAll(".texture-unit")) unit.textContent = say("texture_mm");
    radios(at("texture-sizes"), "texture-size", Object.entries(this.#bounds.sizes).map(([name, pixels]) => [name, `${name.toUpperCase()} · ${pixels}`]), size, (chosen) => this.#choose({ size: chosen }));
    fillField(at("texture-granule"), figure(granule, 2));
    fillField(at("texture-side"), figure(long, 2));
    const { low, high } = this.#bounds.granule_mm;
    at("texture-granule-note").textContent = say("texture_granule_note", { low: figure(low, 1), high: figure(high, 1) });
    at("texture-side-note").textContent = say("texture_side_note", {
      low: figure(sides.low, 0), high: figure(sides.high, 0), granules: figure(long / granule, 0), pixels: figure((this.#bounds.sizes[size] / long) * granule, 0),
    });
    at("texture-maps").replaceChildren(...say("texture_maps").split("\n").map((line) => make("li", {}, line)));
    this.#busy();
  }

  #busy(megabytes = 0) {
    const busy = this.#making !== null;
    for (const id of ["texture-busy", "texture-cancel"]) at(id).hidden = !busy;
    at("texture-save").hidden = busy;
    for (const field of at("texture").querySelectorAll("input")) field.disabled = busy;
    if (busy) at("texture-said").textContent = say(megabytes ? "texture_so_far" : "texture_busy", { megabytes: figure(megabytes, 0) });
  }

  async #save() {
    const making = (this.#making = new AbortController());
    const order = {
      recipe: request(this.#designer.tile), size: this.#size, granule_mm: this.#granule, side_mm: this.#side ?? this.#sides().usual,
    };
    this.#busy();
    at("texture-cancel").focus();
    try {
      const { name, blob } = await server.texture(order, making.signal, (bytes) => this.#busy(bytes / 1e6));
      const url = URL.createObjectURL(blob);
      make("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
      this.#designer.tell(() => say("saved", { file: name }), true);
    } catch (error) {
      if (error.name !== "AbortError") this.#designer.fault(error, () => this.#save());
    }
    this.#making = null;
    this.#busy();
    if (at("texture").open) at("texture-save").focus();
  }
}
