// @ts-check
/** The page's one polite live region: what a screen reader says without being asked. */

/**
 * Let a screen reader say something; the latest text stays.
 * @param {string} text
 */
export function announce(text) {
  const region = document.getElementById("live");
  if (region && region.textContent !== text) region.textContent = text;
}
