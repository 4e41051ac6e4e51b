// @ts-check
/**
 * The colours of the map: those of the library's pictures (`skymap/picture`), light is likely.
 *
 * viridis (N. Smith and S. van der Walt, CC0) can be read with any kind of colour vision, and in grey; lines
 * are told apart by style, too, and have colours of Okabe and Ito.
 */

const VIRIDIS =
  "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e21918c1f988b" +
  "1fa08822a78528ae8032b67a3fbc734ec36b5ec96270cf5784d44b98d83eaddc30c2df23d8e219ece51bfde725";
const STOPS = VIRIDIS.length / 6 - 1;
const SHADES = 256;

/**
 * A shade from dark (0) to light (1).
 * @param {number} part
 * @returns {[number, number, number]} red, green and blue, from 0 to 255
 */
export function shade(part) {
  const place = Math.min(Math.max(part, 0), 1) * STOPS;
  const stop = Math.min(Math.floor(place), STOPS - 1);
  const [from, to] = [stop, stop + 1].map((at) => parseInt(VIRIDIS.slice(6 * at, 6 * at + 6), 16));
  /** @param {number} shift */
  const mixed = (shift) => {
    const [one, other] = [(from >> shift) & 255, (to >> shift) & 255];
    return Math.round(one + (other - one) * (place - stop));
  };
  return [mixed(16), mixed(8), mixed(0)];
}

/** The shades of values from the least (light) to the greatest (dark), as pixels of an ImageData. */
export const PIXELS = Uint32Array.from({ length: SHADES }, (_, index) => {
  const [red, green, blue] = shade(1 - index / (SHADES - 1));
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
});

/** @typedef {{name: string, colour: string, dash: number[]}} Line */

/** @type {Record<string, Line>} the lines around regions, by level */
export const LINES = {
  50: { name: "50 %", colour: "#000000", dash: [] },
  90: { name: "90 %", colour: "#D55E00", dash: [7, 3] },
  "3sigma": { name: "3 sigma", colour: "#0072B2", dash: [2, 3] },
};
