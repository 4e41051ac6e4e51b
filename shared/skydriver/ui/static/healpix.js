// @ts-check
/**
 * HEALPix on the sphere: pixels by number and by direction.
 *
 * Written from Górski et al. 2005, ApJ 622, 759 (sections 4 and 5, and equations 2 to 9): twelve faces, each
 * a square of nside x nside pixels with x to the north-east and y to the north-west of its southern corner.
 * A NESTED number interleaves the bits of x and y; a RING number counts from the north, ring by ring.
 *
 * Angles are in radians: theta from the north pole, phi to the east. A `Direction` is [x, y, z], of length 1.
 */

/** @typedef {[number, number, number]} Direction */

/** Where the southern corner of each face lies: rings of faces from the north, and eighths of a turn. */
const FACE_RING = [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
const FACE_EIGHTH = [1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7];

/**
 * Spread the 16 bits of a number over the even bits of 32.
 * @param {number} value
 * @returns {number}
 */
function spread(value) {
  let bits = value & 0xffff;
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}

/**
 * Gather the even bits of 32 into 16.
 * @param {number} value
 * @returns {number}
 */
function gather(value) {
  let bits = value & 0x55555555;
  bits = (bits | (bits >>> 1)) & 0x33333333;
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f;
  bits = (bits | (bits >>> 4)) & 0x00ff00ff;
  return (bits | (bits >>> 8)) & 0xffff;
}

/**
 * The NESTED number of a pixel in a face.
 * @param {number} nside
 * @param {number} face
 * @param {number} x
 * @param {number} y
 * @returns {number}
 */
function nestOf(nside, face, x, y) {
  return face * nside * nside + ((spread(x) | (spread(y) << 1)) >>> 0);
}

/**
 * The direction of a point in a face.
 * @param {number} face
 * @param {number} x from 0 to 1, along the edge to the north-east
 * @param {number} y from 0 to 1, along the edge to the north-west
 * @returns {Direction}
 */
function faceDirection(face, x, y) {
  const ring = FACE_RING[face] - x - y; // 0 at the north pole, 2 on the equator, 4 at the south pole
  let width = 1; // of a face's row, as part of a quarter turn
  let z;
  let radius; // sin(theta)
  if (ring < 1 || ring > 3) {
    width = ring < 1 ? ring : 4 - ring;
    const cap = (width * width) / 3; // 1 - |z|
    z = ring < 1 ? 1 - cap : cap - 1;
    radius = Math.sqrt(cap * (2 - cap));
  } else {
    z = ((2 - ring) * 2) / 3;
    radius = Math.sqrt(1 - z * z);
  }
  const eighths = FACE_EIGHTH[face] * width + x - y;
  const phi = width < 1e-15 ? 0 : ((eighths / width) * Math.PI) / 4;
  return [radius * Math.cos(phi), radius * Math.sin(phi), z];
}

/**
 * The pixel at a height and a longitude.
 * @param {number} nside
 * @param {number} z the height, from -1 to 1
 * @param {number} cap 1 - |z|, which is given since close to a pole z cannot tell it
 * @param {number} phi
 * @returns {number} its NESTED number
 */
export function nestAt(nside, z, cap, phi) {
  const turn = phi / (2 * Math.PI);
  const quarters = Math.min((turn - Math.floor(turn)) * 4, 3.9999999999999996);
  if (cap >= 1 / 3) {
    const along = nside * (0.5 + quarters);
    const up = nside * z * 0.75;
    const down = Math.floor(along - up); // lines that fall to the east, and those that rise
    const rise = Math.floor(along + up);
    const faceDown = Math.floor(down / nside);
    const faceRise = Math.floor(rise / nside);
    const face =
      faceDown === faceRise ? (faceDown & 3) + 4 : faceDown < faceRise ? faceDown : faceRise + 8;
    return nestOf(nside, face, rise & (nside - 1), nside - 1 - (down & (nside - 1)));
  }
  const quarter = Math.floor(quarters);
  const part = quarters - quarter;
  const rows = nside * Math.sqrt(3 * cap); // from the pole
  const east = Math.min(Math.floor(part * rows), nside - 1);
  const west = Math.min(Math.floor((1 - part) * rows), nside - 1);
  return z >= 0
    ? nestOf(nside, quarter, nside - 1 - west, nside - 1 - east)
    : nestOf(nside, quarter + 8, east, west);
}

/**
 * The pixel of a direction.
 * @param {number} nside
 * @param {number} theta
 * @param {number} phi
 * @returns {number} its NESTED number
 */
export function ang2nest(nside, theta, phi) {
  const half = Math.sin((theta < Math.PI / 2 ? theta : Math.PI - theta) / 2);
  return nestAt(nside, Math.cos(theta), 2 * half * half, phi);
}

/**
 * The pixel of a direction.
 * @param {number} nside
 * @param {number} x
 * @param {number} y
 * @param {number} z
 * @returns {number} its NESTED number
 */
export function vec2nest(nside, x, y, z) {
  const height = Math.abs(z);
  // (1 - |z|) (1 + |z|) = x^2 + y^2
  return nestAt(nside, z, height > 0.9 ? (x * x + y * y) / (1 + height) : 1 - height, Math.atan2(y, x));
}

/**
 * The direction of a point in a pixel.
 * @param {number} nside
 * @param {number} nest
 * @param {number} [across] 0 to 1, from its southern corner to the eastern one
 * @param {number} [up] 0 to 1, from its southern corner to the western one
 * @returns {Direction} by default that of its centre
 */
export function nest2vec(nside, nest, across = 0.5, up = 0.5) {
  const face = Math.floor(nest / (nside * nside));
  const rest = nest - face * nside * nside;
  const x = gather(rest);
  const y = gather(Math.floor(rest / 2));
  return faceDirection(face, (x + across) / nside, (y + up) / nside);
}

/**
 * The centre of a pixel.
 * @param {number} nside
 * @param {number} nest
 * @returns {[number, number]} theta and phi
 */
export function nest2ang(nside, nest) {
  const [x, y, z] = nest2vec(nside, nest);
  const phi = Math.atan2(y, x);
  return [Math.atan2(Math.hypot(x, y), z), phi < 0 ? phi + 2 * Math.PI : phi];
}

/** Points of a pixel close to its corners, as parts of its edges: a pole, which is a corner, has no east. */
const [NEAR, FAR] = [1 / 2048, 2047 / 2048];
/** @type {[number, number][]} */
const CORNERS = [
  [NEAR, NEAR],
  [FAR, NEAR],
  [FAR, FAR],
  [NEAR, FAR],
];
/** Directions of a small circle around a corner, to the east and to the north. */
const AROUND = Array.from({ length: 12 }, (_, index) => {
  const turn = ((index + 0.5) * Math.PI) / 6;
  return [Math.cos(turn), Math.sin(turn)];
});

/**
 * The pixels that share an edge or a corner with a pixel, found by looking around its corners.
 * @param {number} nside
 * @param {number} nest
 * @returns {Set<number>} their NESTED numbers
 */
export function neighbours(nside, nest) {
  /** @type {Set<number>} */
  const found = new Set();
  const step = (0.01 * Math.sqrt(Math.PI / 3)) / nside;
  const length = Math.sqrt(1 + step * step);
  for (const [across, up] of CORNERS) {
    const [x, y, z] = nest2vec(nside, nest, across, up);
    const radius = Math.hypot(x, y);
    for (const [toEast, toNorth] of AROUND) {
      const east = (step * toEast) / radius;
      const north = (step * toNorth) / radius;
      found.add(
        vec2nest(
          nside,
          (x - y * east - x * z * north) / length,
          (y + x * east - y * z * north) / length,
          (z + radius * radius * north) / length,
        ),
      );
    }
  }
  found.delete(nest);
  return found;
}

/**
 * The border of a pixel.
 * @param {number} nside
 * @param {number} nest
 * @param {number} [steps] along each of its four edges
 * @returns {Direction[]} from its southern corner by the east, the north and the west
 */
export function boundary(nside, nest, steps = 1) {
  /** @type {Direction[]} */
  const points = [];
  for (let step = 0; step < steps; step++) points.push(nest2vec(nside, nest, step / steps, 0));
  for (let step = 0; step < steps; step++) points.push(nest2vec(nside, nest, 1, step / steps));
  for (let step = 0; step < steps; step++) points.push(nest2vec(nside, nest, 1 - step / steps, 1));
  for (let step = 0; step < steps; step++) points.push(nest2vec(nside, nest, 0, 1 - step / steps));
  return points;
}

/**
 * The NESTED number of a pixel by its RING number.
 * @param {number} nside
 * @param {number} ring
 * @returns {number}
 */
export function ring2nest(nside, ring) {
  const pixels = 12 * nside * nside;
  const capPixels = 2 * nside * (nside - 1);
  if (ring >= capPixels && ring < pixels - capPixels) {
    const from = ring - capPixels;
    const row = Math.floor(from / (4 * nside)) + nside;
    const place = (from % (4 * nside)) + ((row - nside) % 2 ? 0 : 0.5);
    const z = (4 * nside - 2 * row) / (3 * nside);
    return nestAt(nside, z, 1 - Math.abs(z), ((place / nside) * Math.PI) / 2);
  }
  const north = ring < capPixels;
  const before = north ? ring : pixels - 1 - ring; // counted from the pole
  let row = Math.floor((1 + Math.sqrt(1 + 2 * before)) / 2);
  if (2 * row * (row - 1) > before) row -= 1;
  if (2 * row * (row + 1) <= before) row += 1;
  const place = before - 2 * row * (row - 1);
  const cap = (row * row) / (3 * nside * nside);
  const quarters = ((north ? place : 4 * row - 1 - place) + 0.5) / row;
  return nestAt(nside, north ? 1 - cap : cap - 1, cap, (quarters * Math.PI) / 2);
}
