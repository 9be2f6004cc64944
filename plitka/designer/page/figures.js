// The floor's figures as they were typed: area, thickness, densities, loss, bags, binder. Remembered in
// this browser, but for the area, which is another one for each customer.

import { kept, remember } from "./words.js";

const KEPT = "plitka.order";
const PLURALS = { density: "densities", granule: "granules" };

let bounds = {}; // name -> {low, high, default, unit}
let figures = {}; // name -> text; densities, granules: colour -> text
const listeners = [];

/** Learn the bounds and the defaults of all figures, and recall what was typed before. */
export function learnFigures(told) {
  bounds = told;
  try {
    const before = JSON.parse(kept(KEPT) ?? "{}");
    for (const [name, value] of Object.entries(before))
      if (name in bounds ? typeof value === "string" : Object.values(PLURALS).includes(name) && typeof value === "object") figures[name] = value;
  } catch {
    figures = {}; // what is kept is not this page's
  }
}

export const boundsOf = (name) => bounds[name];

/** Get a figure as it was typed, "" where its default holds. color: whose, if of one colour. */
export const figureOf = (name, color) => (color ? figures[PLURALS[name]]?.[color] : figures[name]) ?? "";

/** Get all figures as the server takes them. */
export const askedFigures = () => figures;

/** Set a figure, or with "" have its default. color: whose, if of one colour. */
export function setFigure(name, text, color) {
  if (color) figures = { ...figures, [PLURALS[name]]: without({ ...figures[PLURALS[name]], [color]: text.trim() }) };
  else figures = without({ ...figures, [name]: text.trim() });
  const { area, ...lasting } = figures;
  remember(JSON.stringify(lasting), KEPT);
  for (const listener of listeners) listener();
}

/** listener() is called when a figure has changed. */
export const onFigures = (listener) => listeners.push(listener);

const without = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
