// A surface's zones as a request has them: what fields each shape has, new ones, and changes. Pure.

export const LAYINGS = ["square", "brick", "herringbone", "poured"];
const TILES = { square: [500, 500], brick: [600, 300], herringbone: [600, 300] };

// What a field takes, as plitka/request/surface_parsing.py has it. parts: a point's x and y.
const LENGTH = { low: 1, high: 100000 };
const POINT = { low: -100000, high: 100000, parts: ["x", "y"] };
const TURN = { low: 0, high: 360, unit: "°" };
export const SIDES = { width_mm: { low: 100, high: 100000 }, length_mm: { low: 100, high: 100000 }, granule_mm: { low: 1, high: 4 } };
export const TILE = { low: 50, high: 5000 };
export const LINE = { low: 1, high: 100 };
export const FIELDS = {
  border: { width_mm: LENGTH, inset_mm: { ...LENGTH, low: 0 } },
  stripe: { from_mm: POINT, to_mm: POINT, width_mm: LENGTH },
  circle: { center_mm: POINT, radius_mm: LENGTH },
  polygon: { points_mm: { points: true } },
  hopscotch: { at_mm: POINT, length_mm: LENGTH, turn: TURN },
  text: { text: { words: 60 }, at_mm: POINT, height_mm: { low: 10, high: 100000 }, turn: TURN },
  svg: { svg: { file: true }, at_mm: POINT, width_mm: LENGTH, turn: TURN },
};
export const SHAPES = Object.keys(FIELDS);

/** The surface that a mix is laid on until another one is chosen. */
export const fresh = () => ({ width_mm: 3000, length_mm: 2000, granule_mm: 2.5, laying: "square", tile_mm: [...TILES.square] });

/** Lay a surface in another way; a tile that this way does not take gives way to its own. */
export function laid(surface, laying) {
  const { tile_mm: tile, ...rest } = surface;
  if (laying === "poured") return { ...rest, laying };
  const fits = tile && (laying === "square" || (tile[1] < tile[0] && tile[0] <= 8 * tile[1]));
  return { ...rest, laying, tile_mm: fits ? tile : [...TILES[laying]] };
}

const STAR = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><path d="M50 2 61 37 98 38 68 60 79 96 50 75 21 96 32 60 2 38 39 37z"/></svg>';

const PLACES = [0.5, 0.75, 0.25, 0.6, 0.4]; // of new zones, from left to right, so that none hides another's handle

/** Make a zone of a shape, as large as suits the surface. */
export function made(shape, surface, colors, text) {
  const { width_mm: width, length_mm: length } = surface;
  const part = (share) => Math.max(Math.round((Math.min(width, length) * share) / 10) * 10, 10);
  const placed = zonesOf(surface).filter((zone) => zone.shape !== "border").length;
  const middle = [Math.round(width * PLACES[placed % PLACES.length]), Math.round(length / 2)];
  const x = (share) => Math.round(width * share);
  const y = (share) => Math.round(length * share);
  const parts = {
    border: () => ({ width_mm: part(0.1), inset_mm: 0 }),
    stripe: () => ({ from_mm: [0, middle[1]], to_mm: [width, middle[1]], width_mm: part(0.1) }),
    circle: () => ({ center_mm: middle, radius_mm: part(0.2) }),
    polygon: () => ({ points_mm: [[x(0.3), y(0.3)], [x(0.7), y(0.3)], [x(0.7), y(0.7)], [x(0.3), y(0.7)]] }),
    hopscotch: () => ({ at_mm: middle, length_mm: part(0.8), turn: 0 }),
    text: () => ({ text, at_mm: middle, height_mm: part(0.12), turn: 0 }),
    svg: () => ({ svg: STAR, at_mm: middle, width_mm: part(0.4), turn: 0 }),
  };
  return { shape, ...parts[shape](), colors };
}

export const zonesOf = (surface) => surface.zones ?? [];

/** Put other zones on a surface. */
export function zoned(surface, zones) {
  const { zones: _, ...rest } = surface;
  return zones.length > 0 ? { ...rest, zones } : rest;
}

export const changed = (surface, index, parts) =>
  zoned(surface, zonesOf(surface).map((zone, other) => (other === index ? { ...zone, ...parts } : zone)));

export const without = (surface, index) => zoned(surface, zonesOf(surface).filter((_, other) => other !== index));

/** Move a zone by a step: later ones lie over earlier ones. */
export function reordered(surface, index, step) {
  const zones = [...zonesOf(surface)];
  const [zone] = zones.splice(index, 1);
  zones.splice(Math.min(Math.max(index + step, 0), zones.length), 0, zone);
  return zoned(surface, zones);
}

/** Read "0 0; 500 0; 0 500" as points; null for anything else. */
export function pointsIn(text) {
  const points = text.split(/[;\n]+/).map((point) => point.trim()).filter(Boolean)
    .map((point) => point.split(/[\s,]+/).map(Number));
  return points.length >= 3 && points.length <= 200 && points.every((point) => point.length === 2 && point.every(Number.isFinite)) ? points : null;
}

export const writePoints = (points) => points.map((point) => point.join(" ")).join("; ");

/** List the points of a zone that can be moved: [{x, y, put(x, y)}]; put() returns the zone's changed parts. */
export function pointsOf(zone, surface) {
  const middle = [surface.width_mm / 2, surface.length_mm / 2];
  const point = (name) => {
    const [x, y] = zone[name] ?? middle;
    return { x, y, put: (...moved) => ({ [name]: moved }) };
  };
  if (zone.shape === "stripe") return [point("from_mm"), point("to_mm")];
  if (zone.shape === "polygon")
    return zone.points_mm.map(([x, y], index) => ({ x, y, put: (...moved) => ({ points_mm: zone.points_mm.map((own, other) => (other === index ? moved : own)) }) }));
  return zone.shape === "border" ? [] : [point(zone.shape === "circle" ? "center_mm" : "at_mm")];
}
