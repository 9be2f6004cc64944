// The view "Scene": the tile on the floor of a room, a playground and so on, chosen by thumbnails.

import { make } from "./dom.js";
import { scene, smallScene } from "./server.js";
import { key, link } from "./tile.js";
import { kept, remember, say } from "./words.js";

const KEPT = "plitka.scene";

export class Scenes {
  chosen;
  #designer;
  #group = make("div", { class: "scenes", role: "radiogroup" });
  #choices = new Map(); // name -> {input, image, label}
  #small = ""; // link to the tile that the thumbnails show
  #stop = null; // AbortController of thumbnails under way

  constructor(designer) {
    this.#designer = designer;
    const names = designer.told.scenes;
    this.chosen = names.includes(kept(KEPT)) ? kept(KEPT) : names[0];
    for (const name of names) this.#group.append(this.#choice(name));
    designer.addView({
      name: "scene",
      wide: true,
      tools: this.#group,
      draw: (tile, signal) => this.draw(tile, signal),
      caption: () => say("caption_scene", { scene: say(`scene_${this.chosen}`) }),
    });
    designer.subscribe(() => this.#fill());
  }

  /** Draw the chosen scene, with the final photograph on its floor if there is one, else the drawing. */
  draw(tile, signal) {
    const { stage } = this.#designer;
    const photographed = stage.kind("photograph") === "final" && stage.shows("photograph", "final", link(tile));
    return scene(this.chosen, photographed ? stage.blob("photograph") : key(tile), signal);
  }

  #choice(name) {
    const input = make("input", { type: "radio", name: "scene", value: name, checked: name === this.chosen, onchange: () => this.#choose(name) });
    const image = make("img", { alt: "", width: 320, height: 200, hidden: true });
    const label = make("span", {});
    this.#choices.set(name, { input, image, label });
    return make("label", { class: "scene" }, input, make("span", { class: "scene-picture" }, image), label);
  }

  #choose(name) {
    this.chosen = name;
    remember(name, KEPT);
    this.#designer.redraw("scene");
  }

  #fill() {
    this.#group.setAttribute("aria-label", say("scenes"));
    for (const [name, { input, label }] of this.#choices) {
      label.textContent = say(`scene_${name}`);
      input.checked = name === this.chosen;
    }
    const { tile, view } = this.#designer.state;
    if (view === "scene" && tile && link(tile) !== this.#small) this.#draw(tile);
  }

  /** Draw the thumbnails, which are little work and come before the scene. */
  async #draw(tile) {
    this.#small = link(tile);
    this.#stop?.abort();
    const { signal } = (this.#stop = new AbortController());
    try {
      for (const [name, { image }] of this.#choices) {
        const url = URL.createObjectURL(await smallScene(name, key(tile), signal));
        if (image.src) URL.revokeObjectURL(image.src);
        image.src = url;
        image.hidden = false;
      }
    } catch (error) {
      if (error.name !== "AbortError") this.#small = ""; // the scene itself says what is wrong
    }
  }
}
