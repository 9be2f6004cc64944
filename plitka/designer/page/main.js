// The page: begins, and puts together everything that shows or changes the tile.

import { attachColors } from "./swatches.js";
import { at, make } from "./dom.js";
import { isDialogOpen, onLeaving } from "./dialogs.js";
import { Designer } from "./designer.js";
import { FEATURES } from "./features.js";
import { icon } from "./icons.js";
import { Mixer } from "./mixer.js";
import { fault } from "./notices.js";
import { Opening } from "./opening.js";
import { attachPhotograph } from "./photograph.js";
import { attachPictures } from "./pictures.js";
import { attachPrint } from "./print.js";
import * as server from "./server.js";
import { attachSettings } from "./settings.js";
import { attachSheet } from "./sheet.js";
import { fromRecipe } from "./tile.js";
import * as words from "./words.js";

const { say } = words;
const THEMES = ["auto", "light", "dark"];
const THEME = "plitka.theme";

const designer = new Designer();
let opening;

function gallery() {
  at("gallery").replaceChildren(...designer.told.gallery.map(({ code, recipe }) => {
    const name = say(`g_${code}`);
    const mix = words.mixed(fromRecipe(recipe, words.hexOf));
    return make("li", {},
      make("button", { type: "button", class: "sample", "data-sample": code, title: mix, "aria-label": say("use_sample", { name, mix }), onclick: () => opening.show(recipe) },
        make("img", { src: `gallery/${code}.jpg`, alt: "", width: 256, height: 256, loading: "lazy" }), make("span", {}, name)));
  }));
}

function retell() {
  document.title = `Plitka – ${say("subtitle")}`;
  words.fill();
  for (const button of document.querySelectorAll("[data-icon]"))
    if (!button.querySelector(".drawn")) button.prepend(icon(button.dataset.icon));
  at("language").textContent = say("other_language");
  at("language").lang = words.current() === "en" ? "ru" : "en";
  at("foot").textContent = say("foot", { version: designer.told.version });
  gallery();
  theme(words.kept(THEME));
  designer.retell();
}

function theme(chosen) {
  const name = THEMES.includes(chosen) ? chosen : "auto";
  document.documentElement.dataset.theme = name;
  at("theme").setAttribute("aria-label", say(`theme_${name}`));
  at("theme").title = say(`theme_${name}`);
}

function listen() {
  at("undo").addEventListener("click", designer.undo);
  at("redo").addEventListener("click", designer.redo);
  designer.subscribe(({ canUndo, canRedo }) => {
    at("undo").disabled = !canUndo;
    at("redo").disabled = !canRedo;
  });
  at("language").addEventListener("click", () => {
    words.speak(words.current() === "en" ? "ru" : "en", true);
    retell();
  });
  at("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    words.remember(next, THEME);
    theme(next);
  });
  addEventListener("keydown", (event) => {
    const step = stepOf(event);
    if (!step || isDialogOpen() || event.target.matches?.(WRITING)) return;
    event.preventDefault();
    // A field that is committed when it is left: what was typed into it is dropped first.
    if (event.target.matches?.("[data-commits]") && dropped(event.target)) return;
    step();
  });
  at("secondary").addEventListener("click", () => at("secondary").hidePopover());
  onLeaving(() => designer.address());
  addEventListener("error", (event) => designer.fault(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => designer.fault(event.reason));
}

const WRITING = "input:not([type=range], [type=radio], [type=checkbox], [data-commits]), textarea:not([data-commits])";

/** Find which step through the history a key stands for: undo, redo, or none. */
function stepOf(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
  const name = event.key.toLowerCase();
  return name === "z" ? (event.shiftKey ? designer.redo : designer.undo) : name === "y" ? designer.redo : null;
}

/** Put back what a field showed before somebody typed into it. False if nothing was typed. */
function dropped(field) {
  if (field.value === field.dataset.commits) return false;
  field.value = field.dataset.commits;
  delete field.dataset.touched;
  field.select();
  return true;
}

async function begin() {
  words.speak(words.preferred());
  words.fill();
  theme(words.kept(THEME));
  try {
    designer.told = await server.start();
  } catch (error) {
    fault(error, begin);
    return;
  }
  words.learn(designer.told.swatches);
  const mixer = new Mixer(designer);
  opening = new Opening(designer, mixer);
  attachColors(designer, mixer, opening.read);
  attachSettings(designer);
  attachPictures(designer);
  attachPhotograph(designer);
  attachPrint(designer);
  attachSheet();
  for (const attach of FEATURES) attach(designer);
  retell();
  listen();
  if (!(await opening.openLink())) designer.show(fromRecipe(designer.told.gallery[0].recipe, words.hexOf));
  document.documentElement.classList.add("ready");
}

begin();
