// The palette: named swatches, a search, and any colour by its hex.

import { at, make } from "./dom.js";
import { describe, dropOwn, knownOf, learnOf, listed, loadRal, readOwn } from "./lists.js";
import * as server from "./server.js";
import { codeOf, colorName, namesEverywhere, plain, say } from "./words.js";

const LISTS = ["palette", "ral", "own"];
const REST = 150; // ms without a key before the server is asked what a text would be read as
const HEX = /^#?([0-9a-f]{6}|[0-9a-f]{3})$/i;

/**
 * Make the palette work. read(text) reads what is no swatch's name, another colour or a whole recipe: a
 * promise of whether it could.
 */
export function attachColors(designer, mixer, read) {
  new Swatches(designer, mixer, read);
}

class Swatches {
  #designer;
  #mixer;
  #read;
  #chips = ""; // what the chips are made of
  #list = "palette";
  #faults = []; // of the company's list that was read last
  #rest = 0;

  constructor(designer, mixer, read) {
    this.#designer = designer;
    this.#mixer = mixer;
    this.#read = read;
    designer.subscribe(() => this.#fill());
    at("search").addEventListener("input", () => this.#search());
    at("search").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#first();
    });
    at("search").addEventListener("paste", (event) => {
      const text = event.clipboardData.getData("text/plain");
      if (!/[\n{%]/.test(text.trim())) return; // a recipe: the field would drop its line breaks
      event.preventDefault();
      this.#read(text);
    });
    at("list").addEventListener("change", () => this.#turn(at("list").value));
    at("own-file").addEventListener("change", () => this.#import());
    at("drop-own").addEventListener("click", () => {
      dropOwn();
      this.#faults = [];
      designer.retell();
    });
    at("picker").addEventListener("change", () => this.#take(free(at("picker").value)));
    for (const leave of ["pointerleave", "focusout"])
      at("palette").addEventListener(leave, (event) => {
        if (!at("palette").contains(event.relatedTarget)) at("rows").style.minHeight = "";
      });
  }

  /** Turn to another list of colours. */
  async #turn(list) {
    this.#list = list;
    try {
      if (list === "ral") await loadRal();
    } catch (error) {
      this.#list = "palette";
      this.#designer.fault(error);
    }
    this.#search();
  }

  async #import() {
    const [file] = at("own-file").files;
    at("own-file").value = "";
    if (!file) return;
    try {
      this.#faults = await readOwn(file);
      this.#designer.tell(() => say("imported", { count: listed("own").length, faults: this.#faults.length }), true);
      this.#designer.retell();
    } catch (error) {
      this.#designer.fault(error);
    }
  }

  #wanted() {
    const text = plain(at("search").value);
    const hex = HEX.exec(at("search").value.trim());
    return [...(hex ? [free(`#${hex[1]}`)] : []), ...(this.#list === "palette" ? this.#named(text) : this.#listed(text))];
  }

  #named = (text) =>
    this.#designer.told.swatches
      .filter((swatch) => swatch.names.some((name) => namesEverywhere(name).some((one) => plain(one).includes(text))))
      .map((swatch) => ({ name: swatch.phrase, hex: swatch.hex, free: false }));

  #listed = (text) =>
    listed(this.#list)
      .filter(({ name, code }) => plain(name).includes(text) || plain(code).includes(text))
      .map((color) => ({ ...free(color.hex), listed: color }));

  #lists() {
    const list = at("list");
    if (list.children.length === 0) list.append(...LISTS.map((value) => make("option", { value })));
    for (const option of list.children) option.textContent = say(`list_${option.value}`);
    list.value = this.#list;
    at("import").hidden = this.#list !== "own";
    at("drop-own").hidden = this.#list !== "own" || listed("own").length === 0;
    at("list-faults").replaceChildren(...(this.#list === "own" ? this.#faults : []).slice(0, 20).map(({ line, code, text }) =>
      make("li", {}, say("list_line", { line, fault: say(`list_fault_${code}`, { text }) }))));
  }

  #search() {
    this.#fill();
    const count = this.#wanted().length;
    const text = at("search").value.trim();
    clearTimeout(this.#rest);
    if (text && count === 0) this.#rest = setTimeout(() => this.#foresee(text), REST);
    else at("found").textContent = text && say("found", { count });
  }

  /** Say what Enter would read a text as that is no swatch's name; nothing where the server is away. */
  async #foresee(text) {
    const { kind, count, hex } = await server.typing(text).catch(() => ({ kind: "nothing" }));
    if (at("search").value.trim() !== text || at("swatches").querySelector(".chip")) return;
    const word = { color: "enter_color", recipe: count === 1 ? "enter_recipe_one" : "enter_recipe", begun: "recipe_begun", nothing: "found_none" }[kind];
    at("found").textContent = say(word, { count, hex, word: text });
  }

  /** Chips stay where and what they are, unless others are wanted: none loses the focus or the pointer. */
  #fill() {
    const { tile, state, told } = this.#designer;
    const wanted = this.#wanted();
    this.#lists();
    const list = wanted.map((color) => `${color.listed?.name ?? ""} ${color.name}`).join();
    if (list !== this.#chips) at("swatches").replaceChildren(...wanted.map((color) => make("li", {}, this.#chip(color))));
    this.#chips = list;
    for (const [index, color] of wanted.entries()) {
      const chip = at("swatches").children[index].firstChild;
      const within = this.#mixer.own(color);
      const name = color.listed?.name ?? colorName(color.name);
      const word = state.swap !== null ? "put" : within ? "take_out" : "add";
      chip.lastChild.textContent = color.listed?.name ?? name;
      chip.title = color.listed ? describe(color.listed) : codeOf(color.name);
      chip.setAttribute("aria-pressed", String(Boolean(within)));
      chip.setAttribute("aria-label", say(word, { color: name, other: state.swap ? colorName(state.swap) : "" }));
    }
    for (const { free: isFree, hex } of tile.colors) if (isFree) this.#learn(hex);
    at("palette").classList.toggle("swapping", state.swap !== null);
    at("room-left").textContent = state.swap !== null
      ? say("swapping", { color: colorName(state.swap) })
      : say("room_left", { count: tile.colors.length, most: told.most.colors });
  }

  /** Ask what is known of a free colour; the page goes on without it where nothing comes. */
  async #learn(hex) {
    if (knownOf(hex)) return;
    if (await learnOf(hex).catch(() => false)) this.#designer.retell();
  }

  #chip(color) {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = color.hex;
    const press = (event) => {
      const within = this.#mixer.own(color);
      if (within && this.#designer.state.swap === null) steady(event.currentTarget, () => this.#mixer.remove(within.name));
      else this.#take(color, event.currentTarget);
    };
    return make("button", { type: "button", class: "chip", "data-color": color.name, onclick: press }, swatch, make("span", { class: "name" }));
  }

  #take(color, place = at("search")) {
    steady(place, () => this.#mixer.take(color));
  }

  /** Read what is no swatch's name; once it is taken, the palette is whole again. */
  async #readFound(text) {
    if (!(await this.#read(text)) || at("search").value.trim() !== text) return;
    at("search").value = "";
    steady(at("search"), () => this.#search());
  }

  /** Take the first colour that was found. */
  #first() {
    const text = at("search").value.trim();
    if (/^#/.test(text) && !HEX.test(text)) this.#designer.tell(() => say("no_hex", { text }), true);
    else if (text && !at("swatches").querySelector(".chip")) this.#readFound(text);
    else at("swatches").querySelector('.chip[aria-pressed="false"]')?.click();
  }
}

/**
 * Do something that makes the mix above the palette higher or lower, while `place` stays where it is on the
 * screen: under the pointer.
 */
function steady(place, work) {
  const rows = at("rows");
  const before = place.getBoundingClientRect().top;
  rows.style.minHeight = `${rows.offsetHeight}px`; // what is removed leaves its place until the pointer leaves
  work();
  const scroller = document.scrollingElement;
  scroller.scrollTop += place.getBoundingClientRect().top - before;
}

function free(hex) {
  const digits = hex.slice(1).toLowerCase();
  const long = digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits;
  return { name: `#${long}`, hex: `#${long}`, free: true };
}
