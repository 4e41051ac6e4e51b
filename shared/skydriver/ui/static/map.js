// @ts-check
/**
 * The map of a scan, on a canvas in `<figure id="map" data-result="…" data-contours="…" data-summary="…">`, whose
 * attributes are the paths to ask; without this module the figure's picture is there. Beside it this fills
 * `<dl data-summary>` with the numbers of the same result.
 *
 * A new result is looked for when the page was refreshed (`refresh.js`), and drawn in one go.
 */

import { Cells } from "./cells.js";
import { LINES, PIXELS, shade } from "./colours.js";
import { announce } from "./live.js";
import { FullSky, Zoom, degreesOf, directionOf, fromGalactic, toGalactic } from "./projections.js";
import { fill } from "./summary.js";

/** @typedef {import("./healpix.js").Direction} Direction */
/** @typedef {import("./projections.js").Point} Point */
/** @typedef {{level: string, rings: {outer: [number, number][], holes: [number, number][][]}[]}} Region */
/** @typedef {"grid" | "plane" | "regions"} Layer */

/** The range of colours around the best fit: the last colour stands for all beyond, as in the pictures. */
const DEPTH = 40;
/** Degrees from the middle of the map to its upper edge: beyond the widest the whole sky is shown. */
const WIDEST = 45;
const NARROWEST = 0.1;
const AGAIN_MS = 15_000;
/** The status of an answer that has to wait until there is less to do. */
const TOO_MANY = 429;
const FIRST_ZOOM = 30;
const LEGEND_HEIGHT = 74;
const MOST_PIXELS = 1_200_000;
const LINE_COLOUR = "#8a8a8a";
const KEYS =
  "Arrow keys move a cross (with Shift further), + and − zoom, 0 shows the whole sky, B the best fit. " +
  "With a mouse: wheel, drag, double click.";

/** @type {Record<Layer, string>} */
const LAYERS = { grid: "Grid", plane: "Galactic plane", regions: "Contours" };

/**
 * An element with a text.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [text]
 * @param {string} [name] of its class
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function element(tag, text = "", name = "") {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (name) made.className = name;
  return made;
}

/**
 * A number with its sign, as people write it.
 * @param {number} value
 * @param {number} digits
 */
function signed(value, digits) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}

/**
 * The least round number (1, 2 or 5 times a power of ten, or a part of a turn) that is at least so large.
 * @param {number} least
 */
function round(least) {
  for (const step of [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]) if (step >= least) return step;
  return 30;
}

/** A figure with the map of a scan. */
class SkyMap {
  /** @param {HTMLElement} figure */
  constructor(figure) {
    this.figure = figure;
    const { result = "", contours = "", summary = "" } = figure.dataset;
    this.paths = { result, contours, summary };
    this.cells = new Cells({});
    /** @type {Region[]} */
    this.regions = [];
    /** @type {FullSky | Zoom} */
    this.view = new FullSky();
    /** @type {Direction | null} where the cross is */
    this.cross = null;
    /** @type {Set<Layer>} */
    this.layers = new Set(["grid", "plane", "regions"]);
    /** @type {Map<string, string>} the ETag of each answer that is shown */
    this.etags = new Map();
    /** @type {Map<number, Point>} pointers that are down */
    this.pointers = new Map();
    this.isDue = false;
    /** Whether the sky is drawn with every second pixel only, since it moves. */
    this.isMoving = false;
    this.rest = 0;
    this.isLoading = false;
    /** Whether a newer result was asked for while one was loading. */
    this.isAsked = false;
    /** Whether the service did not answer when it was last asked, or had too much to do. */
    this.isAway = false;
    this.again = 0;
    this.width = 0;
    this.height = 0;
    this.ratio = 1;

    this.canvas = element("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-describedby", "map-keys");
    this.back = element("canvas");
    this.sky = element("canvas");
    this.readout = element("p", "Point at the map to read a direction.", "map-readout");
    this.pen = /** @type {CanvasRenderingContext2D} */ (this.back.getContext("2d"));
    this.tools = this.#tools();
  }

