// Notices: errors, until they are dismissed, and notes, which disappear by themselves. They lie above the
// page and move nothing; while a dialog is open they are in it, since all else is out of reach then.

import { at, make } from "./dom.js";
import { icon } from "./icons.js";
import { Fault } from "./server.js";
import { current, knows, say } from "./words.js";

const PASSING = 6000; // ms
const ANSWERS = new Set(["typed", "typed_recipe"]); // to what was typed: they go when somebody goes on
const FINAL = new Set([...ANSWERS, "recipe", "link", "link_broken", "picture_one"]); // fail each time

const USED = "input, select, textarea, button, label, summary, a";

let notice = null; // {text(), detail(), again, kind, asker}: the one that is shown
let leaving = 0;

/** Show an error in the chosen language. again: called by its button "try again", where that may help. */
export function fault(error, again) {
  const told = error instanceof Fault ? error : new Fault("page_broken", String(error));
  if (told !== error) console.error(error);
  const helps = again && !FINAL.has(told.code);
  const asker = ANSWERS.has(told.code) ? document.activeElement : null;
  show({ text: () => faultInWords(told), detail: () => told.details?.[current()] ?? told.detail, speaks: told.details !== null, again: helps ? again : null, kind: "fault", asker });
}

/** Remove an answer to what was typed once somebody goes on: types something else, or uses another field. */
function goOn({ type, target }) {
  if (!notice?.asker || at("faults").contains(target)) return;
  if (type !== "click" || (target !== notice.asker && target.closest?.(USED))) clear();
}

for (const type of ["input", "change", "click"]) addEventListener(type, goOn, true);

/** Say a Fault in the chosen language. */
export function faultInWords({ code, values }) {
  const word = knows(`f_${code}`) ? `f_${code}` : "f_server_strange";
  return say(word, { where: "Plitka", number: "?", megabytes: "?", size: "?", ...values });
}

/** Show a note for PASSING ms. text: or a function that returns it, since the language may change. */
export function note(text) {
  show({ text: typeof text === "function" ? text : () => text, detail: () => "", again: null, kind: "passing" });
  leaving = setTimeout(clear, PASSING);
}

/** Announce a text to screen readers alone. */
export function announce(text) {
  at("said").textContent = typeof text === "function" ? text() : text;
}

/** Remove the notice. */
export function clear() {
  clearTimeout(leaving);
  notice = null;
  at("faults").replaceChildren();
}

/** Write the notice again, in another language. */
export function retell() {
  if (notice) write();
}

/** Move notices to where they can be reached: into the dialog that is open, if there is one. */
export function settle() {
  if (notice?.asker) clear();
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  const home = dialog ?? document.body;
  for (const id of ["faults", "said"]) if (at(id).parentElement !== home) home.append(at(id));
}

function show(next) {
  clearTimeout(leaving);
  notice = next;
  write();
}

function write() {
  const { text, detail, speaks, again, kind } = notice;
  at("faults").replaceChildren(make("div", { class: `notice ${kind}` },
    make("p", {}, text()),
    again ? make("button", { type: "button", onclick: () => (clear(), again()) }, say("try_again")) : null,
    make("button", { type: "button", class: "quiet icon", "aria-label": say("dismiss"), title: say("dismiss"), onclick: clear }, icon("close")),
    detail() ? make("pre", { lang: speaks ? current() : "en", tabindex: 0, role: "group", "aria-label": say("fault_detail") }, detail()) : null));
}
