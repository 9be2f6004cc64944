// Arithmetic of shares, which always add up to 100. Pure: from a list of colours to another one.
//
// A colour is {name, hex, free, share, locked, typed}; typed: its share is what was typed. Changed shares
// are whole tenths of a percent, so that sums are exact; a recipe from elsewhere keeps its own digits until
// it is changed.

const WHOLE = 1000;

const tenths = (color, whole) => (color.share / whole) * WHOLE;
const tenth = (color) => Math.round(color.share * 10);
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

/** Set the colours' shares. parts: in tenths of a percent. What is changed is no longer what was typed. */
function shared(colors, parts) {
  return colors.map((color, index) => {
    const share = Number((parts[index] / 10).toFixed(1));
    return { ...color, share, typed: Boolean(color.typed) && share === color.share };
  });
}

/** Round all shares to tenths of a percent. whole: what they add up to now, 100 or 1. */
export function rounded(colors, whole) {
  return shared(colors, apportioned(WHOLE, colors.map((color) => tenths(color, whole))));
}

/**
 * Change the share of the colour at `index`, in percent; others give or take in proportion to their
 * shares. Locked ones stay. Those that were typed stay as long as the others have something to give.
 * typed: whether this share is typed itself. Nothing changes if all others are locked.
 */
export function moved(colors, index, share, typed = false) {
  const parts = colors.map(tenth);
  const free = colors.flatMap((color, other) => (other === index || color.locked ? [] : [other]));
  if (free.length === 0 || colors[index].locked) return colors;
  const room = WHOLE - sum(parts.filter((_, other) => other !== index && colors[other].locked));
  const wanted = Math.min(Math.max(Math.round(share * 10), 0), room);
  const firm = free.filter((other) => colors[other].typed);
  const loose = free.filter((other) => !colors[other].typed);
  const left = room - wanted - sum(firm.map((other) => parts[other]));
  const next = [...parts];
  next[index] = wanted;
  for (const other of loose) next[other] = 0;
  const giving = loose.length > 0 && left >= 0 ? loose : firm;
  const rest = giving === loose ? left : room - wanted;
  const step = [...parts, wanted, rest].every((part) => part % 10 === 0) ? 10 : 1;
  const given = apportioned(rest, giving.map((other) => parts[other]), step);
  giving.forEach((other, place) => (next[other] = given[place]));
  return shared(colors, next).map((color, other) => (other === index ? { ...color, typed } : color));
}

/** Move the boundary between the colours at `index` and after it by `share` percent; the others stay. */
export function shifted(colors, index, share) {
  const [left, right] = [colors[index], colors[index + 1]];
  if (left.locked || right.locked) return colors;
  const parts = colors.map(tenth);
  const both = parts[index] + parts[index + 1];
  parts[index] = Math.min(Math.max(parts[index] + Math.round(share * 10), 0), both);
  parts[index + 1] = both - parts[index];
  return shared(colors, parts);
}

/** Put another colour in the place of the one at `index`; if it is in the mix, the two change places. */
export function swapped(colors, index, color) {
  const old = colors[index];
  const put = (name, place) => ({ ...name, share: place.share, locked: place.locked, typed: place.typed });
  const other = colors.findIndex(({ name }) => name === color.name);
  return colors.map((own, place) => (place === index ? put(color, own) : place === other ? put(old, own) : own));
}

/** Add a colour, for which unlocked ones give up a share; it has none if all are locked. */
export function added(colors, color) {
  if (colors.length === 0) return [{ ...color, share: 100, locked: false, typed: false }];
  const open = colors.filter((other) => !other.locked);
  const untyped = open.filter((other) => !other.typed && other.share > 0);
  const giving = untyped.length > 0 ? untyped : open;
  const before = untyped.length > 0 ? colors : colors.map((other) => ({ ...other, typed: false }));
  const wider = [...before, { ...color, share: 0, locked: false, typed: false }];
  const share = Math.floor(sum(giving.map((other) => other.share)) / (giving.length + 1));
  return moved(wider, colors.length, share);
}

/** Remove the colour at `index`; others take its share: those neither locked nor typed, if there are any. */
export function removed(colors, index) {
  const rest = colors.filter((_, other) => other !== index);
  if (rest.length === 0) return rest;
  const unlocked = rest.filter((color) => !color.locked);
  const untyped = unlocked.filter((color) => !color.typed);
  const open = [untyped, unlocked, rest].find((some) => some.length > 0);
  const total = WHOLE - sum(rest.filter((color) => !open.includes(color)).map(tenth));
  const step = rest.every((color) => Number.isInteger(color.share)) ? 10 : 1;
  const given = apportioned(total, open.map(tenth), step);
  return shared(rest, rest.map((color) => (open.includes(color) ? given[open.indexOf(color)] : tenth(color))));
}

/** Give all unlocked colours the same share. */
export function even(colors) {
  const open = colors.filter((color) => !color.locked);
  const total = WHOLE - sum(colors.filter((color) => color.locked).map(tenth));
  const given = apportioned(total, open.map(() => 1), total % (10 * open.length) === 0 ? 10 : 1);
  return shared(colors, colors.map((color) => (color.locked ? tenth(color) : given[open.indexOf(color)])));
}