  /** Build what is shown, and load the first result. */
  async start() {
    const keys = element("p", KEYS, "map-keys");
    keys.id = "map-keys";
    const before = this.figure.querySelector("figcaption");
    for (const part of [this.canvas, this.readout, this.tools, keys]) {
      if (part === this.canvas) part.hidden = true;
      this.figure.insertBefore(part, before);
    }
    this.#listen();
    document.addEventListener("skydriver:refreshed", () => void this.load());
    await this.load();
  }

  // --- data

  /** Ask for the result, and draw it if it is new; once more if that was asked for meanwhile. */
  async load() {
    // The last refresh of a page tells of the final result: it must not be lost.
    this.isAsked = true;
    if (this.isLoading) return;
    this.isLoading = true;
    clearTimeout(this.again);
    while (this.isAsked) {
      this.isAsked = false;
      await this.#loadOnce();
    }
    this.isLoading = false;
    // A page of a scan that is over is not refreshed, so the map tries again by itself.
    if (this.isAway) this.again = setTimeout(() => void this.load(), AGAIN_MS);
  }

  async #loadOnce() {
    this.isAway = false;
    const answer = await this.#get(this.paths.result);
    if (answer) {
      const start = performance.now();
      this.#show(new Cells(answer.skyscan_result ?? {}));
      performance.measure("skydriver-cells", { start });
    }
    // Numbers of a partial result come later than its pixels, and not at all while it shows no direction.
    if (this.cells.best) await Promise.all([this.#loadRegions(), this.#loadSummary()]);
  }

  async #loadRegions() {
    const answer = await this.#get(this.paths.contours);
    if (!answer) return;
    this.regions = answer.regions;
    this.#draw();
  }

