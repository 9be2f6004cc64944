// Saving files: a blob under a name.

import { make } from "./dom.js";
import { say } from "./words.js";

/** Save {blob, file}, and say so. */
export function saveBlob({ blob, file }, designer) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
  designer.tell(() => say("saved", { file }), true);
}
