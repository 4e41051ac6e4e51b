// @ts-check
/**
 * A scan's result as cells of the sky: at each direction the finest pixel that was scanned there.
 *
 * A result is as scanners send it: `nside-N -> {columns, data}`, with RING indices and llh = -ln(likelihood).
 * As in the library's `skymap/probability.py`, a pixel without likelihood takes the mean of its neighbours' where
 * three or more have one, else it leaves its sky to the coarser pixel; and values are 2 (llh - least llh) where
 * the least one is that of the sky that is shown.
 */

import { neighbours, nestAt, nest2vec, ring2nest } from "./healpix.js";

/** @typedef {{columns: string[], data: (number | string | null)[][]}} Table */
/** @typedef {{nside: number, nest: number, value: number}} Cell */
/**
 * The pixels of an nside.
 * @typedef {object} Level
 * @property {number} nside
 * @property {number} order
 * @property {Map<number, number>} at the index of each pixel's value, where it has one
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

/**
 * Give pixels without likelihood the mean of their neighbours', where three or more have one.
 * @param {number} nside
 * @param {Map<number, number>} at the index of each pixel's value; those of the means are added
 * @param {number[]} unknown the pixels without likelihood
 * @param {number[]} found the values; the means are added
 */
function fill(nside, at, unknown, found) {
  /** @type {[number, number][]} */
  const means = [];
  for (const nest of unknown) {
    let sum = 0;
    let count = 0;
    for (const neighbour of neighbours(nside, nest)) {
      const index = at.get(neighbour);
      if (index === undefined) continue;
      sum += found[index];
      count += 1;
    }
    if (count >= 3) means.push([nest, sum / count]);
  }
  // Only now, so that no mean is made of another.
  for (const [nest, mean] of means) at.set(nest, found.push(mean) - 1);
}

/**
 * The cells of the sky that hold finer pixels, whether these have a likelihood or not.
 * @param {Map<number, number[]>} scanned the pixels of each order
 * @returns {Set<number>[]} their NESTED numbers, by order
 */
function dividedBy(scanned) {
  /** @type {Set<number>[]} */
  const divided = [];
  for (let order = Math.max(0, ...scanned.keys()); order >= 0; order--) {
    divided[order] = new Set();
    for (const finer of [divided[order + 1] ?? [], scanned.get(order + 1) ?? []])
      for (const nest of finer) divided[order].add(Math.floor(nest / 4));
  }
  return divided;
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
    /** @type {Map<number, number[]>} the pixels of each order, with a likelihood or without */
    const scanned = new Map();
    for (const [name, table] of Object.entries(result)) {
      const nside = Number(name.replace(/^nside-/, ""));
      const index = table.columns.indexOf("index");
      const llh = table.columns.indexOf("llh");
      /** @type {Map<number, number>} */
      const at = new Map();
      const nests = table.data.map((row) => ring2nest(nside, Number(row[index])));
      /** @type {number[]} */
      const unknown = [];
      table.data.forEach((row, place) => {
        const value = row[llh];
        if (typeof value === "number" && Number.isFinite(value)) at.set(nests[place], found.push(value) - 1);
        else unknown.push(nests[place]);
      });
      fill(nside, at, unknown, found);
      this.pixels += nests.length;
      scanned.set(Math.log2(nside), nests);
      if (at.size) this.levels.push({ nside, order: Math.log2(nside), at, dense: dense(nside, at), share: 1 });
    }
    this.levels.sort((one, other) => other.order - one.order);
    /** The finest nside; 1 where there is no pixel. */
    this.nside = this.levels[0]?.nside ?? 1;
    for (const level of this.levels) level.share = (this.nside / level.nside) ** 2;
    this.#maskShare = 4 ** (Math.log2(this.nside) - MASK_ORDER);
    const least = this.#least(found, scanned);
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
   * The least value of the sky that is shown, and the first of the library's cells that show it.
   * @param {number[]} found
   * @param {Map<number, number[]>} scanned the pixels of each order, with a likelihood or without
   * @returns {{llh: number, cell: Cell | null}}
   */
  #least(found, scanned) {
    const divided = dividedBy(scanned);
    let llh = Infinity;
    /** @type {Cell | null} */
    let cell = null;
    for (const { order, at } of this.levels)
      for (const [nest, index] of at) {
        if (found[index] > llh) continue;
        const first = this.#firstOf(order, nest, divided);
        if (!first) continue;
        const isBefore =
          !cell || first.nside < cell.nside || (first.nside === cell.nside && first.nest < cell.nest);
        if (found[index] < llh || isBefore) cell = first;
        llh = found[index];
      }
    return { llh, cell };
  }

  /**
   * The largest cell that shows a pixel: all of it, or a part of it that no finer pixel with a value covers.
   * @param {number} order
   * @param {number} nest
   * @param {Set<number>[]} divided the cells that hold finer pixels, by order
   * @returns {Cell | null} of equal ones the first; null where finer pixels cover all of it
   */
  #firstOf(order, nest, divided) {
    let parts = [nest];
    for (let at = order; parts.length; at++) {
      const values = at > order ? this.levels.find((level) => level.order === at)?.at : undefined;
      const shown = values ? parts.filter((part) => !values.has(part)) : parts;
      const whole = shown.find((part) => !divided[at].has(part));
      if (whole !== undefined) return { nside: 2 ** at, nest: whole, value: 0 };
      parts = shown.flatMap((part) => [4 * part, 4 * part + 1, 4 * part + 2, 4 * part + 3]);
    }
    return null;
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
