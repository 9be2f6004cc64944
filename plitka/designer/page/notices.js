// Notices on the page: errors, until they are dismissed, and notes, which disappear by themselves.

import { at, make } from "./dom.js";
import { icon } from "./icons.js";
import { Fault } from "./server.js";
import { knows, say } from "./words.js";

const PASSING = 6000; // ms

/** Show an error in the chosen language. again: called by its button "try again", if given. */
export function fault(error, again) {
  const told = error instanceof Fault ? error : new Fault("page_broken", String(error));
  if (told !== error) console.error(error);
  const word = knows(`f_${told.code}`) ? `f_${told.code}` : "f_server_strange";
  const values = { where: "Plitka", number: "?", megabytes: "?", size: "?", ...told.values };
  show(say(word, values), told.detail, again, "fault");
}

/** Show a note for PASSING ms. */
export function note(words) {
  show(words, "", undefined, "passing");
}

/** Remove all notices. */
export const clear = () => at("faults").replaceChildren();

function show(words, detail, again, kind) {
  const notice = make("div", { class: `notice ${kind}` },
    make("p", {}, words),
    again ? make("button", { type: "button", onclick: () => (notice.remove(), again()) }, say("try_again")) : null,
    make("button", { type: "button", class: "quiet icon", "aria-label": say("dismiss"), title: say("dismiss"), onclick: () => notice.remove() }, icon("close")),
    detail ? make("pre", { lang: "en" }, detail) : null);
  at("faults").replaceChildren(notice);
  if (kind === "passing") setTimeout(() => notice.remove(), PASSING);
}
