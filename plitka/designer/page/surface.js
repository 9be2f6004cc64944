// The surface: how large it is, how it is laid, its zones with their mixes, and its plan from above.

import { at, fillField, make, number, radios } from "./dom.js";
import { attachHandles } from "./handles.js";
import { icon } from "./icons.js";
import { plan, read } from "./server.js";
import { fromRecipe, key, request } from "./tile.js";
import { colorName, figure, hexOf, percent, say } from "./words.js";
import { listVariants } from "./variants.js";
import * as zones from "./zones.js";

const MOST_ZONES = 16;
const MOST_SVG = 48 * 1024; // characters

export function attachSurface(designer) {
  const editor = new SurfaceEditor(designer);
  designer.addView({
    name: "plan",
    draw: async (tile, signal) => {
      const drawn = await plan(JSON.stringify(request(laidOn(tile))), signal);
      editor.measured(drawn.zones);
      return drawn.blob;
    },
    caption: (_, tile) => say("caption_plan", size(laidOn(tile).surface)),
    alt: (tile) => say("alt_plan", { ...size(laidOn(tile).surface), zones: zonesInWords(laidOn(tile).surface) }),
  });
  designer.addSection("laying", editor.section);
  designer.subscribe(({ tile }) => editor.show(tile));
  attachHandles(designer, nameOf);
}

/** A tile is laid on a surface of the usual size until it has one of its own. */
const laidOn = (tile) => ({ ...tile, surface: tile.surface ?? zones.fresh() });

const meters = (length) => figure(length / 1000, 3);
const size = (surface) => ({ width: meters(surface.width_mm), length: meters(surface.length_mm), laying: say(`laying_${surface.laying}`).toLowerCase() });
const nameOf = (zone, index) => zone.name ?? `${say(`shape_${zone.shape}`)} ${index + 1}`;
const zonesInWords = (surface) =>
  zones.zonesOf(surface).map((zone, index) => `${nameOf(zone, index)}: ${mixInWords(zone.colors)}`).join("; ") || say("no_zones");

function mixInWords(colors) {
  const whole = colors.reduce((sum, color) => sum + color.proportion, 0);
  return colors.map((color) => say("part", { share: percent(color.proportion / whole), color: colorName(color.hex ?? color.name) })).join(", ");
}

class SurfaceEditor {
  section;
  #designer;
  #tile = null;
  #areas = []; // of the surface's own mix and of each zone: [m², m of line]
  #open = -1; // the zone whose fields are shown
  #shown = ""; // what the list of zones was made of

