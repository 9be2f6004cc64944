// The tabs of a phone's sheet: one part of the panel at a time, below the picture.

import { at } from "./dom.js";

/** Whether the page has a sheet: on a phone, and on a tablet that is held upright. */
export const narrow = matchMedia("(max-width: 600px), (max-width: 900px) and (orientation: portrait)");

/** Make the tabs work. */
export function attachSheet() {
  for (const tab of tabs()) tab.addEventListener("click", () => turn(tab.dataset.tab));
  at("sheet-tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = tabs().at((tabs().indexOf(event.target) + step) % tabs().length);
    turn(next.dataset.tab);
    next.focus();
  });
  narrow.addEventListener("change", fill);
  fill();
  turn("mix");
}

/** Show the part of the panel that an element is in; on a wide screen, scroll to it. */
export function reveal(element) {
  if (narrow.matches) turn(element.closest(".group").dataset.tab);
  else element.scrollIntoView({ block: "nearest" });
}

const tabs = () => [...at("sheet-tabs").children];
const groups = () => [...document.querySelectorAll(".group")];

function turn(name) {
  for (const tab of tabs()) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === name));
    tab.tabIndex = tab.dataset.tab === name ? 0 : -1;
  }
  for (const group of groups()) group.classList.toggle("turned", group.dataset.tab === name);
  at("panel").scrollTop = 0;
}

/** Parts are the panels of tabs where there are tabs. */
function fill() {
  for (const group of groups()) {
    group.toggleAttribute("role", narrow.matches);
    if (narrow.matches) group.setAttribute("role", "tabpanel");
    if (narrow.matches) group.setAttribute("aria-labelledby", `tab-of-${group.dataset.tab}`);
    else group.removeAttribute("aria-labelledby");
  }
}
