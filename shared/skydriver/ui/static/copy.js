// @ts-check
/** Buttons that copy: each `<button data-copy="TEXT">`, which is hidden where there is no JavaScript. */

import { announce } from "./live.js";

/** @param {ParentNode} within */
function show(within) {
  for (const button of within.querySelectorAll("button[data-copy][hidden]"))
    /** @type {HTMLButtonElement} */ (button).hidden = false;
}

/**
 * Put a text into the clipboard.
 * @param {string} text
 */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // A page that came without TLS from another machine has no clipboard of its own.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (!isCopied) throw new Error("this browser copies nothing");
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button[data-copy]") : null;
  if (!(button instanceof HTMLButtonElement)) return;
  const text = button.dataset.copy ?? "";
  copy(text).then(
    () => {
      button.focus();
      announce(`Copied ${text}`);
    },
    () => announce(`This browser does not copy. The text is ${text}`),
  );
});
document.addEventListener("skydriver:replaced", (event) => show(/** @type {CustomEvent} */ (event).detail));
show(document);
