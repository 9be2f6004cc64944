// Tiles: as the page keeps them, as requests, and as links. Pure.
//
// {colors, whole, angle, quality, seed, overrides, surface}; surface: as in a request, or null. Shares add
// up to `whole`: 100, or 1 for a recipe whose fractions cannot be written in percent without changing
// their last digit.

import { Fault } from "./server.js";

/** Convert a recipe as the server writes it. hexes(name): returns the hex of a colour. */
export function fromRecipe(recipe, hexes) {
  const total = recipe.colors.reduce((sum, color) => sum + color.proportion, 0);
  return {
    colors: recipe.colors.map((color) => ({
      name: color.hex ?? color.name,
      hex: color.hex ?? hexes(color.name),
      free: color.hex !== undefined,
      share: color.proportion,
      locked: false,
    })),
    whole: total > 2 ? 100 : 1,
    angle: recipe.angle,
    quality: recipe.quality,
    seed: recipe.seed,
    overrides: recipe.overrides ?? {},
    surface: recipe.surface ?? null,
  };
}

/** Write the request for a tile, without colours that have no share. */
export function request(tile) {
  const colors = tile.colors
    .filter((color) => color.share > 0)
    .map((color) => ({ [color.free ? "hex" : "name"]: color.name, proportion: color.share }));
  const asked = { colors, angle: tile.angle, quality: tile.quality, seed: tile.seed };
  if (Object.keys(tile.overrides).length > 0) asked.overrides = tile.overrides;
  if (tile.surface) asked.surface = tile.surface;
  return asked;
}

/** The tile alone, without the surface that it is laid on. */
export const alone = (tile) => ({ ...tile, surface: null });

/** The identity of a tile: its request as text. */
export const key = (tile) => JSON.stringify(request(tile));

/** Write the part of the address after the #: dark_green:50,~1e90ff:50&angle=45&seed=7 */
export function link(tile) {
  const asked = request(tile);
  const colors = asked.colors.map((color) => {
    const name = color.hex ? `~${color.hex.slice(1)}` : encodeURIComponent(color.name).replaceAll("%20", "+");
    return `${name}:${color.proportion}`;
  });
  const parts = [`c=${colors.join(",")}`, `angle=${asked.angle}`, `seed=${asked.seed}`];
  if (asked.quality !== "standard") parts.push(`quality=${asked.quality}`);
  if (asked.overrides) parts.push(`overrides=${encodeURIComponent(JSON.stringify(asked.overrides))}`);
  if (asked.surface) parts.push(`surface=${encodeURIComponent(JSON.stringify(asked.surface))}`);
  return `#${parts.join("&")}`;
}

/**
 * Read the request in a link as text, for the server to check; null if there is none. A link may also
 * have the request itself: `#params_json=…`.
 */
export function fromLink(hash) {
  const text = hash.replace(/^[#?]/, "");
  if (!/^(c|params_json|angle|seed|quality|overrides|surface)=/.test(text)) return null;
  const fields = new URLSearchParams(text);
  if (fields.has("params_json")) return fields.get("params_json");
  const asked = {};
  for (const [name, value] of fields) {
    if (name === "c") asked.colors = value.split(",").map(colorInLink);
    else if (name === "angle" || name === "seed") asked[name] = numberOr(value);
    else if (name === "overrides" || name === "surface") asked[name] = decoded(value);
    else asked[name] = value;
  }
  return JSON.stringify(asked);
}

function colorInLink(text) {
  const colon = text.lastIndexOf(":");
  const [name, share] = colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
  const key = name.startsWith("~") ? "hex" : "name";
  return { [key]: key === "hex" ? `#${name.slice(1)}` : name, proportion: numberOr(share) };
}

const numberOr = (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

function decoded(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault("link_broken");
  }
}