  constructor(designer) {
    this.#designer = designer;
    this.section = make("section", { class: "surface", id: "surface", "aria-labelledby": "surface-title" },
      make("div", { class: "heading" }, make("h2", { id: "surface-title", "data-word": "surface" }),
        make("button", { type: "button", class: "quiet small", id: "surface-off", "data-word": "surface_off", onclick: () => this.#drop() })),
      make("p", { class: "note", id: "surface-note" }),
      make("button", { type: "button", id: "surface-on", "data-word": "surface_on", onclick: () => this.#begin() }),
      make("div", { id: "surface-fields" },
        make("div", { class: "choices", role: "radiogroup", "data-label": "laying", id: "layings" }),
        make("div", { class: "lengths", id: "surface-sizes" }),
        make("h3", { "data-word": "zones" }),
        make("p", { class: "note", id: "base-area" }),
        make("ol", { class: "zones", id: "zones" }),
        make("div", { class: "adding" },
          make("label", { for: "new-shape", class: "unseen", "data-word": "new_shape" }),
          make("select", { id: "new-shape" }, ...zones.SHAPES.map((shape) => make("option", { value: shape }))),
          make("button", { type: "button", id: "add-zone", "data-word": "add_zone", onclick: () => this.#add() }))));
  }

  get #surface() {
    return this.#tile.surface;
  }

  /** Keep what the server measured with the plan: of its own mix and of each zone. */
  measured(areas) {
    this.#areas = areas;
    if (this.#tile?.surface) this.#tell();
  }

  // Changes

  #change(surface) {
    this.#designer.change({ surface });
    if (this.#designer.state.view === "drawing") this.#designer.turn("plan");
  }

  #begin() {
    this.#change(zones.fresh());
    at("surface-off").focus(); // the button that was pressed is gone
  }

  #drop() {
    this.#open = -1;
    this.#designer.change({ surface: null });
    if (this.#designer.state.view === "plan") this.#designer.turn("drawing");
    at("surface-on").focus();
  }

  /** Change a surface in a way that the server may refuse: it is asked first. */
  async #try(surface, field) {
    try {
      await read(key({ ...this.#tile, surface }));
    } catch (error) {
      if ("commits" in field.dataset) field.value = field.dataset.commits;
      this.#designer.fault(error);
      return;
    }
    this.#change(surface);
  }

  #add() {
    const own = zones.zonesOf(this.#surface);
    if (own.length >= MOST_ZONES) {
      this.#designer.tell(() => say("too_many_zones", { most: MOST_ZONES }), true);
      return;
    }
    const zone = zones.made(at("new-shape").value, this.#surface, this.#otherMix(), say("zone_text"));
    this.#open = own.length;
    this.#change(zones.zoned(this.#surface, [...own, zone]));
    at("zones").lastElementChild?.querySelector("summary").focus();
    this.#designer.tell(() => say("zone_added", { zone: nameOf(zone, own.length) }));
  }

  /** The first sample whose mix is not on the surface yet. */
  #otherMix() {
    const own = [request(this.#tile).colors, ...zones.zonesOf(this.#surface).map(({ colors }) => colors)].map((colors) => JSON.stringify(colors));
    const samples = this.#designer.told.gallery.map(({ recipe }) => recipe.colors);
    return samples.find((colors) => !own.includes(JSON.stringify(colors))) ?? samples[0];
  }

  #remove(index) {
    const name = nameOf(zones.zonesOf(this.#surface)[index], index);
    this.#open = -1;
    this.#change(zones.without(this.#surface, index));
    (at("zones").children[Math.min(index, at("zones").children.length - 1)]?.querySelector("summary") ?? at("add-zone")).focus();
    this.#designer.tell(() => say("zone_removed", { zone: name }));
  }

  #move(index, step) {
    const to = index + step;
    if (to < 0 || to >= zones.zonesOf(this.#surface).length) return;
    this.#open = this.#open === index ? to : this.#open === to ? index : this.#open;
    this.#change(zones.reordered(this.#surface, index, step));
    at("zones").children[to].querySelector(step < 0 ? ".up" : ".down").focus();
  }

  /** Give the floor's mix to a zone, and the zone's to the floor, so that either is changed as a mix is. */
  #exchange(index) {
    const own = request(this.#tile).colors;
    const recipe = { ...request(this.#tile), colors: zones.zonesOf(this.#surface)[index].colors };
    const { colors, whole } = fromRecipe(recipe, hexOf);
    this.#designer.change({ colors, whole, surface: zones.changed(this.#surface, index, { colors: own }) });
    this.#designer.tell(() => say("zone_exchanged"), true);
  }

  #mixes(index) {
    const own = zones.zonesOf(this.#surface);
    return [
      ["current", say("mix_current"), request(this.#tile).colors],
      ...own.flatMap((zone, other) => (other === index ? [] : [[`zone-${other}`, nameOf(zone, other), zone.colors]])),
      ...listVariants().map(({ name, tile }, place) => [`variant-${place}`, name, request(tile).colors]),
      ...this.#designer.told.gallery.map(({ code, recipe }) => [`sample-${code}`, say(`g_${code}`), recipe.colors]),
    ];
  }

  // What is shown

  show(tile) {
    this.#tile = tile;
    const { surface } = tile;
    at("surface-off").hidden = !surface;
    at("surface-on").hidden = Boolean(surface);
    at("surface-fields").hidden = !surface;
    at("surface-note").textContent = say(surface ? "surface_note" : "surface_none");
    if (!surface) return;
    radios(at("layings"), "laying", zones.LAYINGS.map((laying) => [laying, say(`laying_${laying}`)]), surface.laying,
      (laying) => this.#change(zones.laid(this.#surface, laying)));
    this.#sizes(surface);
    for (const option of at("new-shape").options) option.textContent = say(`shape_${option.value}`);
    const shown = `${document.documentElement.lang} ${JSON.stringify(surface)} ${JSON.stringify(request(tile).colors)}`;
    if (shown !== this.#shown) this.#list(surface);
    this.#shown = shown;
    this.#tell();
  }

  /** Say how large each part is, as far as it is known of this surface. */
  #tell() {
    const own = zones.zonesOf(this.#surface);
    const known = this.#areas.length === own.length + 1;
    const square = (index) => (known ? say("square_meters", { area: figure(this.#areas[index][0], 2) }) : "");
    at("base-area").textContent = known ? say("base_area", { area: figure(this.#areas[0][0], 2) }) : "";
    for (const [index, item] of [...at("zones").children].entries()) {
      const line = known && own[index]?.line ? `, ${say("line_meters", { length: figure(this.#areas[index + 1][1], 2) })}` : "";
      item.querySelector(".area").textContent = known ? square(index + 1) + line : "";
    }
  }

  #sizes(surface) {
    const given = [
      ["width_mm", surface.width_mm, zones.SIDES.width_mm, (value) => ({ width_mm: value })],
      ["length_mm", surface.length_mm, zones.SIDES.length_mm, (value) => ({ length_mm: value })],
      ...(surface.tile_mm ?? []).map((side, index) => [
        index === 0 ? "tile_width" : "tile_length", side, zones.TILE,
        (value) => ({ tile_mm: this.#surface.tile_mm.map((own, other) => (other === index ? value : own)) }),
      ]),
      ["granule_mm", surface.granule_mm, zones.SIDES.granule_mm, (value) => ({ granule_mm: value })],
    ];
    const list = at("surface-sizes");
    const names = given.map(([name]) => name).join();
    if (list.dataset.names !== names)
      list.replaceChildren(...given.map(([name, , allowed, parts]) =>
        this.#field(`surface-${name}`, allowed, (value, field) => this.#try({ ...this.#surface, ...parts(value) }, field))));
    list.dataset.names = names;
    for (const [index, [name, value]] of given.entries()) {
      const [label, box] = list.children[index].children;
      label.textContent = say(`s_${name}`);
      fillField(box.querySelector("input"), figure(value, 3));
    }
  }

  /** Make a field for a number: its label is filled in later. take(value, field) */
  #field(id, allowed, take) {
    const field = make("input", {
      id, type: "text", inputmode: "decimal", maxlength: 9, "data-commits": "",
      onchange: () => {
        const value = number(field.value);
        if (value >= allowed.low && value <= allowed.high) take(value, field);
        else {
          field.value = field.dataset.commits;
          this.#designer.tell(() => say("number_wrong", { name: field.getAttribute("aria-label") ?? field.labels[0].textContent, low: figure(allowed.low), high: figure(allowed.high) }), true);
        }
      },
    });
    return make("div", { class: "pair" }, make("label", { for: id }),
      make("span", { class: "field" }, field, make("span", { "aria-hidden": "true" }, allowed.unit ?? say("mm"))));
  }

  /** Make the list of zones anew; what had the focus keeps it. */
  #list(surface) {
    const focused = at("zones").contains(document.activeElement) ? document.activeElement.id : "";
    at("zones").replaceChildren(...zones.zonesOf(surface).map((zone, index) => this.#item(zone, index)));
    if (focused) at(focused)?.focus();
  }

  #item(zone, index) {
    const name = nameOf(zone, index);
    const last = zones.zonesOf(this.#surface).length - 1;
    const tool = (kind, word, drawn, disabled, onclick) => make("button",
      { type: "button", class: `quiet icon ${kind}`, id: `zone-${index}-${kind}`, "aria-label": say(word, { zone: name }), title: say(word, { zone: name }), disabled, onclick }, drawn);
    const bar = make("span", { class: "zone-mix", "aria-hidden": "true" }, ...zone.colors.map((color) => {
      const part = make("span");
      part.style.background = color.hex ?? hexOf(color.name);
      part.style.flexGrow = color.proportion;
      return part;
    }));
    const details = make("details", { open: this.#open === index, ontoggle: () => this.#toggled(index, details.open) },
      make("summary", { id: `zone-${index}-summary` }, bar, make("span", { class: "zone-name" }, name), make("span", { class: "area note" })),
      ...this.#fields(zone, index));
    return make("li", {}, details, make("span", { class: "tools" },
      tool("up", "zone_up", "↑", index === 0, () => this.#move(index, -1)),
      tool("down", "zone_down", "↓", index === last, () => this.#move(index, 1)),
      tool("removal", "zone_remove", icon("close"), false, () => this.#remove(index))));
  }

  #toggled(index, open) {
    if (open) this.#open = index;
    else if (this.#open === index) this.#open = -1;
  }

  #fields(zone, index) {
    const put = (parts, field) => this.#try(zones.changed(this.#surface, index, parts), field);
    const id = (name) => `zone-${index}-${name}`;
    const labeled = (word, field) => make("div", { class: "pair" }, make("label", { for: field.id }, say(word)), field);
    const fields = Object.entries(zones.FIELDS[zone.shape]).flatMap(([name, allowed]) => {
      if (allowed.parts) return allowed.parts.map((part, place) => this.#number(id(`${name}-${part}`), `${say(`s_${name}`)}, ${part}`, (zone[name] ?? this.#middle())[place], allowed,
        (value, field) => put({ [name]: (zone[name] ?? this.#middle()).map((own, other) => (other === place ? value : own)) }, field)));
      if (allowed.points) {
        const text = make("textarea", { id: id(name), rows: 3, "data-commits": zones.writePoints(zone[name]), onchange: () => {
          const points = zones.pointsIn(text.value);
          if (points) put({ [name]: points }, text);
          else {
            text.value = text.dataset.commits;
            this.#designer.tell(() => say("points_wrong"), true);
          }
        } });
        text.value = zones.writePoints(zone[name]);
        return [labeled("s_points_mm", text)];
      }
      if (allowed.words) {
        const text = make("input", { id: id(name), type: "text", maxlength: allowed.words, value: zone[name], "data-commits": zone[name], onchange: () => put({ [name]: text.value }, text) });
        return [labeled("s_text", text)];
      }
      if (allowed.file) {
        const file = make("input", { id: id(name), type: "file", accept: "image/svg+xml,.svg", onchange: async () => {
          const svg = await file.files[0].text();
          if (svg.length > MOST_SVG) this.#designer.tell(() => say("svg_large"), true);
          else put({ [name]: svg }, file);
        } });
        return [labeled("s_svg", file)];
      }
      return [this.#number(id(name), say(`s_${name}`), zone[name] ?? 0, allowed, (value, field) => put({ [name]: value }, field))];
    });
    const mixes = this.#mixes(index);
    const chosen = mixes.find(([, , colors]) => JSON.stringify(colors) === JSON.stringify(zone.colors));
    const select = make("select", { id: id("mix"), onchange: () => this.#change(zones.changed(this.#surface, index, { colors: mixes.find(([value]) => value === select.value)[2] })) },
      ...(chosen ? [] : [make("option", { value: "", selected: true }, mixInWords(zone.colors))]),
      ...mixes.map(([value, words]) => make("option", { value, selected: value === chosen?.[0] }, words)));
    const kind = zone.line?.kind ?? "none";
    const line = make("select", { id: id("line"), onchange: () => {
      const { line: _, ...rest } = zone;
      const own = zones.zonesOf(this.#surface);
      const next = line.value === "none" ? rest : { ...rest, line: { kind: line.value, width_mm: zone.line?.width_mm ?? 5 } };
      this.#change(zones.zoned(this.#surface, own.map((other, place) => (place === index ? next : other))));
    } }, ...["none", "metal", "joint"].map((value) => make("option", { value, selected: value === kind }, say(`line_${value}`))));
    const width = zone.line
      ? [this.#number(id("line-width"), say("s_line_width"), zone.line.width_mm, zones.LINE, (value, field) => put({ line: { ...zone.line, width_mm: value } }, field))] : [];
    return [labeled("zone_mix", select),
      make("div", { class: "mixing" }, make("span", { class: "note" }, mixInWords(zone.colors)),
        make("button", { type: "button", class: "quiet small", id: id("exchange"), onclick: () => this.#exchange(index) }, say("zone_exchange"))),
      ...fields, labeled("zone_line", line), ...width];
  }

  #middle = () => [this.#surface.width_mm / 2, this.#surface.length_mm / 2];

  #number(id, label, value, allowed, take) {
    const pair = this.#field(id, allowed, take);
    pair.firstElementChild.textContent = label;
    fillField(pair.querySelector("input"), figure(value, 3));
    return pair;
  }
}
