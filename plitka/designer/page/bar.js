// The bar of the mix, whose boundaries between two colours can be moved: by mouse, finger or keys.

import { at, make } from "./dom.js";
import * as mix from "./mix.js";
import { colorName, percent, say } from "./words.js";

const REACH = 18; // pixels from a boundary within which it is taken
const SLOP = 4; // pixels sideways from which a press is a drag
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };

export function attachBar(mixer, designer) {
  const bar = at("bar");
  let from = null; // {x, index, colors, dragged} of the drag under way

  const move = (index, colors, share, settled) => {
    designer.change({ colors: mix.shifted(colors, index, share), whole: 100 }, settled);
  };

  const boundary = (index) =>
    make("span", {
      class: "boundary", role: "slider", tabindex: 0, "aria-valuemin": 0,
      onkeydown: (event) => {
        if (!(event.key in KEYS)) return;
        event.preventDefault();
        move(index, mixer.mixed(), KEYS[event.key], true);
      },
    });

  const nearest = (x) => {
    const box = bar.getBoundingClientRect();
    const far = boundaries().map((one, index) => [Math.abs(box.left + (one.offsetLeft / bar.clientWidth) * box.width - x), index]);
    const [distance, index] = far.sort((a, b) => a[0] - b[0])[0] ?? [Infinity, -1];
    return distance <= REACH ? index : -1;
  };
  const boundaries = () => [...bar.querySelectorAll(".boundary")];

  bar.addEventListener("pointerdown", (event) => {
    const index = nearest(event.clientX);
    if (index < 0 || !event.isPrimary || event.button !== 0) return;
    from = { x: event.clientX, index, colors: mixer.mixed(), dragged: false };
    bar.setPointerCapture(event.pointerId);
    boundaries()[index].focus({ preventScroll: true });
    event.preventDefault();
  });
  bar.addEventListener("pointermove", (event) => {
    if (from === null) return;
    if (!from.dragged && Math.abs(event.clientX - from.x) < SLOP) return;
    from.dragged = true;
    move(from.index, from.colors, Math.round(((event.clientX - from.x) / bar.clientWidth) * 100), false);
  });
  const end = (event) => {
    if (from === null) return;
    const { dragged, colors, index } = from;
    from = null;
    if (!dragged) return;
    if (event.type === "pointercancel") move(index, colors, 0, true);
    else designer.change({}, true);
  };
  bar.addEventListener("pointerup", end);
  bar.addEventListener("pointercancel", end);

  designer.subscribe(({ tile }) => {
    const { colors, whole } = tile;
    while (bar.children.length > 2 * colors.length - 1) bar.lastChild.remove();
    while (bar.children.length < 2 * colors.length - 1)
      bar.append(bar.children.length % 2 ? boundary((bar.children.length - 1) / 2) : make("span", { class: "part" }));
    for (const [index, color] of colors.entries()) {
      const part = bar.children[2 * index];
      part.style.background = color.hex;
      part.style.flexGrow = color.share / whole;
      part.title = `${colorName(color.name)}, ${percent(color.share / whole)}`;
      const edge = bar.children[2 * index + 1];
      const next = colors[index + 1];
      if (!edge) continue;
      const both = (color.share + next.share) / whole;
      const shares = { color: colorName(color.name), other: colorName(next.name) };
      edge.setAttribute("aria-label", say("boundary", shares));
      edge.setAttribute("aria-valuemax", Math.round(both * 100));
      edge.setAttribute("aria-valuenow", Math.round((color.share / whole) * 100));
      edge.setAttribute("aria-valuetext", say("boundary_at", { ...shares, share: percent(color.share / whole), rest: percent(next.share / whole) }));
      edge.setAttribute("aria-disabled", String(Boolean(color.locked || next.locked)));
    }
  });
}
