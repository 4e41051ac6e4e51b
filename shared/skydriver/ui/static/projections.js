// @ts-check
/**
 * How the sky lies on the map: the whole of it, or the surroundings of a direction. North is up, east is left.
 *
 * The same projections as in the library's pictures (`skymap/views`): the plane has x to the right and y up.
 */

import { nestAt, vec2nest } from "./healpix.js";

/** @typedef {import("./healpix.js").Direction} Direction */
/** @typedef {[number, number]} Point */

const ROOT = Math.sqrt(2);
const DEGREE = Math.PI / 180;

/** Rotates ICRS directions into galactic ones (Hipparcos catalogue, ESA SP-1200, vol. 1, section 1.5.3). */
const ICRS_TO_GALACTIC = [
  [-0.0548755604162154, -0.873437090234885, -0.4838350155487132],
  [0.4941094278755837, -0.44482962996001117, 0.7469822444972189],
  [-0.8676661490190047, -0.19807637343120155, 0.4559837761750669],
];

/**
 * The direction of a longitude and a latitude, in degrees.
 * @param {number} longitude
 * @param {number} latitude
 * @returns {Direction}
 */
export function directionOf(longitude, latitude) {
  const radius = Math.cos(latitude * DEGREE);
  return [
    radius * Math.cos(longitude * DEGREE),
    radius * Math.sin(longitude * DEGREE),
    Math.sin(latitude * DEGREE),
  ];
}

/**
 * Longitude (0 to 360) and latitude of a direction, in degrees.
 * @param {Direction} direction
 * @returns {[number, number]}
 */
export function degreesOf([x, y, z]) {
  const longitude = Math.atan2(y, x) / DEGREE;
  return [longitude < 0 ? longitude + 360 : longitude, Math.atan2(z, Math.hypot(x, y)) / DEGREE];
}

/**
 * The galactic direction of an ICRS one.
 * @param {Direction} direction
 * @returns {Direction}
 */
export function toGalactic([x, y, z]) {
  const [l, m, n] = ICRS_TO_GALACTIC.map((row) => row[0] * x + row[1] * y + row[2] * z);
  return [l, m, n];
}

/**
 * The ICRS direction of a galactic one.
 * @param {Direction} direction
 * @returns {Direction}
 */
export function fromGalactic([x, y, z]) {
  const [a, b, c] = ICRS_TO_GALACTIC;
  return [a[0] * x + b[0] * y + c[0] * z, a[1] * x + b[1] * y + c[1] * z, a[2] * x + b[2] * y + c[2] * z];
}

/** Mollweide's projection of the whole sky (Snyder 1987, USGS Professional Paper 1395, chapter 31). */
export class FullSky {
  /** @param {number} [middle] the longitude in its middle, in degrees: RA 12 h as in the library's pictures */
  constructor(middle = 180) {
    this.middle = middle;
    this.halfWidth = 2 * ROOT;
    this.halfHeight = ROOT;
  }

  /**
   * Where a direction lies.
   * @param {Direction} direction
   * @returns {Point}
   */
  project(direction) {
    const [longitude, latitude] = degreesOf(direction);
    return this.place(((((longitude - this.middle + 180) % 360) + 360) % 360) - 180, latitude);
  }

  /**
   * Where a point of a meridian lies.
   * @param {number} offset degrees to the east of the middle one, from -180 to 180
   * @param {number} latitude in degrees
   * @returns {Point}
   */
  place(offset, latitude) {
    const target = Math.PI * Math.sin(latitude * DEGREE);
    let theta = latitude * DEGREE;
    for (let round = 0; round < 30; round++) {
      // Newton's method; at the poles, where it would divide by 0, theta is the latitude.
      const slope = Math.max(2 + 2 * Math.cos(2 * theta), 1e-9);
      const step = (2 * theta + Math.sin(2 * theta) - target) / slope;
      theta = Math.min(Math.max(theta - step, -Math.PI / 2), Math.PI / 2);
      if (Math.abs(step) < 1e-12) break;
    }
    return [((-2 * ROOT) / Math.PI) * offset * DEGREE * Math.cos(theta), ROOT * Math.sin(theta)];
  }

