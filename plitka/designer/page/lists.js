// Lists of colours beside the palette: RAL Classic, and a company's own, which the browser remembers.
//
// Their colours are {name, hex, code, nearest, distance}; nearest: phrase of the palette's nearest colour,
// distance: CIEDE2000. In the mix they are free colours, which go by their hex.

import * as server from "./server.js";
import { colorName, figure, kept, remember, say } from "./words.js";

const KEPT = "plitka.colors";

let ral = []; // once it was asked for
let own = read();
const known = new Map(); // hex -> what the server said of it

/** List the colours of "ral" or "own". */
export const listed = (name) => (name === "own" ? own : ral);

/** Ask for RAL Classic, once. */
export async function loadRal() {
  if (ral.length === 0) ral = await server.ral();
}

/** Read a company's list from a file; it is kept if a line of it is right. Returns what is wrong: [{line, code, text}]. */
export async function readOwn(file) {
  const { colors, faults } = await server.colors(file);
  if (colors.length > 0) keepOwn(colors);
  return faults;
}

export const dropOwn = () => keepOwn([]);

function keepOwn(colors) {
  own = colors;
  remember(JSON.stringify(colors), KEPT);
}

/** What is known of a free colour: its entry in the company's list, else what the server says; undefined until it does. */
export const knownOf = (hex) => own.find((color) => color.hex === hex) ?? known.get(hex);

/** Ask what is known of a free colour, once; true if it was not known before. */
export async function learnOf(hex) {
  if (known.has(hex)) return false;
  known.set(hex, undefined);
  known.set(hex, await server.color(hex));
  return true;
}

/** Write what is known of a colour of a list: its code, and the palette's nearest with its distance. */
export const describe = ({ code, nearest, distance }) =>
  [code, say("nearest", { color: colorName(nearest), distance: figure(distance) })].filter(Boolean).join(", ");

function read() {
  let found;
  try {
    found = JSON.parse(kept(KEPT) ?? "[]");
  } catch {
    return [];
  }
  const right = (one) => ["name", "hex", "code", "nearest"].every((key) => typeof one?.[key] === "string")
    && /^#[0-9a-f]{6}$/.test(one.hex) && typeof one.distance === "number";
  return Array.isArray(found) ? found.filter(right) : [];
}
