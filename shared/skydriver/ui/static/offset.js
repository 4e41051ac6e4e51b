// @ts-check
/** How far the best fits of two scans are apart: written into each `[data-offset]`, the paths of two summaries. */

/** @typedef {{ra: number, dec: number}} Direction in degrees */

/**
 * The angle between two directions, in degrees (haversine, which is good for small angles, too).
 * @param {Direction} first
 * @param {Direction} second
 */
export function separation(first, second) {
  const radians = Math.PI / 180;
  const half = (/** @type {number} */ degrees) => Math.sin((degrees * radians) / 2) ** 2;
  const across = Math.cos(first.dec * radians) * Math.cos(second.dec * radians);
  const both = half(second.dec - first.dec) + across * half(second.ra - first.ra);
  return (2 * Math.asin(Math.min(Math.sqrt(both), 1))) / radians;
}

/** @param {string} path */
async function bestFit(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
  return /** @type {Direction} */ ((await answer.json()).best_fit);
}

/** @param {HTMLElement} element */
async function write(element) {
  const [original, own] = await Promise.all((element.dataset.offset ?? "").split(" ").map(bestFit));
  element.textContent =
    `The best fits are ${separation(original, own).toFixed(2)}° apart: ` +
    `(${original.ra.toFixed(2)}°, ${original.dec.toFixed(2)}°) before, ` +
    `(${own.ra.toFixed(2)}°, ${own.dec.toFixed(2)}°) now.`;
}

for (const element of document.querySelectorAll("[data-offset]"))
  // What stands there says that the picture has it.
  write(/** @type {HTMLElement} */ (element)).catch(() => {});
