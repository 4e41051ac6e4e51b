// @ts-check
/** The numbers of a map, as `GET /scan/ID/skymap` answers them, written into a `<dl data-summary>`. */

/**
 * @typedef {{
 *   level: string, area_deg2: number, contour_area_deg2: number | null, less_than_a_pixel: boolean
 * } & Record<string, any>} Region
 */

/**
 * A number with its sign, as people write it; empty where there is none.
 * @param {string} sign
 * @param {number | null} value
 */
function error(sign, value) {
  return value === null ? "" : ` ${sign}${Math.abs(value).toFixed(2)}`;
}

/** @param {number} value */
function degrees(value) {
  return `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;
}

/**
 * How large a region is, with the name and the number that the pictures show: inside of its contour, as IceCube
 * publishes it; as a whole where there is none.
 * @param {Region} region
 * @returns {[string, string]}
 */
function area(region) {
  const level = region.level === "3sigma" ? "3 sigma" : `${region.level} %`;
  const inside = region.contour_area_deg2;
  const name = `${level} ${inside === null ? "region" : "contour"}`;
  if (region.less_than_a_pixel) return [name, "less than one pixel"];
  const size = inside ?? region.area_deg2;
  return [name, `${size < 99.95 ? size.toPrecision(3) : size.toFixed(0)} deg²`];
}

/**
 * The rows: a name and a text each.
 * @param {any} summary
 * @returns {[string, string][]}
 */
export function rows(summary) {
  const { best_fit: best, definitions, notes } = summary;
  /** @type {Region[]} */
  const regions = definitions.probability.regions;
  const most = regions.find((region) => region.level === "90");
  /** @param {string} name */
  const errors = (name) =>
    most ? error("+", most[`${name}_err_plus`]) + error("−", most[`${name}_err_minus`]) : "";
  return [
    ["Right ascension", `${degrees(best.ra)}${errors("ra")} deg`],
    ["Declination", `${degrees(best.dec)}${errors("dec")} deg`],
    ["Galactic l, b", `${degrees(best.l)}, ${degrees(best.b)} deg`],
    ...regions.map(area),
    ["Nside at the best fit", String(best.nside)],
    ...notes.map((/** @type {{text: string}} */ note) => /** @type {[string, string]} */ (["Note", note.text])),
  ];
}

/**
 * Write the rows.
 * @param {Element} list
 * @param {any} summary
 */
export function fill(list, summary) {
  const parts = rows(summary).flatMap(([name, text]) => {
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    description.textContent = text;
    return [term, description];
  });
  list.replaceChildren(...parts);
}
