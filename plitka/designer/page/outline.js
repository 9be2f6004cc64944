// Points over a photo, moved with a mouse, a finger or the arrow keys: the corners of a rectangle on the
// floor, the floor's outline, and outlines of what stands on it. Places are parts of the photo's width
// and height.

import { make } from "./dom.js";
import { say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const FRAME = 1.6; // width of the picture's frame over its height
const STEP = 0.002; // of an arrow key, in parts of the photo; ten times that with Shift
const MOST = { points: 100, holes: 30 };
const FIRST = [[0.3, 0.62], [0.7, 0.62], [0.92, 0.95], [0.08, 0.95]]; // far left, far right, near right, near left

export class Outline {
  mode = "corners"; // or "outline", "hole"
  #layer = make("div", { class: "photo-layer", hidden: true });
  #lines = document.createElementNS(SVG, "svg");
  #corners = FIRST;
  #outline = [];
  #holes = []; // the last one is the one that points are added to
  #handles = [];
  #changed;
  #tell;

  /** changed() is called when a point has been moved, and not while it moves. tell(text): says something. */
  constructor(overlay, changed, tell) {
    this.#changed = changed;
    this.#tell = tell;
    this.#lines.setAttribute("viewBox", "0 0 1 1");
    this.#lines.setAttribute("preserveAspectRatio", "none");
    this.#lines.setAttribute("aria-hidden", "true");
    this.#layer.append(this.#lines);
    this.#layer.addEventListener("click", (event) => this.#click(event));
    overlay.append(this.#layer);
  }

  /** What is marked, as the server reads it. Outlines of fewer than three points are still being made. */
  get areas() {
    return {
      corners: this.#corners,
      outline: this.#outline.length > 2 ? this.#outline : [],
      holes: this.#holes.filter((hole) => hole.length > 2),
    };
  }

  /** Begin with a photo of this ratio of width to height. */
  begin(ratio) {
    this.#corners = FIRST;
    this.#outline = [];
    this.#holes = [];
    this.mode = "corners";
    // The photo stands in the middle of its frame, as large as it can be.
    this.#layer.style.width = `${100 * Math.min(1, ratio / FRAME)}%`;
    this.#layer.style.height = `${100 * Math.min(1, FRAME / ratio)}%`;
    this.#build();
  }

  show(shown) {
    this.#layer.hidden = !shown;
  }

  /** Say everything again, in another language. */
  retell() {
    this.#layer.classList.toggle("adding", this.mode !== "corners");
    for (const [index, handle] of this.#handles.entries()) handle.setAttribute("aria-label", this.#name(index));
  }

  turn(mode) {
    this.mode = mode;
    if (mode === "hole" && this.#holes.at(-1)?.length !== 0 && this.#holes.length < MOST.holes) this.#holes.push([]);
    this.#build();
  }

  /** Remove the outline, or all holes. */
  clear() {
    if (this.mode === "hole") this.#holes = [[]];
    else this.#outline = [];
    this.#build();
    this.#changed();
  }

  /** Add a point in the middle, from where the arrow keys move it. */
  addPoint(place = [0.5, 0.6]) {
    const points = this.#points;
    if (points.length >= MOST.points) return;
    points.push(place);
    this.#build();
    this.#handles.at(-1).focus();
    if (points.length > 2) this.#changed();
  }

  get #points() {
    if (this.mode === "corners") return this.#corners;
    if (this.mode === "outline") return this.#outline;
    if (this.#holes.length === 0) this.#holes.push([]);
    return this.#holes.at(-1);
  }

  #name(index) {
    const [x, y] = this.#points[index].map((place) => Math.round(100 * place));
    const which = this.mode === "corners" ? say(`own_corner_${index}`) : say("own_point", { number: index + 1 });
    return say("own_at", { which, x, y });
  }

  #build() {
    for (const handle of this.#handles) handle.remove();
    this.#handles = this.#points.map((_, index) => this.#handle(index));
    this.#layer.append(...this.#handles);
    this.retell();
    this.#draw();
  }

  #handle(index) {
    const handle = make("button", { type: "button", class: `photo-handle ${this.mode}` }, make("span", { "aria-hidden": "true" }, this.mode === "corners" ? String(index + 1) : ""));
    handle.addEventListener("pointerdown", (event) => this.#drag(event, handle, index));
    handle.addEventListener("keydown", (event) => this.#key(event, index));
    handle.addEventListener("keyup", (event) => {
      if (event.key.startsWith("Arrow")) this.#settle();
    });
    handle.addEventListener("click", (event) => event.stopPropagation());
    return handle;
  }

  #drag(event, handle, index) {
    if (event.button !== 0) return;
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const box = this.#layer.getBoundingClientRect();
    const from = this.#points[index];
    const grip = [event.clientX, event.clientY];
    const move = (moved) => this.#move(index, [from[0] + (moved.clientX - grip[0]) / box.width, from[1] + (moved.clientY - grip[1]) / box.height]);
    const end = () => {
      handle.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) handle.removeEventListener(name, end);
      if (this.#points[index] !== from) this.#settle();
    };
    handle.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, end);
  }

  #key(event, index) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      event.preventDefault();
      const size = STEP * (event.shiftKey ? 10 : 1);
      const [x, y] = this.#points[index];
      this.#move(index, [x + size * step[0], y + size * step[1]]);
    } else if ((event.key === "Delete" || event.key === "Backspace") && this.mode !== "corners") {
      event.preventDefault();
      this.#points.splice(index, 1);
      this.#build();
      this.#handles.at(Math.min(index, this.#handles.length - 1))?.focus();
      this.#changed();
    }
  }

  /** Move a point. A corner may lie beside the photo, whose floor goes on there. */
  #move(index, [x, y]) {
    const [low, high] = this.mode === "corners" ? [-1, 2] : [0, 1];
    const place = [Math.min(high, Math.max(low, x)), Math.min(high, Math.max(low, y))];
    if (this.mode === "corners") this.#corners = this.#corners.with(index, place);
    else this.#points[index] = place;
    this.#draw();
  }

  #settle() {
    this.retell();
    this.#tell(this.#handles.find((handle) => handle === document.activeElement)?.getAttribute("aria-label") ?? "");
    this.#changed();
  }

  #click(event) {
    if (this.mode === "corners") return;
    const box = this.#layer.getBoundingClientRect();
    this.addPoint([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  }

  /** Draw the lines and place the handles; done at each movement, so nothing else is. */
  #draw() {
    const shapes = [["corners", this.#corners], ["outline", this.#outline], ...this.#holes.map((hole) => ["hole", hole])];
    this.#lines.replaceChildren(...shapes.filter(([, points]) => points.length > 1).map(([kind, points]) => {
      const polygon = document.createElementNS(SVG, "polygon");
      polygon.setAttribute("points", points.map((point) => point.join(",")).join(" "));
      polygon.setAttribute("class", kind === this.mode ? `${kind} chosen` : kind);
      return polygon;
    }));
    for (const [index, [x, y]] of this.#points.entries()) {
      this.#handles[index].style.left = `${100 * x}%`;
      this.#handles[index].style.top = `${100 * y}%`;
    }
  }
}
