// The page: one tile, and everything that shows or changes it.

import { at, make } from "./dom.js";
import { Renderer } from "./renderer.js";
import { History } from "./history.js";
import { icon } from "./icons.js";
import { Mixer } from "./mixer.js";
import { clear, fault, note } from "./notices.js";
import { Camera } from "./photograph.js";
import * as server from "./server.js";
import { Settings } from "./settings.js";
import { Sharing } from "./sharing.js";
import { offBy } from "./shown.js";
import { Stage } from "./stage.js";
import { Swatches } from "./swatches.js";
import { fromLink, fromRecipe, key, link, request } from "./tile.js";
import * as words from "./words.js";

const { say } = words;
const THEMES = ["auto", "light", "dark"];
const THEME = "plitka.theme";

let told; // the server's response to /start
let tile = null;
let settled = null; // the tile after the last finished change, to which undo goes back
let shown = { drawing: null, photograph: null }; // what the pictures show of their colours
let views = null; // AbortController of the request for the room or the colormap
const history = new History();

const stage = new Stage(turn);
const renderer = new Renderer(drawn, (error) => fault(error, () => renderer.draw(tile, true)));
const mixer = new Mixer((colors, done, whole = 100) => change({ colors, whole }, done), tell);
let swatches, settings, camera, sharing;

/** Announce a text to screen readers. seen: show it on the page as well, as a passing note. */
function tell(text, seen = false) {
  at("said").textContent = text;
  if (seen) note(text);
}

// The tile

/** Change parts of the tile. done: false while a slider is dragged. */
function change(parts, done) {
  show({ ...tile, ...parts }, done);
}

function show(next, done, kept = true) {
  const other = tile === null || key(next) !== key(tile);
  tile = next;
  if (done) {
    if (kept && settled !== null && key(settled) !== key(tile)) history.keep(settled);
    settled = tile;
    globalThis.history.replaceState(null, "", link(tile));
  }
  if (other) {
    shown = { drawing: null, photograph: null };
    for (const view of ["photograph", "room", "colormap"]) stage.drop(view);
    clear();
  }
  fill();
  if (other || (done && !stage.shows("drawing", "final", link(tile)))) renderer.draw(tile, done);
  if (done) look();
}

function fill() {
  mixer.show(tile, shown.photograph && stage.view === "photograph" ? shown.photograph : shown.drawing);
  swatches.show(tile);
  settings.show(tile);
  at("undo").disabled = !history.canUndo;
  at("redo").disabled = !history.canRedo;
  at("take").textContent = "";
  at("take").append(icon("camera"), say(stage.has("photograph") ? "photograph_again" : "photograph"));
  stage.describe((view) => say(`alt_${view}`, { mix: mixed(tile), angle: words.figure(tile.angle, 6) }));
}

function mixed(of) {
  return of.colors
    .filter((color) => color.share > 0)
    .map((color) => say("part", { share: words.percent(color.share / of.whole), color: words.colorName(color.name) }))
    .join(", ");
}

// Its pictures

function drawn({ kind, blob, shown: found, tile: of }) {
  if (key(of) !== key(tile) && kind !== "draft") return;
  if (found) shown.drawing = found;
  const size = kind === "final" ? 1024 : 512;
  stage.put("drawing", blob, kind, link(of), () =>
    [say(`caption_${kind}`, { size }), found ? offBy(of, found) : ""].filter(Boolean).join(", "));
  if (found) {
    fill();
    if (kind === "final") at("said").textContent = `${mixed(of)}. ${offBy(of, found)}`;
  }
}

function photographed({ kind, blob, shown: found, tile: of }) {
  if (key(of) !== key(tile)) return; // the tile has changed since
  shown.photograph = found;
  const size = kind === "final" ? 1024 : 512;
  const caption = () => [say("caption_photograph", { size, seed: of.seed }), offBy(of, found)].join(", ");
  stage.put("photograph", blob, kind, link(of), caption);
  stage.drop("room");
  turn("photograph");
}

function turn(view) {
  stage.turn(view);
  fill();
  look();
}

/** Request the picture of the view that is shown, if it has none yet. */
async function look() {
  views?.abort();
  views = null;
  stage.busy("");
  const view = stage.view;
  if ((view !== "room" && view !== "colormap") || stage.has(view)) return;
  views = new AbortController();
  stage.busy(say(`busy_${view}`));
  try {
    const of = tile;
    const blob = view === "room" ? await room(of, views.signal) : (await server.picture("colormap", key(of), views.signal)).blob;
    if (key(of) !== key(tile)) return;
    stage.put(view, blob, view, link(of), () => say(`caption_${view}`, { angle: words.figure(of.angle, 6) }));
    stage.busy("");
  } catch (error) {
    if (error.name === "AbortError") return;
    stage.busy("");
    fault(error, look);
  }
}

/** Request the room, laid with the final photograph if there is one, else with the drawing. */
const room = (of, signal) =>
  server.room(stage.kind("photograph") === "final" ? stage.blob("photograph") : JSON.stringify(request(of)), signal);

