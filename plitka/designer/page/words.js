// The page's texts in the chosen language.

import en from "./words/en.js";
import ru from "./words/ru.js";

const DICTIONARIES = { en, ru };
const KEPT = "plitka.language";

let language = "en";

export const languages = Object.keys(DICTIONARIES);
export const current = () => language;

/** Find the language: the one chosen before, else the first of the browser's that is available. */
export function preferred() {
  const wanted = [kept(), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag) => tag in DICTIONARIES) ?? "en";
}

export function speak(tag, keep = false) {
  language = tag in DICTIONARIES ? tag : "en";
  document.documentElement.lang = language;
  if (keep) remember(language);
}

/** Look up a sentence of the dictionary, and fill in its {places}. */
export function say(word, values = {}) {
  const sentence = DICTIONARIES[language][word] ?? word;
  return sentence.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

export const knows = (word) => word in DICTIONARIES[language];

/** Write a name as it is compared, whatever its case, gaps and spelling. */
export const plain = (text) => text.toLowerCase().replaceAll("ё", "е").replaceAll("grey", "gray").replace(/[ _-]+/g, " ").trim();

const CODE = /^[A-Z][A-Z0-9]+$/;
const known = new Map(); // plain name -> {code, phrase, hex} of the palette

/** Learn the palette: [{hex, names}]; names are a code, its phrase and what else it is called, then the next code. */
export function learn(palette) {
  for (const { hex, names } of palette) {
    let color;
    for (const [index, name] of names.entries()) {
      if (CODE.test(name)) color = { code: name, phrase: names[index + 1], hex };
      known.set(plain(name), color);
    }
  }
}

/** Translate a colour's name, by whichever of its names it goes: "dark_green" and "DKGREEN" are "dark green". A hex stays. */
export function colorName(name) {
  const phrase = known.get(plain(name))?.phrase ?? name;
  return DICTIONARIES[language].colors[phrase] ?? phrase;
}

/** Look up a palette colour's hex by any of its names. */
export const hexOf = (name) => known.get(plain(name))?.hex ?? "#808080";

/** Look up a palette colour's code; "" for a free colour. */
export const codeOf = (name) => known.get(plain(name))?.code ?? "";

/** Write a tile's mix in words: 50% red, 50% blue. */
export const mixed = (tile) =>
  tile.colors
    .filter((color) => color.share > 0)
    .map((color) => say("part", { share: percent(color.share / tile.whole), color: colorName(color.name) }))
    .join(", ");

/** List a colour's names in all languages, for the search. */
export const namesEverywhere = (name) => [name, ...Object.values(DICTIONARIES).map((d) => d.colors[name] ?? name)];

export const percent = (share, digits = 1) =>
  new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits }).format(share);

export const figure = (value, digits = 1) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits, useGrouping: false }).format(value);

/** Write an interval of shares in whole percents, which take it in: 31–62%. */
export const interval = ([low, high]) =>
  `${figure(Math.floor(100 * low + 1e-6), 0)}–${percent(Math.ceil(100 * high - 1e-6) / 100, 0)}`;

/** Set the texts of all elements that name one in data-word, data-label and so on. */
export function fill(root = document) {
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  for (const element of root.querySelectorAll("[data-label][data-icon], [data-title]"))
    element.title = say(element.dataset.title ?? element.dataset.label);
  for (const element of root.querySelectorAll("[data-placeholder]")) element.placeholder = say(element.dataset.placeholder);
}

// A browser may forbid local storage; then a choice lasts as long as the page.

export function kept(name = KEPT) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function remember(value, name = KEPT) {
  try {
    localStorage.setItem(name, value);
  } catch {
    return;
  }
}
