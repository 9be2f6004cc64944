// The scale bar on the picture: how long some millimetres are on it, whatever its size and zoom.

import { at, make, millimetres } from "./dom.js";
import { boundsOf, figureOf, onFigures } from "./figures.js";
import { figure, say } from "./words.js";

const FLAT = new Set(["drawing", "photograph", "colormap"]); // views that show one frame from above
const PLAN = "plan"; // the view that shows a surface from above
const INSET = 12; // px from the corner
const WIDEST = 0.3; // of what is seen of the picture

export function attachScale(designer) {
  const scale = new Scale(designer);
  designer.subscribe(({ view, tile }) => scale.show(view, tile));
}

class Scale {
  #perGranule; // mm of a frame's side for each mm of granule
  #bar = make("i");
  #length = make("span");
  #plate;
  #view = "drawing";
  #surface = null; // of the tile

  constructor(designer) {
    this.#perGranule = designer.told.offer.frame_of_1_mm;
    this.#plate = make("div", { class: "scale-bar", id: "scale", hidden: true, role: "img" }, this.#length, this.#bar);
    at("frame").append(this.#plate);
    const sized = new ResizeObserver(() => this.#fill());
    for (const one of ["picture", "window", "frame"]) sized.observe(at(one));
    onFigures(() => this.#fill());
  }

  show(view, tile) {
    this.#view = view;
    this.#surface = tile.surface ?? null;
    this.#fill();
  }

  #fill() {
    const picture = at("picture").getBoundingClientRect();
    const wide = this.#measureView();
    this.#plate.hidden = wide === null || picture.width === 0;
    if (this.#plate.hidden) return;
    const pane = at("window").getBoundingClientRect();
    const frame = at("frame").getBoundingClientRect();
    const { width, height } = at("picture");
    const drawn = Math.min(picture.width, (picture.height * width) / height); // a high plan is narrower than its canvas
    const perMm = drawn / wide;
    const seen = Math.min(pane.right, picture.right) - Math.max(pane.left, picture.left);
    const mm = roundLength((Math.min(seen, drawn) * WIDEST) / perMm);
    this.#bar.style.width = `${mm * perMm}px`;
    this.#length.textContent = mm >= 1000 ? say("metres", { m: mm / 1000 }) : say("millimetres", { mm: figure(mm, 2) });
    this.#plate.setAttribute("aria-label", say("scale", { length: this.#length.textContent }));
    this.#plate.style.left = `${Math.max(pane.left, picture.left) - frame.left + INSET}px`;
    this.#plate.style.bottom = `${frame.bottom - Math.min(pane.bottom, picture.bottom) + INSET}px`;
  }

  /** How many mm the picture of the view is wide; null for one in perspective. */
  #measureView() {
    if (this.#view === PLAN) return this.#surface?.width_mm ?? null;
    const granule = this.#surface?.granule_mm ?? granuleNow();
    return FLAT.has(this.#view) && granule !== null ? granule * this.#perGranule : null;
  }
}

/** The mean diameter of granules in mm; null while what is typed is none. */
function granuleNow() {
  const { low, high, default: usual } = boundsOf("granule");
  const granule = millimetres(figureOf("granule") || usual);
  return granule >= low && granule <= high ? granule : null;
}

/** The longest of 1, 2 and 5 times a power of ten that is no longer than this. */
function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return [5, 2, 1].map((digit) => digit * power).find((length) => length <= longest * (1 + 1e-9));
}
