// Angle, seed, quality, and the finer settings.

import { at, make, number, radios } from "./dom.js";
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

export class Settings {
  #change;
  #tell;
  #most;
  #qualities;
  #tile = null;

  /** change({angle: 45}, settled) is called at each change; tell(words) announces a text. */
  constructor(qualities, mostSeed, change, tell) {
    this.#qualities = qualities;
    this.#most = mostSeed;
    this.#change = change;
    this.#tell = tell;
    at("angle").addEventListener("input", () => change({ angle: Number(at("angle").value) }, false));
    at("angle").addEventListener("change", () => change({ angle: Number(at("angle").value) }, true));
    at("angle-number").addEventListener("change", () => this.#angle());
    at("seed").addEventListener("change", () => this.#seed());
    at("dice").addEventListener("click", () => change({ seed: drawn(mostSeed) }, true));
  }

  show(tile) {
    this.#tile = tile;
    at("angle").value = tile.angle;
    at("angle").style.setProperty("--at", `${(tile.angle / 179) * 100}%`);
    at("angle").setAttribute("aria-valuetext", `${figure(tile.angle, 6)}°`);
    at("angle-number").value = figure(tile.angle, 6);
    at("seed").value = tile.seed;
    this.#angles();
    const named = this.#qualities.map((quality) => [quality, say(`quality_${quality}`)]);
    radios(at("qualities"), "quality", named, tile.quality, (quality) => this.#change({ quality }, true));
    this.#overrides();
  }

  #angles() {
    const group = at("angles");
    if (group.children.length === 0)
      group.append(...ANGLES.map((angle) =>
        make("button", { type: "button", "data-angle": angle, onclick: () => this.#change({ angle }, true) }, `${angle}°`)));
    for (const button of group.children)
      button.setAttribute("aria-pressed", String(Number(button.dataset.angle) === this.#tile.angle));
  }

  #angle() {
    const angle = number(at("angle-number").value);
    if (angle >= 0 && angle <= 180) this.#change({ angle: angle % 180 }, true);
    else this.#refuse(at("angle-number"), say("angle_wrong"), figure(this.#tile.angle, 6));
  }

  #seed() {
    const seed = number(at("seed").value);
    if (Number.isInteger(seed) && seed >= 0 && seed <= this.#most) this.#change({ seed }, true);
    else this.#refuse(at("seed"), say("seed_wrong", { most: this.#most }), this.#tile.seed);
  }

  #refuse(field, words, before) {
    this.#tell(words, true);
    field.value = before;
  }

  #overrides() {
    const held = document.activeElement?.id;
    const given = Object.entries(OVERRIDES).filter(([name, allowed]) => !allowed.rare || name in this.#tile.overrides);
    at("overrides").replaceChildren(...given.map(([name, allowed]) => this.#override(name, allowed)));
    if (held?.startsWith("o-")) at(held)?.focus();
  }

  #override(name, allowed) {
    const id = `o-${name}`;
    const value = this.#tile.overrides[name] ?? "";
    const label = make("label", { for: id }, say(`o_${name}`));
    if (Array.isArray(allowed)) {
      const options = allowed.map(([option, word]) => make("option", { value: option, selected: option === String(value) }, say(word)));
      const take = (text) => this.#set(name, text === "" ? undefined : name === "use_controlnet" ? text === "true" : text);
      return make("div", { class: "pair" }, label, make("select", { id, onchange: (event) => take(event.target.value) }, ...options));
    }
    if (allowed.text) {
      const text = make("textarea", { id, rows: 2, onchange: () => this.#text(name, text, allowed) });
      text.value = value;
      return make("div", { class: "pair tall" }, label, text);
    }
    const field = make("input", { id, type: "text", inputmode: "decimal", placeholder: say("by_itself"),
      value: value === "" ? "" : figure(value, 6), onchange: () => this.#number(name, field, allowed) });
    return make("div", { class: "pair" }, label, field);
  }

  #number(name, field, allowed) {
    const value = field.value.trim() === "" ? undefined : number(field.value);
    const right = value === undefined || (value >= allowed.low && value <= allowed.high && (!allowed.whole || Number.isInteger(value)));
    if (right) this.#set(name, value);
    else {
      const before = this.#tile.overrides[name];
      const words = { name: say(`o_${name}`), low: figure(allowed.low, 2), high: figure(allowed.high) };
      this.#refuse(field, say(allowed.whole ? "whole_wrong" : "number_wrong", words), before === undefined ? "" : figure(before, 6));
    }
  }

  #text(name, field, allowed) {
    if ([...field.value].length <= allowed.high) this.#set(name, field.value === "" ? undefined : field.value);
    else this.#refuse(field, say("text_long", { name: say(`o_${name}`), high: allowed.high }), this.#tile.overrides[name] ?? "");
  }

  #set(name, value) {
    const { [name]: _, ...rest } = this.#tile.overrides;
    this.#change({ overrides: value === undefined ? rest : { ...rest, [name]: value } }, true);
  }
}

const drawn = (most) => crypto.getRandomValues(new Uint32Array(1))[0] % (most + 1);
