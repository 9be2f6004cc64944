// The view "Own photo": a floor that is laid into the user's photograph. The program on this machine
// reads the photo and lays the floor; the page keeps the photo, and the program forgets it.

import { make, number, radios } from "./dom.js";
import { Outline } from "./outline.js";
import { Fault, laidPhoto, ownPhoto } from "./server.js";
import { request } from "./tile.js";
import { figure, say } from "./words.js";

const SMALL = 1600; // pixels of the longer side while corners are moved
const PATTERNS = { plain: 0.05, planks: 0.2, tiles: 0.6 }; // metres, of the old floor's pattern
const SIDES = { low: 0.1, high: 500 }; // metres

/** Add the view, and its picture to those that are saved. */
export function attachOwnPhoto(designer) {
  const own = new OwnPhoto(designer);
  designer.addSave({ word: "save_own", what: "my-photo", ending: "jpg", make: own.save, offered: () => own.present });
}

class OwnPhoto {
  #designer;
  #photo = null; // {full, small, width, height}: JPEG, upright, without EXIF
  #outline;
  #sides = [4, 3]; // metres, along the far side and along the left one
  #pattern = "planks";
  #brightness = 1;
  #original = false;
  #parts; // elements of the tools

  constructor(designer) {
    this.#designer = designer;
    this.#outline = new Outline(designer.stage.overlay, () => this.#changed(), (text) => designer.tell(text));
    const tools = this.#build();
    designer.stage.overlay.append(this.#parts.invite);
    designer.addView({
      name: "own",
      wide: true,
      tools,
      draw: (tile, signal) => this.#draw(tile, signal),
      caption: () => say("caption_own"),
    });
    designer.subscribe(() => this.#fill());
    this.#drops();
  }

  /** Whether there is a photo. */
  get present() {
    return this.#photo !== null;
  }

  /** Lay the floor into the photo in its full size: a promise of a Blob. */
  save = (tile) => laidPhoto(this.#asked(tile), this.#photo.full);

  async #draw(tile, signal) {
    if (!this.#photo) throw new DOMException("no photo yet", "AbortError");
    if (this.#original) return this.#photo.small;
    return laidPhoto(this.#asked(tile), this.#photo.small, signal);
  }

  #asked = (tile) => ({
    recipe: request(tile),
    sides: this.#sides,
    pattern: PATTERNS[this.#pattern],
    brightness: this.#brightness,
    ...this.#outline.areas,
  });

  #changed() {
    this.#designer.redraw("own");
  }

  /** Take a photo of any format: the program turns it upright and brings it to sRGB. */
  async take(file) {
    const { busy, choose } = this.#parts;
    busy.hidden = false;
    choose.setAttribute("aria-busy", "true");
    try {
      const full = await ownPhoto(file);
      const bitmap = await createImageBitmap(full);
      const { width, height } = bitmap;
      const small = await shrink(bitmap, full);
      bitmap.close();
      this.#photo = { full, small, width, height };
      this.#original = false;
      this.#outline.begin(width / height);
      this.#designer.tell(() => say("own_taken"));
      this.#fill();
      this.#changed();
    } catch (error) {
      this.#designer.fault(error);
    } finally {
      busy.hidden = true;
      choose.removeAttribute("aria-busy");
    }
  }

  // The tools below the picture

  #build() {
    const file = make("input", { type: "file", id: "photo-file", class: "unseen", accept: "image/jpeg,image/png,image/webp,image/heic,image/heif,image/avif,image/tiff,.heic,.heif" });
    file.addEventListener("change", () => {
      if (file.files.length > 0) this.take(file.files[0]);
      file.value = "";
    });
    const words = make("span", {});
    const invitation = [make("span", {}), make("small", {})];
    const invite = make("label", { class: "photo-invite", for: "photo-file", hidden: true }, ...invitation);
    const choose = make("label", { class: "drop photo-choose", for: "photo-file" }, file, words);
    const busy = make("span", { class: "note", role: "status", hidden: true });
    const local = make("p", { class: "note" });
    const side = (index, id) => {
      const label = make("label", { for: id });
      const field = make("input", { type: "text", inputmode: "decimal", id, onchange: () => this.#size(index, field) });
      const unit = make("span", { "aria-hidden": "true" });
      return { label, field, unit, place: make("div", { class: "photo-pair" }, label, make("span", { class: "field" }, field, unit)) };
    };
    const [far, left] = [side(0, "photo-far"), side(1, "photo-left")];
    const mode = make("div", { class: "choices", role: "radiogroup" });
    const point = make("button", { type: "button", class: "small", onclick: () => this.#outline.addPoint() });
    const again = make("button", { type: "button", class: "quiet small", onclick: () => this.#outline.clear() });
    const pattern = make("div", { class: "choices", role: "radiogroup" });
    const patternTitle = make("span", { class: "photo-title" });
    const modeTitle = make("span", { class: "photo-title" });
    const light = make("input", { type: "range", id: "photo-light", min: 0.4, max: 2, step: 0.05, value: 1, onchange: () => this.#lit(Number(light.value)) });
    const lightTitle = make("label", { for: "photo-light" });
    const original = make("button", { type: "button", "aria-pressed": "false", class: "small", onclick: () => this.#compare() });
    const hint = make("p", { class: "note" });
    const settings = make("div", { class: "photo-settings", hidden: true },
      make("div", { class: "photo-row" }, far.place, left.place, original),
      make("div", { class: "photo-row" }, modeTitle, mode, point, again), hint,
      make("div", { class: "photo-row" }, patternTitle, pattern),
      make("div", { class: "photo-row" }, lightTitle, light));
    this.#parts = { invite, invitation, choose, words, busy, local, far, left, mode, modeTitle, point, again, pattern, patternTitle, light, lightTitle, original, hint, settings };
    const tools = make("div", { class: "photo-tools" }, make("div", { class: "photo-row" }, choose, busy), local, settings);
    return tools;
  }

  /** While the view is chosen, a file that is dropped on the page is a photo, and no recipe is sought. */
  #drops() {
    const mine = (event) => this.#designer.state.view === "own" && event.dataTransfer?.types.includes("Files");
    const caught = (take) => (event) => {
      if (!mine(event)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      take(event);
    };
    addEventListener("dragover", caught(() => {}), true);
    addEventListener("drop", caught((event) => this.take(event.dataTransfer.files[0])), true);
  }

  #size(index, field) {
    const metres = number(field.value.replace(/\s*(m|м)$/i, ""));
    if (metres >= SIDES.low && metres <= SIDES.high) {
      this.#sides = this.#sides.with(index, metres);
      this.#changed();
    } else this.#designer.fault(new Fault("own_sides"));
    this.#fill();
  }

  #lit(brightness) {
    this.#brightness = brightness;
    this.#changed();
  }

  #compare() {
    this.#original = !this.#original;
    this.#fill();
    this.#changed();
  }

  #fill() {
    const parts = this.#parts;
    const shown = this.#designer.state.view === "own";
    parts.words.textContent = say(this.present ? "own_other" : "own_choose");
    parts.busy.textContent = say("own_reading");
    parts.invite.hidden = this.present || !shown;
    parts.invitation[0].textContent = say("own_invite");
    parts.invitation[1].textContent = say("own_local");
    parts.local.hidden = !this.present;
    parts.local.textContent = say("own_local");
    parts.settings.hidden = !this.present;
    this.#outline.show(shown && this.present);
    for (const [name, word, at] of [["far", "own_far", 0], ["left", "own_left", 1]]) {
      parts[name].label.textContent = say(word);
      parts[name].unit.textContent = say("own_metres");
      if (document.activeElement !== parts[name].field) parts[name].field.value = figure(this.#sides[at], 2);
    }
    parts.original.textContent = say("own_original");
    parts.original.setAttribute("aria-pressed", String(this.#original));
    parts.patternTitle.textContent = say("own_pattern");
    parts.pattern.setAttribute("aria-label", say("own_pattern"));
    radios(parts.pattern, "photo-pattern", Object.keys(PATTERNS).map((name) => [name, say(`own_pattern_${name}`)]), this.#pattern, (name) => {
      this.#pattern = name;
      this.#changed();
    });
    parts.lightTitle.textContent = say("own_light");
    parts.modeTitle.textContent = say("own_mode");
    parts.mode.setAttribute("aria-label", say("own_mode"));
    radios(parts.mode, "photo-mode", ["corners", "outline", "hole"].map((name) => [name, say(`own_mode_${name}`)]), this.#outline.mode, (name) => {
      this.#outline.turn(name);
      this.#fill();
    });
    parts.hint.textContent = say(`own_hint_${this.#outline.mode}`);
    for (const button of [parts.point, parts.again]) button.hidden = this.#outline.mode === "corners";
    parts.point.textContent = say("own_add_point");
    parts.again.textContent = say(this.#outline.mode === "hole" ? "own_clear_holes" : "own_clear_outline");
    this.#outline.retell();
  }
}

/** Make a photo of SMALL pixels at the most, for quick answers; the same if it is smaller. */
async function shrink(bitmap, full) {
  const scale = SMALL / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return full;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.93));
}