function saves(of) {
  const name = (what, ending) => `plitka-${of.colors.map((c) => c.name.replace(/\W+/g, "")).join("-").slice(0, 60)}-${of.seed}-${what}.${ending}`;
  const png = (kind) => async () => (kind === "final" ? renderer.final(of) : (await server.picture(kind, key(of))).blob);
  const list = [
    ["save_final", name("final", "png"), png("final")],
    ["save_preview", name("preview", "png"), png("preview")],
    ["save_colormap", name("colormap", "png"), png("colormap")],
    ["save_room", name("room", "jpg"), () => room(of)],
  ];
  if (!stage.has("photograph")) return list;
  const word = stage.kind("photograph") === "final" ? "save_photograph" : "save_photograph_preview";
  return [[word, name("photograph", "png"), async () => stage.blob("photograph")], ...list];
}

// Recipes from elsewhere

async function open(text, broken, words_) {
  try {
    const { recipe } = await server.read(text);
    show(fromRecipe(recipe, swatches.hex), true);
    if (words_) tell(words_);
    return true;
  } catch (error) {
    fault(error.code === "recipe" ? new server.Fault(broken, error.detail) : error, () => open(text, broken, words_));
    return false;
  }
}

/** Take what was typed or pasted: a colour by any of its names, or a whole recipe. */
async function take(text) {
  try {
    const { color, recipe, understood } = await server.typed(text);
    if (color) swatches.take(color);
    else show(fromRecipe(recipe, swatches.hex), true);
    const told = understood.filter((said) => said.nearest && said.source !== "hex").map(({ word, hex, nearest }) =>
      say("understood", { word, hex, nearest: nearest.map(words.colorName).join(", ") }));
    if (recipe) told.unshift(say("recipe_read"));
    if (told.length > 0) tell(told.join(" "), true);
  } catch (error) {
    fault(error);
  }
}

/** Open the tile in the address. False if there is none, or none that is valid. */
async function openLink() {
  try {
    const text = fromLink(location.hash) ?? fromLink(location.search);
    return text !== null && (await open(text, "link", say("link_opened")));
  } catch (error) {
    fault(error);
    return false;
  }
}

async function restore(files) {
  if (files.length !== 1) {
    fault(new server.Fault("picture_one"));
    return;
  }
  try {
    const { recipe } = await server.dropped(files[0]);
    show(fromRecipe(recipe, swatches.hex), true);
    tell(say("restored"), true);
  } catch (error) {
    fault(error);
  }
}

// The rest of the page

function gallery() {
  at("gallery").replaceChildren(...told.gallery.map(({ code, recipe }) => {
    const name = say(`g_${code}`);
    const mix = mixed(fromRecipe(recipe, swatches.hex));
    return make("li", {},
      make("button", { type: "button", class: "sample", "data-sample": code, title: mix, "aria-label": say("use_sample", { name, mix }), onclick: () => show(fromRecipe(recipe, swatches.hex), true) },
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
  at("foot").textContent = say("foot", { version: told.version });
  mixer.rename();
  camera.rename();
  sharing.fill();
  gallery();
  theme(words.kept(THEME));
  if (tile) fill();
}

function theme(chosen) {
  const name = THEMES.includes(chosen) ? chosen : "auto";
  document.documentElement.dataset.theme = name;
  at("theme").setAttribute("aria-label", say(`theme_${name}`));
  at("theme").title = say(`theme_${name}`);
}

function go(next) {
  if (next) show({ ...next }, true, false);
}

const undo = () => go(history.undo(tile));
const redo = () => go(history.redo(tile));

function listen() {
  at("undo").addEventListener("click", undo);
  at("redo").addEventListener("click", redo);
  at("take").addEventListener("click", () => camera.take(tile));
  at("open-share").addEventListener("click", () => sharing.open(tile));
  at("language").addEventListener("click", () => {
    words.speak(words.current() === "en" ? "ru" : "en", true);
    retell();
  });
  at("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    words.remember(next, THEME);
    theme(next);
  });
  at("file").addEventListener("change", () => {
    if (at("file").files.length > 0) restore([...at("file").files]);
    at("file").value = "";
  });
  addEventListener("hashchange", openLink);
  addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain").trim();
    if (text && !event.target.matches?.("input, textarea") && !at("share").open) take(text);
  });
  addEventListener("keydown", (event) => {
    const writing = event.target.matches?.("input:not([type=range]):not([type=radio]), textarea");
    if (writing || at("share").open || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    const name = event.key.toLowerCase();
    const step = name === "z" ? (event.shiftKey ? redo : undo) : name === "y" ? redo : null;
    if (!step) return;
    event.preventDefault();
    step();
  });
  at("to-gallery").addEventListener("click", () => {
    at("start-from").scrollIntoView();
    at("gallery").querySelector("button").focus({ preventScroll: true });
  });
  drops();
  addEventListener("error", (event) => fault(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => fault(event.reason));
}

function drops() {
  const files = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    at("dropping").hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) at("dropping").hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    at("dropping").hidden = true;
    restore([...event.dataTransfer.files]);
  });
}

async function begin() {
  words.speak(words.preferred());
  words.fill();
  theme(words.kept(THEME));
  try {
    told = await server.start();
  } catch (error) {
    fault(error, begin);
    return;
  }
  swatches = new Swatches(told.swatches, told.most.colors, mixer, tell, take);
  settings = new Settings(told.qualities, told.most.seed, change, tell);
  camera = new Camera(told.photographer, photographed, tell, fault);
  sharing = new Sharing(saves, tell, fault);
  retell();
  listen();
  if (await openLink()) return;
  const kept = at("faults").firstChild;
  show(fromRecipe(told.gallery[0].recipe, swatches.hex), true);
  if (kept) at("faults").replaceChildren(kept);
}

begin();
