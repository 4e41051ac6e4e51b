// @ts-check
/**
 * A scan's result as cells of the sky: at each direction the finest pixel that was scanned there.
 *
 * A result is as scanners send it: `nside-N -> {columns, data}`, with RING indices and llh = -ln(likelihood).
 * As in the library's `skymap` room, a pixel without likelihood leaves its sky to the coarser one, and values
 * are 2 (llh - least llh) where the least one is that of the sky that is shown.
 */

import { nestAt, nest2vec, ring2nest } from "./healpix.js";

/** @typedef {{columns: string[], data: (number | string | null)[][]}} Table */
/** @typedef {{nside: number, nest: number, value: number}} Cell */
/**
 * The pixels of an nside.
 * @typedef {object} Level
 * @property {number} nside
 * @property {number} order
 * @property {Map<number, number>} at the index of each pixel's value
 * @property {Int32Array | null} dense the same by NESTED number, -1 where there is none; for few pixels only
 * @property {number} share how many pixels of the finest nside one of them holds
 */

const MASK_ORDER = 5;
const DENSE_ORDER = 7;

/**
 * A table by NESTED number.
 * @param {number} nside
 * @param {Map<number, number>} at
 * @returns {Int32Array | null} null where it would be large
 */
function dense(nside, at) {
  if (nside > 2 ** DENSE_ORDER) return null;
  const table = new Int32Array(12 * nside * nside).fill(-1);
  for (const [nest, index] of at) table[nest] = index;
  return table;
}

/** The cells of a result. */
export class Cells {
  /** @param {Record<string, Table>} result */
  constructor(result) {
    /** @type {Level[]} finest first */
    this.levels = [];
    /** How many pixels came back, with a likelihood or without. */
    this.pixels = 0;
    /** @type {number[]} */
    const found = [];
    for (const [name, table] of Object.entries(result)) {
      const nside = Number(name.replace(/^nside-/, ""));
      const index = table.columns.indexOf("index");
      const llh = table.columns.indexOf("llh");
      /** @type {Map<number, number>} */
      const at = new Map();
      for (const row of table.data) {
        const value = row[llh];
        if (typeof value !== "number" || !Number.isFinite(value)) continue;
        at.set(ring2nest(nside, Number(row[index])), found.length);
        found.push(value);
      }
      this.pixels += table.data.length;
      if (at.size) this.levels.push({ nside, order: Math.log2(nside), at, dense: dense(nside, at), share: 1 });
    }
    this.levels.sort((one, other) => other.order - one.order);
    /** The finest nside; 1 where there is no pixel. */
    this.nside = this.levels[0]?.nside ?? 1;
    for (const level of this.levels) level.share = (this.nside / level.nside) ** 2;
    this.#maskShare = 4 ** (Math.log2(this.nside) - MASK_ORDER);
    const least = this.#least(found);
    /** Values of all cells, and the cell that each is of. */
    this.values = Float64Array.from(found, (value) => 2 * (value - least.llh));
    /** @type {Cell | null} */
    this.best = least.cell;
    /** The greatest value that is shown. */
    this.greatest = this.values.reduce((most, value) => Math.max(most, value), 0);
    this.#mask = this.#masked();
  }

  /** @type {Uint32Array} for each cell of a coarse grid, a bit for each level that has pixels there */
  #mask;
  /** How many pixels of the finest nside a cell of that grid holds. */
  #maskShare = 1;

  /**
   * The least value of the sky that is shown: a pixel that finer ones cover does not count.
   * @param {number[]} found
   * @returns {{llh: number, cell: Cell | null}}
   */
  #least(found) {
    let llh = Infinity;
    /** @type {Cell | null} */
    let cell = null;
    /** @type {Set<number>} */
    let covered = new Set();
    const { levels } = this;
    for (let order = levels[0]?.order ?? -1; order >= 0; order--) {
      /** @type {Map<number, number>} */
      const children = new Map();
      for (const nest of covered) children.set(Math.floor(nest / 4), (children.get(Math.floor(nest / 4)) ?? 0) + 1);
      covered = new Set();
      for (const [nest, count] of children) if (count === 4) covered.add(nest);
      const level = levels.find((one) => one.order === order);
      for (const [nest, index] of level?.at ?? []) {
        if (!covered.has(nest) && found[index] < llh) {
          llh = found[index];
          cell = { nside: 2 ** order, nest, value: 0 };
        }
        covered.add(nest);
      }
    }
    return { llh, cell };
  }

  #masked() {
    const mask = new Uint32Array(12 * 4 ** MASK_ORDER);
    this.levels.forEach(({ order, at }, bit) => {
      const shift = 4 ** Math.abs(order - MASK_ORDER);
      for (const nest of at.keys()) {
        if (order >= MASK_ORDER) mask[Math.floor(nest / shift)] |= 1 << bit;
        else for (let cell = nest * shift; cell < (nest + 1) * shift; cell++) mask[cell] |= 1 << bit;
      }
    });
    return mask;
  }

  /**
   * The cell that holds a pixel of the finest nside.
   * @param {number} nest
   * @returns {number} its index in `values`; -1 where nothing was scanned
   */
  indexAt(nest) {
    const bits = this.#mask[Math.floor(nest / this.#maskShare)];
    for (let bit = 0; bits >>> bit; bit++) {
      if (!((bits >>> bit) & 1)) continue;
      const { at, dense, share } = this.levels[bit];
      const own = share === 1 ? nest : Math.floor(nest / share);
      const index = dense ? dense[own] : at.get(own) ?? -1;
      if (index >= 0) return index;
    }
    return -1;
  }

  /**
   * The cell at a direction.
   * @param {import("./healpix.js").Direction} direction
   * @returns {Cell | null} null where nothing was scanned
   */
  cellAt([x, y, z]) {
    const nest = nestAt(this.nside, z, 1 - Math.abs(z), Math.atan2(y, x));
    const index = this.indexAt(nest);
    for (const { nside, share, at } of this.levels) {
      const own = Math.floor(nest / share);
      if (index >= 0 && at.get(own) === index) return { nside, nest: own, value: this.values[index] };
    }
    return null;
  }

  /**
   * The direction of the best fit: the centre of the cell with the least llh.
   * @returns {import("./healpix.js").Direction | null}
   */
  bestDirection() {
    return this.best && nest2vec(this.best.nside, this.best.nest);
  }
}
