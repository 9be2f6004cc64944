// Handles on the plan: a point of each zone that can be dragged, or moved with the arrow keys.

import { at, make } from "./dom.js";
import { say } from "./words.js";
import * as zones from "./zones.js";

const STEP = 10; // mm that a zone is moved by a key, and on which a dragged one comes to lie
const STRIDE = 100; // with Shift
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Lay handles over the plan. nameOf(zone, index): what a zone is called. */
export function attachHandles(designer, nameOf) {
  const layer = make("div", { class: "handles", hidden: true });
  designer.stage.overlay.append(layer);
  let shown = "";
  designer.subscribe(({ tile, view }) => {
    const { surface } = tile;
    layer.hidden = view !== "plan" || !surface;
    const next = layer.hidden ? "" : `${document.documentElement.lang} ${JSON.stringify(surface)}`;
    if (next === shown) return;
    shown = next;
    const focused = layer.contains(document.activeElement) ? document.activeElement.dataset.point : null;
    layer.replaceChildren(...(layer.hidden ? [] : handlesOf(designer, surface, layer, nameOf)));
    if (focused) layer.querySelector(`[data-point="${focused}"]`)?.focus();
    setAside(layer);
  });
  at("zones").addEventListener("toggle", () => setAside(layer), true); // it does not bubble
}

/** While the fields of a zone are shown, the handles of the others stand back. */
function setAside(layer) {
  const open = [...at("zones").children].findIndex((item) => item.querySelector("details").open);
  for (const button of layer.children)
    button.classList.toggle("aside", open >= 0 && !button.dataset.point.startsWith(`${open}-`));
}

function handlesOf(designer, surface, layer, nameOf) {
  return zones.zonesOf(surface).flatMap((zone, index) =>
    zones.pointsOf(zone, surface).map((point, place) => {
      const move = (x, y) => designer.change({ surface: zones.changed(surface, index, point.put(x, y)) });
      return handle(surface, layer, point, `${index}-${place}`, nameOf(zone, index), move);
    }));
}

function handle(surface, layer, point, id, name, move) {
  const longest = Math.max(surface.width_mm, surface.length_mm);
  const margin = { x: (longest - surface.width_mm) / 2, y: (longest - surface.length_mm) / 2 }; // the picture lies in the middle
  const button = make("button", { type: "button", class: "handle", "data-point": id, "aria-label": say("handle", { zone: name }), title: say("handle", { zone: name }) });
  let at = { ...point };
  let from = null;
  const put = () => {
    button.style.left = `${((at.x + margin.x) / longest) * 100}%`;
    button.style.top = `${((at.y + margin.y) / longest) * 100}%`;
  };
  put();
  button.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    const far = event.shiftKey ? STRIDE : STEP;
    move(at.x + step[0] * far, at.y + step[1] * far);
  });
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    button.focus();
    button.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY, at };
  });
  button.addEventListener("pointermove", (event) => {
    if (!from) return;
    const scale = longest / layer.clientWidth;
    at = { x: snapped(from.at.x + (event.clientX - from.x) * scale), y: snapped(from.at.y + (event.clientY - from.y) * scale) };
    put();
  });
  button.addEventListener("pointerup", () => {
    const moved = from && (from.at.x !== at.x || from.at.y !== at.y);
    from = null;
    if (moved) move(at.x, at.y);
  });
  button.addEventListener("pointercancel", () => {
    if (!from) return;
    at = from.at;
    from = null;
    put();
  });
  return button;
}

const snapped = (length) => Math.round(length / STEP) * STEP;
