// @ts-check
/**
 * Ages beside times: each `<time datetime>` says how long ago it was, or in how long it will be.
 *
 * With `data-age="only"` the age stands in place of the time, which is then the element's title.
 */

/** How far the server's clock is ahead of this one's, in milliseconds. */
let ahead = 0;

/**
 * Take over the server's clock, so that ages are right where this one is wrong.
 * @param {Response} answer
 */
export function readClock(answer) {
  const date = Date.parse(answer.headers.get("Date") ?? "");
  // A date has whole seconds.
  if (Number.isFinite(date) && Math.abs(date - Date.now()) > 2000) ahead = date - Date.now();
}

/**
 * An age in words.
 * @param {number} seconds below 0 for what is to come
 * @returns {string}
 */
export function age(seconds) {
  const length = Math.abs(seconds);
  if (length < 1) return "now";
  const [unit, size] =
    length < 60 ? ["s", 1] : length < 3600 ? ["min", 60] : length < 172_800 ? ["h", 3600] : ["days", 86_400];
  const text = `${Math.floor(length / Number(size))} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/**
 * Write all ages anew.
 * @param {ParentNode} [within]
 */
export function writeAges(within = document) {
  const now = Date.now() + ahead;
  for (const element of within.querySelectorAll("time[datetime]")) {
    const time = /** @type {HTMLTimeElement} */ (element);
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    const text = age((now - at) / 1000);
    if (time.dataset.age === "only") {
      if (!time.title) time.title = time.textContent ?? "";
      if (time.textContent !== text) time.textContent = text;
      continue;
    }
    let beside = time.querySelector(".age");
    if (!beside) {
      beside = document.createElement("span");
      beside.className = "age";
      time.append(beside);
    }
    if (beside.textContent !== ` (${text})`) beside.textContent = ` (${text})`;
  }
}
