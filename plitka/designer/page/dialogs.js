// Dialogs: opened above the page; the close button, Escape, a press beside them and Back close them.
// Each has an entry in the browser's history, so that Back on a phone does not leave the page.

import { settle } from "./notices.js";

const opened = []; // dialogs with an entry in the history, the last one on top
let left = () => {};

/** listener() is called when the browser has gone back from a dialog: the address is as it was before. */
export function onLeaving(listener) {
  left = listener;
}

/** Open a <dialog> with an id. Its close button, if it has one, is marked data-close. */
export function openDialog(dialog) {
  if (dialog.open) return;
  if (!("attached" in dialog.dataset)) attach(dialog);
  dialog.showModal();
  history.pushState({ dialog: dialog.id }, "", location.href);
  opened.push(dialog);
  settle();
}

/** Whether a dialog is open. */
export const isDialogOpen = () => document.querySelector("dialog[open]") !== null;

function attach(dialog) {
  dialog.dataset.attached = "";
  dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // a press on the backdrop
  });
  dialog.addEventListener("close", () => {
    settle();
    if (opened.at(-1) === dialog && history.state?.dialog === dialog.id) history.back();
  });
}

addEventListener("popstate", (event) => {
  if (opened.length === 0 && !event.state?.dialog) return; // another link was opened
  const dialog = opened.pop();
  if (dialog?.open) dialog.close();
  left();
});
