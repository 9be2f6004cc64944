// What a picture shows of its colours: {shares, counted, measured, intervals, groups}.
//
// Colours go by their names in lower case, shares are 0 to 1. shares: what the page says of the picture,
// counted on the layout where `counted`, else measured. measured, intervals, groups: what a stranger
// measures, who knows only which colours to look for; groups: [[name, …]], which are not told apart.

import { colorName, figure, interval, percent, say } from "./words.js";

export const shareOf = (shown, color) => shown?.shares[color.name.toLowerCase()];

/** Whether a colour is one of those that the measurement does not tell apart. */
export const isGrouped = (shown, name) => Boolean(shown?.groups.some((group) => group.includes(name.toLowerCase())));

/** Write what was measured of a colour: its share and interval, or what is known of one not told apart. */
export function measuredOf(shown, color) {
  const name = color.name.toLowerCase();
  const ends = shown.intervals[name];
  if (isGrouped(shown, name)) return say("not_told_apart", { interval: ends ? interval(ends) : "?" });
  if (shown.measured[name] === undefined) return "";
  const share = percent(shown.measured[name]);
  return ends ? say("share_interval", { share, interval: interval(ends) }) : share;
}

/** Whether what was measured agrees with what the picture shows: the share lies in the interval. */
export function isMeasuredAs(shown, color) {
  const ends = shown.intervals[color.name.toLowerCase()];
  const share = shareOf(shown, color);
  return Boolean(ends) && ends[0] <= share && share <= ends[1];
}

/** Write the colours that are not told apart, with the share of all together; "" where there are none. */
export function groupsOf(shown) {
  const sum = (group) => group.reduce((total, name) => total + (shown.measured[name] ?? 0), 0);
  return (shown?.groups ?? [])
    .map((group) => say("group", { colors: group.map(colorName).join(" + "), share: percent(sum(group)) }))
    .join(" ");
}

/**
 * Write the total variation from the shares that were asked for, half the sum of differences, in
 * percentage points, or that they are as asked for, where it rounds to none. Colours that were
 * measured and not told apart count as one.
 */
export function offBy(tile, shown) {
  const groups = shown.counted ? [] : shown.groups;
  const off = new Map();
  for (const color of tile.colors) {
    const name = color.name.toLowerCase();
    const part = groups.find((group) => group.includes(name))?.[0] ?? name;
    off.set(part, (off.get(part) ?? 0) + color.share / tile.whole - (shown.shares[name] ?? 0));
  }
  const total = [...off.values()].reduce((sum, one) => sum + Math.abs(one), 0) / 2;
  const points = figure(100 * total);
  return points === figure(0) ? say("as_asked") : say("off", { points });
}
