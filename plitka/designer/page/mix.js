// Shares of colours that always add up to 100. Pure: a list of colours goes in, another comes out.
//
// A colour is {name, hex, free, share, locked}. Whoever changes shares thinks in tenths of a percent,
// so that sums are exact; a recipe from elsewhere keeps its own digits until then.

const WHOLE = 1000;

const tenths = (colour, whole) => (colour.share / whole) * WHOLE;
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Parts in proportion to the weights, multiples of `step` that add up to `total`, itself one. */
export function apportioned(total, weights, step = 1) {
  const whole = sum(weights);
  const even = whole > 0 ? weights : weights.map(() => 1);
  const scale = total / step / (whole > 0 ? whole : weights.length);
  const exact = even.map((weight) => weight * scale);
  const parts = exact.map((part) => Math.floor(part + 1e-9));
  const byRest = exact.map((part, index) => [part - parts[index], index]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  let left = Math.round(total / step - sum(parts));
  for (const [, index] of byRest) {
    if (left <= 0) break;
    parts[index] += 1;
    left -= 1;
  }
  return parts.map((part) => part * step);
}

/** The colours with these shares, in tenths of a percent. */
function shared(colours, parts) {
  return colours.map((colour, index) => ({ ...colour, share: Number((parts[index] / 10).toFixed(1)) }));
}

/** The same mixture in tenths of a percent. whole: what the shares add up to now, 100 or 1. */
export function rounded(colours, whole) {
  return shared(colours, apportioned(WHOLE, colours.map((colour) => tenths(colour, whole))));
}

/**
 * The colour at `index` with another share, in percent; those without a lock make room in
 * proportion to what they had. Nothing changes where all others are locked.
 */
export function moved(colours, index, share) {
  const parts = colours.map((colour) => Math.round(colour.share * 10));
  const free = colours.flatMap((colour, other) => (other === index || colour.locked ? [] : [other]));
  if (free.length === 0 || colours[index].locked) return colours;
  const held = sum(parts.filter((_, other) => other !== index && colours[other].locked));
  const wanted = Math.min(Math.max(Math.round(share * 10), 0), WHOLE - held);
  const rest = WHOLE - held - wanted;
  const step = [...parts, wanted, rest].every((part) => part % 10 === 0) ? 10 : 1;
  const given = apportioned(rest, free.map((other) => parts[other]), step);
  const next = [...parts];
  next[index] = wanted;
  free.forEach((other, place) => (next[other] = given[place]));
  return shared(colours, next);
}

/** With one more colour, whose share those without a lock give up; none where all are locked. */
export function added(colours, colour) {
  if (colours.length === 0) return [{ ...colour, share: 100, locked: false }];
  const open = sum(colours.filter((other) => !other.locked).map((other) => other.share));
  const count = colours.filter((other) => !other.locked).length + 1;
  const wider = [...colours, { ...colour, share: 0, locked: false }];
  return moved(wider, colours.length, Math.floor(open / count));
}

/** Without the colour at `index`; the others take its share, those without a lock where there are any. */
export function removed(colours, index) {
  const rest = colours.filter((_, other) => other !== index);
  if (rest.length === 0) return rest;
  const open = rest.some((colour) => !colour.locked) ? rest.filter((colour) => !colour.locked) : rest;
  const total = WHOLE - sum(rest.filter((colour) => !open.includes(colour)).map((colour) => Math.round(colour.share * 10)));
  const step = rest.every((colour) => Number.isInteger(colour.share)) ? 10 : 1;
  const given = apportioned(total, open.map((colour) => Math.round(colour.share * 10)), step);
  return shared(rest, rest.map((colour) => {
    const place = open.indexOf(colour);
    return place < 0 ? Math.round(colour.share * 10) : given[place];
  }));
}

/** All colours without a lock alike. */
export function even(colours) {
  const open = colours.filter((colour) => !colour.locked);
  const total = WHOLE - sum(colours.filter((colour) => colour.locked).map((colour) => Math.round(colour.share * 10)));
  const given = apportioned(total, open.map(() => 1), total % (10 * open.length) === 0 ? 10 : 1);
  return shared(colours, colours.map((colour) => (colour.locked ? Math.round(colour.share * 10) : given[open.indexOf(colour)])));
}
