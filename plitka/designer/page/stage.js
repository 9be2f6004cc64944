// The stage: which picture is shown, its zoom, caption and description.

import { at, radios } from "./dom.js";
import { icon } from "./icons.js";
import { say } from "./words.js";

const VIEWS = ["drawing", "photograph", "room", "colormap"];

export class Stage {
  view = "drawing";
  #pictures = {}; // view -> {blob, kind, of, caption}
  #chosen;
  #alt = () => "";
  #zoomed = false;

  /** chosen(view) is called when the user chooses another view. */
  constructor(chosen) {
    this.#chosen = chosen;
    at("zoom").addEventListener("click", () => this.zoom(!this.#zoomed));
    at("picture").addEventListener("dblclick", (event) => this.zoom(!this.#zoomed, event));
    draggable(at("window"));
    addEventListener("resize", () => this.#sized());
  }

  has = (view) => view in this.#pictures;

  /** Whether the view holds a picture of this kind, of the tile with this link. */
  shows = (view, kind, of) => this.#pictures[view]?.kind === kind && this.#pictures[view].of === of;

  /**
   * Put a picture on the stage. of: the link to its tile. caption: a function, since the language may
   * change.
   */
  put(view, blob, kind, of, caption) {
    const first = !this.has(view);
    this.#pictures[view] = { blob, kind, of, caption };
    if (this.view === view) this.#show();
    if (first) this.fill();
  }

  /** Remove a view's picture, which shows another tile than the present one. */
  drop(view) {
    if (!this.has(view)) return;
    delete this.#pictures[view];
    if (view === "photograph") this.turn("drawing");
    this.fill();
  }

  blob = (view) => this.#pictures[view]?.blob;
  kind = (view) => this.#pictures[view]?.kind;

  turn(view) {
    this.view = view;
    this.fill();
    this.#show();
  }

  /** Set the description of pictures. alt(view): returns it. */
  describe(alt) {
    this.#alt = alt;
    this.fill();
  }

  /** Show what is being made for the view; "" for nothing. */
  busy(words) {
    at("busy").hidden = !words;
    at("busy-text").textContent = words;
    at("frame").toggleAttribute("aria-busy", Boolean(words));
  }

  fill() {
    const shown = VIEWS.filter((view) => view !== "photograph" || this.has(view));
    radios(at("views"), "view", shown.map((view) => [view, say(`view_${view}`)]), this.view, (view) => this.#chosen(view));
    at("zoom").replaceChildren(icon("zoom"), say(this.#zoomed ? "zoom_out" : "zoom_in"));
    at("zoom").setAttribute("aria-label", say("zoom_label"));
    at("zoom").setAttribute("aria-pressed", this.#zoomed);
    const picture = this.#pictures[this.view];
    at("caption").textContent = picture ? picture.caption() : "";
    at("picture").setAttribute("aria-label", picture ? this.#alt(this.view) : "");
    const zoomed = at("window");
    if (this.#zoomed) {
      zoomed.tabIndex = 0;
      zoomed.setAttribute("role", "region");
      zoomed.setAttribute("aria-label", say("zoomed"));
    } else for (const name of ["tabindex", "role", "aria-label"]) zoomed.removeAttribute(name);
  }

  /** Zoom to one pixel of the picture for each of the screen, around the place of a click if given. */
  zoom(zoomed, event) {
    const box = at("picture").getBoundingClientRect();
    const place = event ? [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height] : [0.5, 0.5];
    this.#zoomed = zoomed;
    at("frame").classList.toggle("zoomed", zoomed);
    this.#sized();
    this.fill();
    if (!zoomed) return;
    const pane = at("window");
    pane.scrollLeft = place[0] * pane.scrollWidth - pane.clientWidth / 2;
    pane.scrollTop = place[1] * pane.scrollHeight - pane.clientHeight / 2;
  }

  /**
   * Paint the picture on a canvas. In an <img> with a new address for each picture, Chromium would keep
   * the pixels of all of them, a megabyte for each change of the mix.
   */
  async #show() {
    const { view } = this;
    const picture = this.#pictures[view];
    const canvas = at("picture");
    at("frame").classList.toggle("wide", view === "room");
    canvas.hidden = !picture;
    if (!picture) return;
    this.fill();
    const bitmap = await createImageBitmap(picture.blob);
    if (this.view === view && this.#pictures[view] === picture) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      this.#sized();
      Object.assign(canvas.dataset, { kind: picture.kind, of: picture.of, view });
    }
    bitmap.close();
  }

  #sized() {
    const canvas = at("picture");
    // A preview of 512 pixels is shown as large as the final picture.
    const wide = canvas.width === 512 ? 1024 : canvas.width;
    const width = this.#zoomed && wide ? `${wide / devicePixelRatio}px` : "";
    canvas.style.width = width;
    canvas.style.height = width && "auto";
  }
}

/** Let a mouse drag a scrolling pane; touch can do it anyway. */
function draggable(pane) {
  let from = null;
  pane.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0 || pane.scrollWidth <= pane.clientWidth) return;
    from = { x: event.clientX + pane.scrollLeft, y: event.clientY + pane.scrollTop };
    pane.setPointerCapture(event.pointerId);
  });
  pane.addEventListener("pointermove", (event) => {
    if (!from) return;
    pane.scrollLeft = from.x - event.clientX;
    pane.scrollTop = from.y - event.clientY;
  });
  for (const end of ["pointerup", "pointercancel"]) pane.addEventListener(end, () => (from = null));
}
