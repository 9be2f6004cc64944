// The section "Kilograms": area and thickness -> kilograms and bags of each colour, and of binder.

import { at, make } from "./dom.js";
import { askedFigures, boundsOf, figureOf, learnFigures, onFigures, setFigure } from "./figures.js";
import * as server from "./server.js";
import { request } from "./tile.js";
import { colorName, current, figure, percent, say } from "./words.js";
import { saveBlob } from "./saving.js";

const REST = 150; // ms without a change before kilograms are reckoned
const EXPERTS = ["density", "loss", "bag", "binder", "pack", "granule", "tile"];

export function attachOrder(designer) {
  learnFigures(designer.told.offer.figures);
  new Kilograms(designer);
}

/** Write what the server reckons an order from. */
export const asOrder = (tile) => ({ recipe: request(tile), language: current(), order: askedFigures() });

/** Make a figure's field with its unit. word: key of its label. */
export function makeFigure(name, word, { color, label } = {}) {
  const field = make("input", {
    type: "text", inputmode: name === "density" ? "text" : "decimal", autocomplete: "off", spellcheck: "false",
    "data-figure": name, "data-of": color, value: figureOf(name, color), placeholder: color ? "" : shownDefault(name),
    oninput: (event) => setFigure(name, event.target.value, color),
  });
  const unit = make("span", { class: "unit", "aria-hidden": "true" }, say(`unit_${name}`));
  return make("label", { class: "figure" }, make("span", { class: "figure-name" }, label ?? say(word)), make("span", { class: "field" }, field, unit));
}

const shownDefault = (name) => {
  const usual = boundsOf(name).default;
  return /^[\d.]+$/.test(usual) ? figure(Number(usual), 6) : usual;
};

class Kilograms {
  #designer;
  #tile = null;
  #asked = ""; // the request whose answer is shown, or on its way
  #stop = null;
  #rest = 0;
  #answer = null; // {order, names, hexes}
  #error = null;
  #language = "";
  #colors = "";

