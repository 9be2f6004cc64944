// The stage: which picture is shown, of what it is, its zoom, caption and description.

import { at, make, radios } from "./dom.js";
import { icon } from "./icons.js";
import { narrow } from "./sheet.js";
import { link } from "./tile.js";
import { say } from "./words.js";

export class Stage {
  view = "drawing";
  overlay = at("overlay"); // as large as the picture, and above it
  #views = new Map(); // name -> as designer.js describes it
  #pictures = {}; // name -> {blob, kind, tile, of}; of: the link to its tile
  #choose;
  #zoomed = false;
  #tile = null;
  #pending = false;

  /** choose(name) is called when the user chooses another view. */
  constructor(choose) {
    this.#choose = choose;
    at("zoom").addEventListener("click", () => this.zoom(!this.#zoomed));
    at("picture").addEventListener("dblclick", (event) => this.zoom(!this.#zoomed, event));
    at("more-views").addEventListener("change", () => this.#choose(at("more-views").value));
    draggable(at("window"));
    addEventListener("resize", () => this.#sized());
    narrow.addEventListener("change", () => this.#offer());
  }

  add(view) {
    this.#views.set(view.name, view);
    if (!view.tools) return;
    view.tools.hidden = true;
    at("view-tools").append(view.tools);
  }

  get chosen() {
    return this.#views.get(this.view);
  }

  has = (view) => view in this.#pictures;
  blob = (view) => this.#pictures[view]?.blob;
  kind = (view) => this.#pictures[view]?.kind;

  /** Whether the view holds a picture of this kind, of the tile with this link. */
  shows = (view, kind, of) => this.#pictures[view]?.kind === kind && this.#pictures[view].of === of;

  /** Whether the chosen view holds the picture of the tile with this link. */
  isCurrent = (of) => this.#pictures[this.view]?.of === of;

  put(view, blob, kind, tile) {
    this.#pictures[view] = { blob, kind, tile, of: link(tile) };
    if (this.view === view) this.#paint();
  }

  /** Remove a view's picture; the drawing is shown in its place. */
  drop(view) {
    if (!this.has(view)) return;
    delete this.#pictures[view];
    if (this.view === view) this.turn("drawing");
  }

  /** Mark a view's picture as out of date. */
  age(view) {
    if (this.has(view)) this.#pictures[view].of = null;
  }

  turn(view) {
    this.view = view;
    for (const { name, tools } of this.#views.values()) if (tools) tools.hidden = name !== view;
    this.#paint();
  }

  /** Write everything beside the picture. of: the link to the tile. pending: whether a picture is on its way. */
  fill(tile, of, pending) {
    this.#tile = tile;
    this.#pending = pending;
    this.#offer();
    this.#mark(of);
    this.#write();
  }

  /** Offer the views: the first ones side by side, the others in a list; on a phone, all in the list. */
  #offer() {
    const shown = [...this.#views.values()].filter((view) => view.draw || this.has(view.name) || view.name === "drawing");
    const first = shown.filter((view) => !view.more);
    const listed = narrow.matches ? shown : shown.filter((view) => view.more);
    radios(at("views"), "view", first.map((view) => [view.name, say(`view_${view.name}`)]), this.view, this.#choose);
    const list = at("more-views");
    list.hidden = listed.length === 0;
    const names = listed.map(({ name }) => name);
    if ([...list.options].slice(1).map(({ value }) => value).join() !== names.join())
      list.replaceChildren(make("option", { value: "", disabled: true, hidden: true }), ...names.map((value) => make("option", { value })));
    for (const option of list.options) option.textContent = say(option.value ? `view_${option.value}` : "more_views");
    list.setAttribute("aria-label", say(narrow.matches ? "views" : "more_views"));
    list.value = names.includes(this.view) ? this.view : "";
    list.classList.toggle("chosen", list.value !== "");
  }

  /** Say whether the picture is the tile's: current, pending (on its way) or stale (out of date). */
  #mark(of) {
    const current = this.isCurrent(of);
    const state = current && !this.#pending ? "current" : this.#pending ? "pending" : this.has(this.view) ? "stale" : "empty";
    at("frame").dataset.state = state;
    at("frame").setAttribute("aria-busy", String(state === "pending"));
    at("busy").hidden = state !== "pending";
    at("busy-text").textContent = state === "pending" ? say(`busy_${this.view}`) : "";
    at("stale").hidden = state !== "stale";
  }

  #write() {
    at("zoom").replaceChildren(icon("zoom"), make("span", {}, say(this.#zoomed ? "zoom_out" : "zoom_in")));
    at("zoom").setAttribute("aria-label", say("zoom_label"));
    at("zoom").setAttribute("aria-pressed", this.#zoomed);
    const picture = this.#pictures[this.view];
    at("caption").textContent = picture ? this.chosen.caption(picture.kind, picture.tile) : "";
    at("picture").setAttribute("aria-label", picture ? this.chosen.alt(picture.tile) : "");
    const pane = at("window");
    if (this.#zoomed) {
      pane.tabIndex = 0;
      pane.setAttribute("role", "region");
      pane.setAttribute("aria-label", say("zoomed"));
    } else for (const name of ["tabindex", "role", "aria-label"]) pane.removeAttribute(name);
  }

  /** Zoom to one pixel of the picture for each of the screen, around the place of a click if given. */
  zoom(zoomed, event) {
    const box = at("picture").getBoundingClientRect();
    const place = event ? [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height] : [0.5, 0.5];
    this.#zoomed = zoomed;
    at("frame").classList.toggle("zoomed", zoomed);
    this.#sized();
    this.#write();
    if (!zoomed) return;
    const pane = at("window");
    pane.scrollLeft = place[0] * pane.scrollWidth - pane.clientWidth / 2;
    pane.scrollTop = place[1] * pane.scrollHeight - pane.clientHeight / 2;
  }

  /**
   * Paint the picture on a canvas. In an <img> with a new address for each picture, Chromium would keep
   * the pixels of all of them, a megabyte for each change of the mix.
   */
  async #paint() {
    const { view } = this;
    const picture = this.#pictures[view];
    const canvas = at("picture");
    at("frame").classList.toggle("wide", Boolean(this.chosen?.wide));
    canvas.hidden = !picture;
    if (!picture) return;
    const bitmap = await createImageBitmap(picture.blob);
    if (this.view === view && this.#pictures[view] === picture) {
      // Drafts follow a hand that drags: they are shown at once.
      if (picture.kind !== "draft" || canvas.dataset.view !== view) this.#fade(canvas);
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      this.#sized();
      Object.assign(canvas.dataset, { kind: picture.kind, of: picture.of, view });
    }
    bitmap.close();
  }

  /** Leave the picture that is replaced above the next one; the style sheet lets it fade. */
  #fade(canvas) {
    const before = at("before");
    if (canvas.width < 2 || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    before.width = canvas.width;
    before.height = canvas.height;
    before.getContext("2d").drawImage(canvas, 0, 0);
    for (const animation of before.getAnimations()) animation.cancel();
    before.animate([{ opacity: 1 }, { opacity: 0 }], { duration: FADE, easing: "ease-out" });
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

const FADE = 180; // ms

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