  async #loadSummary() {
    const list = document.querySelector("dl[data-summary]");
    if (!list) return;
    const answer = await this.#get(this.paths.summary);
    if (answer) fill(list, answer);
  }

  /**
   * Ask for JSON.
   * @param {string} path
   * @returns {Promise<any>} null where nothing is new, there is none, or the service is away
   */
  async #get(path) {
    const etag = this.etags.get(path);
    try {
      const answer = await fetch(path, {
        cache: "no-store",
        headers: { Accept: "application/json", ...(etag ? { "If-None-Match": etag } : {}) },
      });
      if (answer.status === TOO_MANY || answer.status >= 500) this.isAway = true;
      if (!answer.ok) return null;
      const read = await answer.json();
      this.etags.set(path, answer.headers.get("ETag") ?? "");
      return read;
    } catch {
      this.isAway = true;
      return null;
    }
  }

  /** @param {Cells} cells */
  #show(cells) {
    this.cells = cells;
    for (const picture of this.figure.querySelectorAll("img")) picture.hidden = true;
    this.canvas.hidden = false;
    const best = cells.bestDirection();
    const found = best ? `best fit at ${this.#coordinates(best)}` : "no best fit yet";
    this.canvas.setAttribute("aria-label", `Map of the sky, ${cells.pixels} pixels, ${found}`);
    this.#resize();
    this.figure.dataset.pixels = String(cells.pixels);
  }

  // --- the view

  /** Where the picture's middle is, and how many of its pixels (of CSS) one unit of the plane takes. */
  get #frame() {
    const height = this.height - LEGEND_HEIGHT;
    const scale = Math.min(
      (height - 8) / (2 * this.view.halfHeight),
      this.view instanceof FullSky ? (this.width - 8) / (2 * this.view.halfWidth) : Infinity,
    );
    return { x: this.width / 2, y: height / 2, scale, height };
  }

  /**
   * @param {Point} at of the canvas
   * @returns {Point} of the plane
   */
  #toPlane([x, y]) {
    const frame = this.#frame;
    return [(x - frame.x) / frame.scale, (frame.y - y) / frame.scale];
  }

  /**
   * @param {Point} at of the plane
   * @returns {Point} of the canvas
   */
  #toCanvas([x, y]) {
    const frame = this.#frame;
    return [frame.x + x * frame.scale, frame.y - y * frame.scale];
  }

  /** @param {Direction} direction */
  #placeOf(direction) {
    const point = this.view.project(direction);
    return point && this.#toCanvas(point);
  }

  /** @param {Point} at */
  #directionAt(at) {
    return at[1] > this.#frame.height ? null : this.view.direction(this.#toPlane(at));
  }

  /**
   * Turn the sky so that a direction lies at a point.
   * @param {Direction} direction
   * @param {Point} at
   */
  #bring(direction, at) {
    if (this.view instanceof FullSky) {
      const there = this.view.direction(this.#toPlane(at));
      if (!there) return;
      this.view = new FullSky(this.view.middle + degreesOf(direction)[0] - degreesOf(there)[0]);
      return;
    }
    for (let step = 0; step < 3; step++) {
      const [x, y] = this.#toPlane(at);
      /** @type {Point | null} */
      const point = this.view.project(direction);
      /** @type {Direction | null} */
      const centre = point && this.view.direction([point[0] - x, point[1] - y]);
      if (centre) this.view = new Zoom(centre, this.view.degrees);
    }
  }

  /**
   * Zoom, with what is at a point staying there.
   * @param {Point} at
   * @param {number} factor below 1 to see less of the sky
   * @returns {boolean} whether there was anything to zoom
   */
  #zoom(at, factor) {
    if (this.view instanceof FullSky) {
      const direction = this.#directionAt(at);
      if (factor >= 1 || !direction) return false;
      this.view = new Zoom(direction, FIRST_ZOOM);
      this.#bring(direction, at);
    } else if (this.view.degrees * factor > WIDEST) {
      this.view = new FullSky();
    } else {
      const direction = this.#directionAt(at) ?? this.view.centre;
      this.view = new Zoom(this.view.centre, Math.max(this.view.degrees * factor, NARROWEST));
      this.#bring(direction, at);
    }
    this.#drawMoving();
    return true;
  }

  #showAll() {
    this.view = new FullSky();
    this.#draw();
  }

  #showBest() {
    const best = this.cells.bestDirection();
    if (!best) return;
    let reach = 0;
    for (const region of this.regions)
      for (const ring of region.rings)
        for (const [ra, dec] of ring.outer) {
          const [x, y, z] = directionOf(ra, dec);
          reach = Math.max(reach, Math.acos(Math.min(1, x * best[0] + y * best[1] + z * best[2])));
        }
    const width = (180 / Math.PI) * Math.max(1.3 * reach, 3 / this.cells.nside);
    this.view = new Zoom(best, Math.min(Math.max(width, NARROWEST), WIDEST));
    this.#draw();
  }

  // --- people

  #tools() {
    const tools = element("div", "", "map-tools");
    tools.setAttribute("role", "group");
    tools.setAttribute("aria-label", "Map");
    const middle = () => /** @type {Point} */ ([this.#frame.x, this.#frame.y]);
    /** @type {[string, string, () => void][]} */
    const buttons = [
      ["Whole sky", "", () => this.#showAll()],
      ["Best fit", "", () => this.#showBest()],
      ["+", "Zoom in", () => this.#zoom(middle(), 0.6)],
      ["−", "Zoom out", () => this.#zoom(middle(), 1 / 0.6)],
    ];
    for (const [text, label, act] of buttons) {
      const button = element("button", text, "quiet");
      button.type = "button";
      if (label) button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
      tools.append(button);
    }
    for (const [layer, text] of /** @type {[Layer, string][]} */ (Object.entries(LAYERS))) {
      const label = element("label");
      const box = element("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) this.layers.add(layer);
        else this.layers.delete(layer);
        this.#draw();
      });
      label.append(box, ` ${text}`);
      tools.append(label);
    }
    return tools;
  }

  #listen() {
    const { canvas } = this;
    new ResizeObserver(() => this.#resize()).observe(this.figure);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    /** @param {MouseEvent} event @returns {Point} */
    const place = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("dblclick", (event) => this.#zoom(place(event), 0.5));
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (this.#zoom(place(event), Math.exp(Math.min(Math.max(event.deltaY, -200), 200) / 400)))
          event.preventDefault();
      },
      { passive: false },
    );
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
    });
    canvas.addEventListener("pointermove", (event) => this.#move(event.pointerId, place(event)));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"]))
      canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
  }

  /**
   * A pointer moves: one that is down drags, two pinch, another reads.
   * @param {number} pointer
   * @param {Point} to
   */
  #move(pointer, to) {
    const from = this.pointers.get(pointer);
    if (from) this.#drag(pointer, from, to);
    this.#read(this.#directionAt(to));
  }

  /**
   * @param {number} pointer
   * @param {Point} from
   * @param {Point} to
   */
  #drag(pointer, from, to) {
    const other = [...this.pointers].find(([id]) => id !== pointer)?.[1];
    if (other) {
      /** @param {Point} point */
      const apart = (point) => Math.max(Math.hypot(point[0] - other[0], point[1] - other[1]), 1);
      this.#zoom([(to[0] + other[0]) / 2, (to[1] + other[1]) / 2], apart(from) / apart(to));
    } else {
      const direction = this.#directionAt(from);
      if (direction) this.#bring(direction, to);
      this.#drawMoving();
    }
    this.pointers.set(pointer, to);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    /** @type {Record<string, Point>} */
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    const at = (this.cross && this.#placeOf(this.cross)) ?? /** @type {Point} */ ([this.#frame.x, this.#frame.y]);
    if (arrow) this.#moveCross(at, arrow, event.shiftKey ? 40 : 8);
    else if (event.key === "+" || event.key === "=") this.#zoom(at, 0.6);
    else if (event.key === "-") this.#zoom(at, 1 / 0.6);
    else if (event.key === "0" || event.key === "Home") this.#showAll();
    else if (event.key === "b" || event.key === "B") {
      this.cross = this.cells.bestDirection() ?? this.cross;
      this.#showBest();
    } else return;
    event.preventDefault();
    if (this.cross) {
      this.#read(this.cross);
      announce(this.readout.textContent ?? "");
    }
  }

  /**
   * @param {Point} at where the cross is
   * @param {Point} arrow where it goes
   * @param {number} step in pixels of CSS
   */
  #moveCross(at, arrow, step) {
    /** @type {Point} */
    const to = this.cross ? [at[0] + step * arrow[0], at[1] + step * arrow[1]] : at;
    const direction = this.#directionAt(to);
    if (!direction) return;
    this.cross = direction;
    const frame = this.#frame;
    const isInside = to[0] > 0 && to[0] < this.width && to[1] > 0 && to[1] < frame.height;
    if (!isInside) {
      this.#bring(direction, [frame.x, frame.y]);
    }
    this.#draw();
  }

  /** @param {Direction} direction */
  #coordinates(direction) {
    const digits = this.view instanceof FullSky ? 1 : 3;
    const [ra, dec] = degreesOf(direction);
    const [l, b] = degreesOf(toGalactic(direction));
    return (
      `RA ${ra.toFixed(digits)}°, Dec ${signed(dec, digits)}°, ` +
      `l ${l.toFixed(digits)}°, b ${signed(b, digits)}°`
    );
  }

  /** @param {Direction | null} direction */
  #read(direction) {
    if (!direction) return;
    const cell = this.cells.cellAt(direction);
    const value = cell ? `−2ΔlnL ${cell.value.toFixed(2)} (nside ${cell.nside})` : "not scanned";
    this.readout.textContent = `${this.#coordinates(direction)}: ${value}`;
  }

  // --- drawing

  #resize() {
    const width = this.figure.clientWidth;
    if (this.canvas.hidden || !width) return;
    this.width = width;
    this.height = Math.round(Math.min(Math.max(0.52 * width, 240), 560)) + LEGEND_HEIGHT;
    const pixels = this.width * this.height;
    this.ratio = Math.min(devicePixelRatio || 1, 2, Math.sqrt(MOST_PIXELS / pixels));
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.#draw();
  }

  /** Draw before the next frame, once, however often this is called until then. */
  #draw() {
    if (this.isDue || !this.width) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      const began = performance.now();
      this.#paint();
      performance.measure("skydriver-map", { start: began });
    });
  }

  /** Draw while the sky moves: coarsely, and once more when it rests. */
  #drawMoving() {
    this.isMoving = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.isMoving = false;
      this.#draw();
    }, 150);
    this.#draw();
  }

  /** Draw all of it beside the canvas, then put it there at once: so nothing flickers. */
  #paint() {
    const [width, height] = [this.width, this.height].map((length) => Math.round(length * this.ratio));
    this.back.width = width;
    this.back.height = height;
    this.#paintSky();
    this.pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.pen.save();
    this.#clip();
    if (this.layers.has("grid")) this.#paintGrid();
    if (this.layers.has("plane")) this.#paintPlane();
    if (this.layers.has("regions")) this.#paintRegions();
    this.#paintBest();
    this.#paintCross();
    this.pen.restore();
    this.#paintRim();
    if (this.layers.has("grid")) this.#paintLabels();
    this.#paintLegend();
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const shown = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    shown.globalCompositeOperation = "copy";
    shown.drawImage(this.back, 0, 0);
    this.figure.dataset.view = this.view instanceof FullSky ? "full" : "zoom";
    // A finger scrolls the page until the map is zoomed; then it moves the map.
    this.canvas.style.touchAction = this.view instanceof FullSky ? "pan-y" : "none";
  }

  /** The colours of text and of sky that was not scanned, by the page's own. */
  get #theme() {
    const text = getComputedStyle(this.figure).color;
    const [red, green, blue] = (text.match(/[\d.]+/g) ?? []).map(Number);
    const isDark = red + green + blue > 384;
    return { text, casing: isDark ? "#000000" : "#ffffff", empty: isDark ? 0xff3a3a3a : 0xffd9d9d9, isDark };
  }

  get #depth() {
    return this.view instanceof FullSky ? Math.max(this.cells.greatest, 1) : DEPTH;
  }

  #paintSky() {
    const frame = this.#frame;
    const { cells, sky } = this;
    const ratio = this.isMoving ? this.ratio / 2 : this.ratio;
    const rows = Math.round(frame.height * ratio);
    const columns = Math.round(this.width * ratio);
    sky.width = columns;
    sky.height = rows;
    const pen = /** @type {CanvasRenderingContext2D} */ (sky.getContext("2d"));
    const image = pen.createImageData(columns, rows);
    const colours = new Uint32Array(image.data.buffer);
    const nests = new Float64Array(columns);
    const step = 1 / (frame.scale * ratio);
    const factor = (PIXELS.length - 1) / this.#depth;
    const { empty } = this.#theme;
    for (let row = 0; row < rows; row++) {
      const y = (frame.y - (row + 0.5) / ratio) / frame.scale;
      this.view.pixels(cells.nside, y, (0.5 / ratio - frame.x) / frame.scale, step, nests);
      let last = -2;
      let colour = 0;
      for (let column = 0; column < columns; column++) {
        const nest = nests[column];
        if (nest < 0) continue;
        if (nest !== last) {
          const index = cells.indexAt(nest);
          last = nest;
          colour = index < 0 ? empty : PIXELS[Math.min(Math.floor(cells.values[index] * factor), PIXELS.length - 1)];
        }
        colours[row * columns + column] = colour;
      }
    }
    pen.putImageData(image, 0, 0);
    this.pen.imageSmoothingEnabled = false;
    this.pen.drawImage(sky, 0, 0, this.back.width, Math.round(frame.height * this.ratio));
  }

  #outline() {
    const { pen } = this;
    const frame = this.#frame;
    pen.beginPath();
    if (this.view instanceof FullSky)
      pen.ellipse(
        ...this.#toCanvas([0, 0]),
        this.view.halfWidth * frame.scale,
        this.view.halfHeight * frame.scale,
        0,
        0,
        2 * Math.PI,
      );
    else pen.rect(0, 0, this.width, frame.height);
  }

  #clip() {
    this.#outline();
    this.pen.clip();
  }

  #paintRim() {
    this.#outline();
    this.pen.strokeStyle = this.#theme.text;
    this.pen.lineWidth = 1.5;
    this.pen.stroke();
  }

  /**
   * Add a line to the path, interrupted where it leaves on one side and returns on the other.
   * @param {Iterable<Direction>} directions
   */
  #trace(directions) {
    /** @type {Point | null} */
    let before = null;
    for (const direction of directions) {
      const point = this.view.project(direction);
      if (point) {
        const [x, y] = this.#toCanvas(point);
        if (before && Math.abs(point[0] - before[0]) < 1) this.pen.lineTo(x, y);
        else this.pen.moveTo(x, y);
      }
      before = point;
    }
  }

  /** The lines of the grid: their steps and ranges in degrees. */
  get #grid() {
    if (this.view instanceof FullSky) return { along: 30, up: 30, from: -90, to: 90, middle: this.view.middle, reach: 180 };
    const [middle, latitude] = degreesOf(this.view.centre);
    const frame = this.#frame;
    const size = (this.view.degrees * frame.x) / (frame.height / 2);
    const most = Math.max(size, this.view.degrees) * 1.5;
    const [from, to] = [Math.max(latitude - most, -90), Math.min(latitude + most, 90)];
    const hasPole = Math.abs(latitude) + most > 89;
    const shrink = Math.cos((latitude * Math.PI) / 180);
    return {
      along: hasPole ? 30 : round(this.view.degrees / 2 / shrink),
      up: round(this.view.degrees / 2),
      from,
      to,
      middle,
      reach: hasPole ? 180 : Math.min(180, most / Math.cos((Math.max(Math.abs(from), Math.abs(to)) * Math.PI) / 180)),
    };
  }

  /** @returns {{longitudes: number[], latitudes: number[]}} */
  #ticks() {
    const { along, up, from, to, middle, reach } = this.#grid;
    const longitudes = [];
    const latitudes = [];
    const last = reach >= 180 ? middle - reach + 360 - along / 2 : middle + reach;
    for (let at = Math.ceil((middle - reach) / along) * along; at <= last; at += along) longitudes.push(at);
    for (let at = Math.ceil(from / up) * up; at <= to; at += up) if (Math.abs(at) < 89.99) latitudes.push(at);
    return { longitudes, latitudes };
  }

  #paintGrid() {
    const { from, to, middle, reach } = this.#grid;
    const { longitudes, latitudes } = this.#ticks();
    this.pen.beginPath();
    const steps = Array.from({ length: 121 }, (_, index) => index / 120);
    for (const at of longitudes) this.#trace(steps.map((part) => directionOf(at, from + part * (to - from))));
    const edge = Math.min(reach, 179.999);
    for (const at of latitudes) this.#trace(steps.map((part) => directionOf(middle + (2 * part - 1) * edge, at)));
    this.pen.strokeStyle = LINE_COLOUR;
    this.pen.lineWidth = 0.7;
    this.pen.stroke();
  }

  /**
   * @param {string} text
   * @param {Point} at
   * @param {CanvasTextAlign} align
   */
  #write(text, [x, y], align = "center") {
    const { text: colour, casing } = this.#theme;
    this.pen.textAlign = align;
    this.pen.textBaseline = "middle";
    this.pen.lineWidth = 3;
    this.pen.lineJoin = "round";
    this.pen.strokeStyle = casing;
    this.pen.strokeText(text, x, y);
    this.pen.fillStyle = colour;
    this.pen.fillText(text, x, y);
  }

  #paintLabels() {
    const frame = this.#frame;
    const { along, up } = this.#grid;
    const { longitudes, latitudes } = this.#ticks();
    this.#font(11);
    /** @param {number} step */
    const digits = (step) => (step >= 1 ? 0 : step >= 0.1 ? 1 : 2);
    if (this.view instanceof FullSky) {
      const every = this.width < 600 ? 60 : 30;
      for (const at of longitudes) {
        const longitude = ((at % 360) + 360) % 360;
        const offset = at - this.view.middle;
        if (Math.abs(offset) < 175 && longitude % every === 0)
          this.#write(`${longitude / 15}h`, this.#toCanvas(this.view.place(offset, 0)));
      }
      for (const at of latitudes)
        if (at && Math.abs(at) < 90) {
          const [x, y] = this.#toCanvas(this.view.place(-179.99, at));
          this.#write(`${signed(at, 0)}°`, [Math.min(x + 4, this.width - 32), y - Math.sign(at) * 5], "left");
        }
      return;
    }
    let last = Infinity;
    for (const at of longitudes) {
      const place = this.#crossing((part) => directionOf(at, this.#between(part)), 1, frame.height - 1);
      if (!place || Math.abs(place - last) < 70 || place < 60 || place > this.width - 40) continue;
      this.#write(`RA ${(((at % 360) + 360) % 360).toFixed(digits(along))}°`, [place, frame.height - 10]);
      last = place;
    }
    const { middle, reach } = this.#grid;
    for (const at of latitudes) {
      const place = this.#crossing((part) => directionOf(middle + (1 - 2 * part) * reach, at), 0, 1);
      if (place && place > 10 && place < frame.height - 24) this.#write(`${signed(at, digits(up))}°`, [6, place], "left");
    }
  }

  /** @param {number} part */
  #between(part) {
    const { from, to } = this.#grid;
    return from + part * (to - from);
  }

  /**
   * Where a line crosses an edge of the picture.
   * @param {(part: number) => Direction} line for parts from 0 to 1
   * @param {0 | 1} axis 0 for an edge at x, 1 for one at y
   * @param {number} edge
   * @returns {number | null} the place along the edge
   */
  #crossing(line, axis, edge) {
    /** @type {Point | null} */
    let before = null;
    for (let step = 0; step <= 120; step++) {
      const point = this.#placeOf(line(step / 120));
      if (before && point && (before[axis] - edge) * (point[axis] - edge) <= 0 && before[axis] !== point[axis]) {
        const part = (edge - before[axis]) / (point[axis] - before[axis]);
        return before[1 - axis] + part * (point[1 - axis] - before[1 - axis]);
      }
      before = point;
    }
    return null;
  }

  #paintPlane() {
    this.pen.beginPath();
    this.#trace(Array.from({ length: 721 }, (_, index) => fromGalactic(directionOf(index / 2, 0))));
    this.pen.strokeStyle = "rgba(0, 0, 0, 0.4)";
    this.pen.lineWidth = 2.6;
    this.pen.stroke();
    this.#stroke({ colour: "#ffffff", dash: [8, 3, 2, 3] }, 1.2);
  }

  /**
   * @param {{colour: string, dash: number[]}} line
   * @param {number} width
   */
  #stroke({ colour, dash }, width) {
    this.pen.setLineDash(dash);
    this.pen.strokeStyle = colour;
    this.pen.lineWidth = width;
    this.pen.stroke();
    this.pen.setLineDash([]);
  }

  #paintRegions() {
    for (const region of this.regions) {
      const line = LINES[region.level];
      if (!line) continue;
      this.pen.beginPath();
      for (const { outer, holes } of region.rings)
        for (const ring of [outer, ...holes]) this.#trace(ring.map(([ra, dec]) => directionOf(ra, dec)));
      this.#stroke({ colour: "rgba(255, 255, 255, 0.85)", dash: [] }, 3.6);
      this.#stroke(line, 1.8);
    }
  }

  #paintBest() {
    const best = this.cells.bestDirection();
    const at = best && this.#placeOf(best);
    if (!at) return;
    this.pen.beginPath();
    for (let corner = 0; corner < 10; corner++) {
      const radius = corner % 2 ? 3.4 : 8;
      const turn = (corner * Math.PI) / 5;
      this.pen.lineTo(at[0] + radius * Math.sin(turn), at[1] - radius * Math.cos(turn));
    }
    this.pen.closePath();
    this.pen.fillStyle = "#ffffff";
    this.pen.fill();
    this.#stroke({ colour: "#000000", dash: [] }, 1.3);
  }

  #paintCross() {
    const at = this.cross && this.#placeOf(this.cross);
    if (!at) return;
    this.pen.beginPath();
    for (const [x, y] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ]) {
      this.pen.moveTo(at[0] + 4 * x, at[1] + 4 * y);
      this.pen.lineTo(at[0] + 14 * x, at[1] + 14 * y);
    }
    this.#stroke({ colour: "#ffffff", dash: [] }, 4);
    this.#stroke({ colour: "#000000", dash: [] }, 1.8);
  }

  /** @param {number} size */
  #font(size) {
    this.pen.font = `${size}px ${getComputedStyle(this.figure).fontFamily}`;
  }

  #paintLegend() {
    const { pen } = this;
    const top = this.#frame.height + 10;
    const width = Math.min(this.width * 0.45, 300);
    const [left, height] = [8, 12];
    for (let column = 0; column < width; column++) {
      const [red, green, blue] = shade(1 - column / width);
      pen.fillStyle = `rgb(${red}, ${green}, ${blue})`;
      pen.fillRect(left + column, top, 1.5, height);
    }
    this.#font(12);
    const depth = this.#depth;
    const beyond = this.view instanceof FullSky ? "" : " and more";
    this.#write("0", [left, top + 24], "left");
    this.#write(`${depth < 10 ? depth.toFixed(1) : depth.toFixed(0)}${beyond}`, [left + width, top + 24], "right");
    this.#write("−2ΔlnL (light is likely)", [left, top + 42], "left");
    this.#paintKeys(left + width + 24, top);
  }

  /**
   * What the lines are.
   * @param {number} left
   * @param {number} top
   */
  #paintKeys(left, top) {
    const { text, isDark } = this.#theme;
    /** @type {[string, string, number[]][]} */
    const keys = [];
    if (this.layers.has("regions"))
      for (const region of this.regions) {
        const line = LINES[region.level];
        if (line && region.rings.length) keys.push([line.name, line.colour, line.dash]);
      }
    if (this.layers.has("plane")) keys.push(["galactic plane", text, [8, 3, 2, 3]]);
    const columns = Math.max(1, Math.floor((this.width - left) / 140));
    keys.forEach(([name, colour, dash], index) => {
      const x = left + (index % columns) * 140;
      const y = top + 6 + Math.floor(index / columns) * 15;
      this.pen.beginPath();
      this.pen.moveTo(x, y);
      this.pen.lineTo(x + 26, y);
      if (isDark && colour !== text) this.#stroke({ colour: "rgba(255, 255, 255, 0.85)", dash: [] }, 4);
      this.#stroke({ colour, dash }, 1.8);
      this.#write(name, [x + 32, y], "left");
    });
  }
}

const figure = document.getElementById("map");
if (figure) void new SkyMap(figure).start();
