// The palette: named swatches, a search, and any colour by its hex.

import { at, make } from "./dom.js";
import { colorName, namesEverywhere, say } from "./words.js";

const HEX = /^#?([0-9a-f]{6}|[0-9a-f]{3})$/i;
const plain = (text) => text.toLowerCase().replaceAll("ё", "е").replaceAll("grey", "gray").replace(/[ _-]+/g, " ").trim();

export class Swatches {
  #palette;
  #most;
  #mixer;
  #tell;
  #read;
  #colors = [];

  /** read(text) reads what is no swatch's name: another colour, or a whole recipe. */
  constructor(palette, most, mixer, tell, read) {
    this.#palette = palette;
    this.#most = most;
    this.#mixer = mixer;
    this.#tell = tell;
    this.#read = read;
    at("search").addEventListener("input", () => this.#fill(true));
    at("search").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#first();
    });
    at("search").addEventListener("paste", (event) => {
      const text = event.clipboardData.getData("text/plain");
      if (!/[\n{%]/.test(text.trim())) return; // a recipe: the field would drop its line breaks
      event.preventDefault();
      this.#read(text);
    });
    at("picker").addEventListener("change", () => this.take(free(at("picker").value)));
  }

  show(tile) {
    this.#colors = tile.colors;
    this.#fill(false);
  }

  rename() {
    at("swatches").replaceChildren();
  }

  /** Look up a palette colour's hex by any of its names. */
  hex = (name) => this.#palette.find((swatch) => swatch.names.some((own) => plain(own) === plain(name)))?.hex ?? "#808080";

  #fill(searched) {
    const text = plain(at("search").value);
    const found = this.#palette.filter((swatch) =>
      swatch.names.some((name) => namesEverywhere(name).some((one) => plain(one).includes(text))));
    const hex = HEX.exec(at("search").value.trim());
    const wanted = [...(hex ? [free(`#${hex[1]}`)] : []), ...found.map((swatch) => ({ name: swatch.phrase, hex: swatch.hex, free: false }))];
    const held = document.activeElement?.dataset?.color;
    at("swatches").replaceChildren(...wanted.map((color) => make("li", {}, this.#swatch(color))));
    if (held) at("swatches").querySelector(`[data-color="${CSS.escape(held)}"]`)?.focus();
    at("room-left").textContent = say("room_left", { count: this.#colors.length, most: this.#most });
    at("found").textContent = !text ? "" : wanted.length === 0 ? say("found_none") : searched ? say("found", { count: wanted.length }) : at("found").textContent;
  }

  #swatch(color) {
    const name = colorName(color.name);
    const within = this.#own(color);
    const chip = make("span", { class: "swatch", "aria-hidden": "true" });
    chip.style.background = color.hex;
    return make("button", {
      type: "button", class: "chip", "data-color": color.name, "aria-pressed": String(Boolean(within)),
      "aria-label": say(within ? "take_out" : "add", { color: name }),
      onclick: () => (within ? this.#mixer.remove(within.name) : this.take(color)),
    }, chip, make("span", { class: "name" }, name));
  }

  #own = (color) => this.#colors.find((own) => own.hex === color.hex);

  /** Add a colour to the mix, if there is room. */
  take(color) {
    if (this.#own(color)) return;
    if (this.#colors.length >= this.#most) this.#tell(say("too_many", { most: this.#most }), true);
    else this.#mixer.add(color);
  }

  /** Take the first colour that was found. */
  #first() {
    const text = at("search").value.trim();
    if (/^#/.test(text) && !HEX.test(text)) this.#tell(say("no_hex", { text }), true);
    else if (text && !at("swatches").querySelector(".chip")) this.#read(text);
    else at("swatches").querySelector('.chip[aria-pressed="false"]')?.click();
  }
}

function free(hex) {
  const digits = hex.slice(1).toLowerCase();
  const long = digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits;
  return { name: `#${long}`, hex: `#${long}`, free: true };
}
