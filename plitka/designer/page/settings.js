// Angle, seed, quality, and the finer settings.

import { at, fillField, make, number, radios } from "./dom.js";
import { attachSlider } from "./slider.js";
import { figure, say } from "./words.js";

const ANGLES = [0, 45, 90];

// The allowed values of each override, as plitka/request/parsing.py has them.
const OVERRIDES = {
  use_controlnet: [["", "by_itself"], ["true", "yes"], ["false", "no"]],
  guidance_scale: { low: 1, high: 20 },
  strength: { low: 0.05, high: 1 },
  num_inference_steps_preview: { low: 1, high: 150, whole: true },
  num_inference_steps_final: { low: 1, high: 150, whole: true },
  controlnet_scale: { low: 0, high: 2 },
  color_control: [["", "by_itself"], ["layout", "by_layout"], ["prompt", "by_prompt"]],
  negative_prompt: { high: 1000, text: true },
  // Not offered, but shown if the recipe of a link or a picture has them:
  num_inference_steps: { low: 1, high: 150, whole: true, rare: true },
  lora_scale: { low: 0, high: 2, rare: true },
};

/** Make the settings work: the angle, the seed, the quality and the finer ones. */
export function attachSettings(designer) {
  const settings = new Settings(designer);
  designer.subscribe(({ tile }) => settings.show(tile));
}

class Settings {
  #designer;
  #most;
  #tile = null;

  constructor(designer) {
    this.#designer = designer;
    this.#most = designer.told.most.seed;
    attachSlider(at("angle"));
    at("angle").addEventListener("input", () => this.#change({ angle: Number(at("angle").value) }, false));
    at("angle").addEventListener("change", () => this.#change({ angle: Number(at("angle").value) }));
    at("angle-number").addEventListener("change", () => this.#angle());
    at("seed").addEventListener("change", () => this.#seed());
    at("dice").addEventListener("click", () => this.#change({ seed: drawn(this.#most) }));
  }

  #change(parts, done) {
    this.#designer.change(parts, done);
  }

  show(tile) {
    this.#tile = tile;
    at("angle").value = tile.angle;
    at("angle").style.setProperty("--at", `${(tile.angle / 179) * 100}%`);
    at("angle").setAttribute("aria-valuetext", `${figure(tile.angle, 6)}°`);
    fillField(at("angle-number"), figure(tile.angle, 6));
    fillField(at("seed"), String(tile.seed));
    this.#angles();
    const named = this.#designer.told.qualities.map((quality) => [quality, say(`quality_${quality}`)]);
    radios(at("qualities"), "quality", named, tile.quality, (quality) => this.#change({ quality }));
    this.#overrides();
  }

  #angles() {
    const group = at("angles");
    if (group.children.length === 0)
      group.append(...ANGLES.map((angle) =>
        make("button", { type: "button", "data-angle": angle, onclick: () => this.#change({ angle }) }, `${angle}°`)));
    for (const button of group.children)
      button.setAttribute("aria-pressed", String(Number(button.dataset.angle) === this.#tile.angle));
  }

  #angle() {
    const angle = number(at("angle-number").value);
    if (angle >= 0 && angle <= 180) this.#change({ angle: angle % 180 });
    else this.#refuse(at("angle-number"), () => say("angle_wrong"));
  }

  #seed() {
    const seed = number(at("seed").value);
    if (Number.isInteger(seed) && seed >= 0 && seed <= this.#most) this.#change({ seed });
    else this.#refuse(at("seed"), () => say("seed_wrong", { most: this.#most }));
  }

  #refuse(field, words) {
    this.#designer.tell(words, true);
    field.value = field.dataset.commits;
  }

  /** Fields that are there already stay, so that none loses the focus. */
  #overrides() {
    const given = Object.entries(OVERRIDES).filter(([name, allowed]) => !allowed.rare || name in this.#tile.overrides);
    const list = at("overrides");
    const names = given.map(([name]) => name).join();
    if (list.dataset.names !== names) list.replaceChildren(...given.map(([name, allowed]) => this.#override(name, allowed)));
    list.dataset.names = names;
    for (const [name, allowed] of given) this.#write(name, allowed);
  }

  #override(name, allowed) {
    const id = `o-${name}`;
    const label = make("label", { for: id });
    if (Array.isArray(allowed)) {
      const take = (text) => this.#set(name, text === "" ? undefined : name === "use_controlnet" ? text === "true" : text);
      const select = make("select", { id, onchange: () => take(select.value) }, ...allowed.map(([value]) => make("option", { value })));
      return make("div", { class: "pair" }, label, select);
    }
    if (allowed.text) {
      const text = make("textarea", { id, rows: 2, "data-commits": "", onchange: () => this.#text(name, text, allowed) });
      return make("div", { class: "pair tall" }, label, text);
    }
    const field = make("input", { id, type: "text", inputmode: "decimal", "data-commits": "", onchange: () => this.#number(name, field, allowed) });
    return make("div", { class: "pair" }, label, field);
  }

  #write(name, allowed) {
    const field = at(`o-${name}`);
    const value = this.#tile.overrides[name] ?? "";
    field.parentElement.firstChild.textContent = say(`o_${name}`);
    if (Array.isArray(allowed)) {
      for (const [index, [, word]] of allowed.entries()) field.options[index].textContent = say(word);
      field.value = String(value);
      return;
    }
    if (!allowed.text) field.placeholder = say("by_itself");
    fillField(field, value === "" || allowed.text ? value : figure(value, 6));
  }

  #number(name, field, allowed) {
    const value = field.value.trim() === "" ? undefined : number(field.value);
    const right = value === undefined || (value >= allowed.low && value <= allowed.high && (!allowed.whole || Number.isInteger(value)));
    if (right) this.#set(name, value);
    else {
      const words = () => ({ name: say(`o_${name}`), low: figure(allowed.low, 2), high: figure(allowed.high) });
      this.#refuse(field, () => say(allowed.whole ? "whole_wrong" : "number_wrong", words()));
    }
  }

  #text(name, field, allowed) {
    if ([...field.value].length <= allowed.high) this.#set(name, field.value === "" ? undefined : field.value);
    else this.#refuse(field, () => say("text_long", { name: say(`o_${name}`), high: allowed.high }));
  }

  #set(name, value) {
    const { [name]: _, ...rest } = this.#tile.overrides;
    this.#change({ overrides: value === undefined ? rest : { ...rest, [name]: value } });
  }
}

const drawn = (most) => crypto.getRandomValues(new Uint32Array(1))[0] % (most + 1);
