// @ts-check
/** The numbers of a map, as `GET /scan/ID/skymap` answers them, written into a `<dl data-summary>`. */

/** @typedef {{level: string, area_deg2: number, less_than_a_pixel: boolean} & Record<string, any>} Region */

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

/** @param {number} area */
function area(area) {
  return area < 10 ? area.toPrecision(3) : area.toFixed(area < 100 ? 1 : 0);
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
    ...regions.map((region) => /** @type {[string, string]} */ ([
      `Area, ${region.level === "3sigma" ? "3 sigma" : `${region.level} %`}`,
      `${area(region.area_deg2)} deg²${region.less_than_a_pixel ? " (less than a pixel)" : ""}`,
    ])),
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