  constructor(designer) {
    this.#designer = designer;
    this.section = make("section", { id: "kilograms", "aria-labelledby": "kilograms-title" },
      make("div", { class: "heading" }, make("h2", { id: "kilograms-title", "data-word": "kilograms" }),
        make("button", { type: "button", class: "quiet small", id: "save-order", hidden: true, onclick: () => this.#save() })),
      make("div", { class: "floor", id: "floor" }),
      make("p", { class: "note", id: "order-note", role: "status" }),
      make("div", { id: "order" }),
      make("details", { id: "own-figures" }, make("summary", { "data-word": "own_figures" }), make("div", { class: "figures", id: "figures" }), make("div", { class: "per-color", id: "per-color" }),
        make("p", { class: "note", "data-word": "figures_note" })));
    designer.addSection("laying", this.section);
    designer.subscribe(({ tile }) => this.#show(tile));
    onFigures(() => {
      this.#refill();
      this.#ask();
    });
  }

  #show(tile) {
    this.#tile = tile;
    if (this.#language !== current()) this.#fields();
    this.#language = current();
    this.section.classList.toggle("measured", Boolean(tile.surface));
    this.#ask();
  }

  #fields() {
    at("floor").replaceChildren(makeFigure("area", "figure_area"), make("span", { class: "times", "aria-hidden": "true" }, "×"), makeFigure("thickness", "figure_thickness"));
    at("figures").replaceChildren(...EXPERTS.map((name) => makeFigure(name, `figure_${name}`)));
    at("save-order").textContent = say("save_order");
  }

  /** Fill in a line of figures for each colour of the floor; {name: name in the language}, {name: hex}. */
  #perColor({ names, hexes }) {
    const colors = JSON.stringify(names);
    if (colors === this.#colors) return;
    this.#colors = colors;
    at("per-color").replaceChildren(
      make("p", { class: "per-color-head" }, make("span", {}, say("per_color")), make("span", {}, say("figure_density")), make("span", {}, say("figure_granule"))),
      ...Object.entries(names).map(([name, told]) => {
        const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
        swatch.style.background = hexes[name];
        const own = (figure) => {
          const made = makeFigure(figure, "", { color: name, label: say("figure_of", { figure: say(`figure_${figure}`), color: told }) });
          made.querySelector(".figure-name").classList.add("unseen");
          return made;
        };
        return make("div", { class: "own" }, make("span", { class: "own-name" }, swatch, told), own("density"), own("granule"));
      }));
  }

  /** Show figures that were typed elsewhere, as into the dialog for a customer. */
  #refill() {
    for (const field of document.querySelectorAll("[data-figure]"))
      if (field !== document.activeElement) field.value = figureOf(field.dataset.figure, field.dataset.of);
  }

  #ask() {
    const asked = JSON.stringify(asOrder(this.#tile));
    if (asked === this.#asked) return;
    this.#asked = asked;
    clearTimeout(this.#rest);
    this.#stop?.abort();
    this.#rest = setTimeout(() => this.#reckon(asked), REST);
  }

  async #reckon(asked) {
    const stop = (this.#stop = new AbortController());
    try {
      const answer = await server.order(asked, stop.signal);
      if (stop !== this.#stop) return;
      this.#answer = answer;
      this.#error = null;
      this.#perColor(answer);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#asked = "";
      this.#error = error;
      if (error.code !== "order") this.#answer = null;
    }
    this.#fill();
  }

  #fill() {
    const wrong = this.#error?.code === "order" ? this.#error.values : null;
    for (const field of document.querySelectorAll("[data-figure]")) {
      const is = wrong !== null && field.dataset.figure === wrong.field && (field.dataset.of ?? "") === wrong.color;
      field.setAttribute("aria-invalid", String(is));
      if (is) field.setAttribute("aria-describedby", "order-note");
      else field.removeAttribute("aria-describedby");
    }
    const order = wrong ? null : this.#answer?.order;
    at("order-note").classList.toggle("wrong", wrong !== null);
    at("order-note").textContent = wrong ? wrongFigure(wrong) : order ? "" : this.#error ? say(`f_${this.#error.code}`) : say("kilograms_note");
    at("order").replaceChildren(...(order ? this.#table(order) : []));
    at("save-order").hidden = !order;
  }

  #table(order) {
    const { names, hexes } = this.#answer;
    const digits = order.granule_kg >= 10 ? 1 : 2;
    const written = new Intl.NumberFormat(current(), { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: order.granule_kg >= 10_000 });
    const kg = (amount) => make("td", {}, written.format(amount));
    const rows = order.colors.map((one) => {
      const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = hexes[one.name];
      const shares = order.converts
        ? make("small", {}, say("conversion", { area: percent(one.area_share), volume: percent(one.volume_share), weight: percent(one.weight_share) }))
        : null;
      return make("tr", {}, make("th", { scope: "row" }, make("span", { class: "of" }, swatch, make("span", {}, names[one.name], shares))), kg(one.kg), make("td", {}, String(one.bags)));
    });
    const head = [say("order_color"), say("order_kg"), say("order_bags", { bag: shownFigure("bag") })];
    const binder = order.binder_kg > 0
      ? [make("tr", { class: "binder" }, make("th", { scope: "row" }, say("order_binder", { binder: shownFigure("binder") })), kg(order.binder_kg), make("td", {}, say("packs_of", { packs: order.packs, pack: shownFigure("pack") })))]
      : [];
    const table = make("table", { class: "order" },
      make("caption", { class: "unseen" }, say("kilograms")),
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows),
      make("tfoot", {}, make("tr", { class: "all" }, make("th", { scope: "row" }, say("order_all")), kg(order.granule_kg), make("td", {}, String(order.bags))), ...binder));
    const zones = order.zones.length > 1
      ? order.zones.map((zone) => make("li", {}, say("order_zone", { zone: zone.name, area: figure(zone.area, 2), kg: written.format(zone.kg) })))
      : [];
    const tiles = order.tiles > 0 ? ` ${say("order_tiles", { tiles: order.tiles })}` : "";
    return [table, ...(zones.length > 0 ? [make("ul", { class: "zones note" }, ...zones)] : []),
      make("p", { class: "note" }, say("order_loss", { loss: shownFigure("loss") }) + tiles + (order.converts ? ` ${say("conversion_note")}` : ""))];
  }

  async #save() {
    try {
      saveBlob(await server.file("order.csv", asOrder(this.#tile)), this.#designer);
    } catch (error) {
      this.#designer.fault(error, () => this.#save());
    }
  }
}

function shownFigure(name) {
  const text = figureOf(name) || boundsOf(name).default;
  const value = Number.parseFloat(text.replace(/\s/g, "").replace(",", ".")); // it may have its unit
  return Number.isFinite(value) ? figure(value, 3) : text;
}

/** Say what a figure may be. */
export function wrongFigure({ field, color, low, high }) {
  if (!boundsOf(field)) return say("f_order");
  const name = color ? say("figure_of", { figure: say(`figure_${field}`), color: colorName(color) }) : say(`figure_${field}`);
  const said = say("figure_wrong", { name, low: figure(Number(low), 3), high: figure(Number(high), 3), unit: say(`unit_${field}`) });
  return field === "density" ? `${said} ${say("density_forms")}` : said;
}
