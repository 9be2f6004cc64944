// Arithmetic of shares, which always add up to 100. Pure: from a list of colours to another one.
//
// A colour is {name, hex, free, share, locked}. Changed shares are whole tenths of a percent, so that
// sums are exact; a recipe from elsewhere keeps its own digits until it is changed.

const WHOLE = 1000;

const tenths = (color, whole) => (color.share / whole) * WHOLE;
const sum = (values) => values.reduce((total, value) => total + value, 0);

/**
 * Apportion `total` by weights (largest remainders): multiples of `step` that add up to it, which is a
 * multiple of `step` itself.
 */
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

/** Set the colours' shares. parts: in tenths of a percent. */
function shared(colors, parts) {
  return colors.map((color, index) => ({ ...color, share: Number((parts[index] / 10).toFixed(1)) }));
}

/** Round all shares to tenths of a percent. whole: what they add up to now, 100 or 1. */
export function rounded(colors, whole) {
  return shared(colors, apportioned(WHOLE, colors.map((color) => tenths(color, whole))));
}

/**
 * Change the share of the colour at `index`, in percent; unlocked others give or take in proportion to
 * their shares. Nothing changes if all others are locked.
 */
export function moved(colors, index, share) {
  const parts = colors.map((color) => Math.round(color.share * 10));
  const free = colors.flatMap((color, other) => (other === index || color.locked ? [] : [other]));
  if (free.length === 0 || colors[index].locked) return colors;
  const held = sum(parts.filter((_, other) => other !== index && colors[other].locked));
  const wanted = Math.min(Math.max(Math.round(share * 10), 0), WHOLE - held);
  const rest = WHOLE - held - wanted;
  const step = [...parts, wanted, rest].every((part) => part % 10 === 0) ? 10 : 1;
  const given = apportioned(rest, free.map((other) => parts[other]), step);
  const next = [...parts];
  next[index] = wanted;
  free.forEach((other, place) => (next[other] = given[place]));
  return shared(colors, next);
}

/** Add a colour, for which unlocked ones give up a share; it has none if all are locked. */
export function added(colors, color) {
  if (colors.length === 0) return [{ ...color, share: 100, locked: false }];
  const open = sum(colors.filter((other) => !other.locked).map((other) => other.share));
  const count = colors.filter((other) => !other.locked).length + 1;
  const wider = [...colors, { ...color, share: 0, locked: false }];
  return moved(wider, colors.length, Math.floor(open / count));
}

/** Remove the colour at `index`; unlocked others take its share, or all where none is unlocked. */
export function removed(colors, index) {
  const rest = colors.filter((_, other) => other !== index);
  if (rest.length === 0) return rest;
  const open = rest.some((color) => !color.locked) ? rest.filter((color) => !color.locked) : rest;
  const total = WHOLE - sum(rest.filter((color) => !open.includes(color)).map((color) => Math.round(color.share * 10)));
  const step = rest.every((color) => Number.isInteger(color.share)) ? 10 : 1;
  const given = apportioned(total, open.map((color) => Math.round(color.share * 10)), step);
  return shared(rest, rest.map((color) => {
    const place = open.indexOf(color);
    return place < 0 ? Math.round(color.share * 10) : given[place];
  }));
}

/** Give all unlocked colours the same share. */
export function even(colors) {
  const open = colors.filter((color) => !color.locked);
  const total = WHOLE - sum(colors.filter((color) => color.locked).map((color) => Math.round(color.share * 10)));
  const given = apportioned(total, open.map(() => 1), total % (10 * open.length) === 0 ? 10 : 1);
  return shared(colors, colors.map((color) => (color.locked ? Math.round(color.share * 10) : given[open.indexOf(color)])));
}