  /**
   * The direction of a point.
   * @param {Point} point
   * @returns {Direction | null} null beside the sky
   */
  direction([x, y]) {
    if (Math.abs(y) >= ROOT) return null;
    const theta = Math.asin(y / ROOT);
    const offset = (-Math.PI * x) / (2 * ROOT * Math.cos(theta));
    if (Math.abs(offset) > Math.PI) return null;
    const height = (2 * theta + Math.sin(2 * theta)) / Math.PI;
    return directionOf(this.middle + offset / DEGREE, Math.asin(height) / DEGREE);
  }

  /**
   * The pixels along a row of the picture.
   * @param {number} nside
   * @param {number} y of the row
   * @param {number} left x of its first point
   * @param {number} step from point to point
   * @param {Float64Array} nests where to write their NESTED numbers; -1 beside the sky
   */
  pixels(nside, y, left, step, nests) {
    if (Math.abs(y) >= ROOT) {
      nests.fill(-1);
      return;
    }
    const theta = Math.asin(y / ROOT);
    const z = (2 * theta + Math.sin(2 * theta)) / Math.PI;
    const turn = -Math.PI / (2 * ROOT * Math.cos(theta));
    const middle = this.middle * DEGREE;
    for (let column = 0; column < nests.length; column++) {
      const offset = turn * (left + column * step);
      nests[column] = Math.abs(offset) > Math.PI ? -1 : nestAt(nside, z, 1 - Math.abs(z), middle + offset);
    }
  }
}

/** Lambert's equal-area projection about a direction. */
export class Zoom {
  /**
   * @param {Direction} centre
   * @param {number} halfHeight degrees from the middle to the upper edge
   */
  constructor(centre, halfHeight) {
    this.centre = centre;
    this.degrees = halfHeight;
    this.halfHeight = 2 * Math.sin((halfHeight * DEGREE) / 2);
    this.halfWidth = this.halfHeight;
    const longitude = Math.atan2(centre[1], centre[0]);
    /** @type {Direction} */
    this.east = [-Math.sin(longitude), Math.cos(longitude), 0];
    const [x, y, z] = centre;
    /** @type {Direction} the cross product of centre and east */
    this.north = [-z * this.east[1], z * this.east[0], x * this.east[1] - y * this.east[0]];
  }

  /**
   * Where a direction lies.
   * @param {Direction} direction
   * @returns {Point | null} null close to the point opposite to the middle, which is spread over the rim
   */
  project([x, y, z]) {
    const along = 1 + x * this.centre[0] + y * this.centre[1] + z * this.centre[2];
    if (along < 0.195) return null;
    const scale = Math.sqrt(2 / along);
    return [
      -scale * (x * this.east[0] + y * this.east[1]),
      scale * (x * this.north[0] + y * this.north[1] + z * this.north[2]),
    ];
  }

  /**
   * The direction of a point.
   * @param {Point} point
   * @returns {Direction | null} null beside the sky
   */
  direction([x, y]) {
    const square = x * x + y * y;
    if (square > 4) return null;
    const along = 1 - square / 2;
    const scale = Math.sqrt(1 - square / 4);
    const { centre, east, north } = this;
    return [
      along * centre[0] + scale * (y * north[0] - x * east[0]),
      along * centre[1] + scale * (y * north[1] - x * east[1]),
      along * centre[2] + scale * y * north[2],
    ];
  }

  /**
   * The pixels along a row of the picture.
   * @param {number} nside
   * @param {number} y of the row
   * @param {number} left x of its first point
   * @param {number} step from point to point
   * @param {Float64Array} nests where to write their NESTED numbers; -1 beside the sky
   */
  pixels(nside, y, left, step, nests) {
    const { centre, east, north } = this;
    for (let column = 0; column < nests.length; column++) {
      // `direction`, without a list for each point.
      const x = left + column * step;
      const square = x * x + y * y;
      const along = 1 - square / 2;
      const scale = Math.sqrt(1 - square / 4);
      nests[column] =
        square > 4
          ? -1
          : vec2nest(
              nside,
              along * centre[0] + scale * (y * north[0] - x * east[0]),
              along * centre[1] + scale * (y * north[1] - x * east[1]),
              along * centre[2] + scale * y * north[2],
            );
    }
  }
}
