// @ts-check
/**
 * Keeps a page fresh in place: asks for the same page, and replaces the parts of it that have changed.
 *
 * A part is an element with `data-part` and an id. Where its user works in it (fills in a field, marks a text)
 * it waits. `<main data-over>` says that nothing will change any more. Others hear of each refresh by the
 * event `skydriver:refreshed` of the document.
 */

import { readClock, writeAges } from "./ages.js";
import { announce } from "./live.js";

const VISIBLE_SECONDS = 5;
const HIDDEN_SECONDS = 30;
const MOST_SECONDS = 60;
const ANSWER_SECONDS = 30;
const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/** @type {Map<string, string>} the parts as the server sent them, by id */
const sent = new Map();
let etag = /** @type {HTMLMetaElement | null} */ (document.querySelector('meta[name="etag"]'))?.content ?? "";
let failures = 0;
let timer = 0;
let isAsking = false;

/** @param {ParentNode} within */
function parts(within) {
  return /** @type {HTMLElement[]} */ ([...within.querySelectorAll("[data-part][id]")]);
}

function isOver() {
  return document.querySelector("main")?.dataset.over !== undefined;
}

/** Seconds until the next try. */
function pause() {
  const usual = document.hidden ? HIDDEN_SECONDS : VISIBLE_SECONDS;
  return Math.min(usual * 2 ** failures, MOST_SECONDS);
}

function plan() {
  clearTimeout(timer);
  if (!isOver()) timer = setTimeout(() => void refresh(), 1000 * pause());
}

async function refresh() {
  if (isAsking) return;
  isAsking = true;
  try {
    const answer = await fetch(location.href, {
      cache: "no-store",
      redirect: "manual",
      headers: { Accept: "text/html", ...(etag ? { "If-None-Match": etag } : {}) },
      signal: AbortSignal.timeout(1000 * ANSWER_SECONDS),
    });
    if (answer.type === "opaqueredirect" || answer.status === 401) {
      say("Your session has ended. Load the page again to log in.");
      return;
    }
    if (answer.status !== 200 && answer.status !== 304) throw new Error(`the service answers ${answer.status}`);
    say(""); // before the news, which are then what is said last
    if (answer.status === 200) {
      const isShown = show(await answer.text());
      etag = isShown ? answer.headers.get("ETag") ?? "" : "";
    }
    readClock(answer);
    failures = 0;
    document.dispatchEvent(new CustomEvent("skydriver:refreshed"));
  } catch {
    failures += 1;
    say(`The service does not answer. What you see may be old. The next try is in ${pause()} s.`);
  } finally {
    isAsking = false;
  }
  writeAges();
  plan();
}

/**
 * Say above the page what is wrong with its refresh, and let a screen reader say it once.
 * @param {string} text empty if all is well
 */
function say(text) {
  let line = document.getElementById("away");
  if (!line && text) {
    line = document.createElement("p");
    line.id = "away";
    line.className = "problem";
    document.querySelector("main")?.prepend(line);
  }
  if (!line || line.textContent === text) return;
  if (line.hidden !== !text || !line.textContent) announce(text || "The service answers again.");
  line.textContent = text;
  line.hidden = !text;
}

/**
 * Replace the parts that have changed.
 * @param {string} text of the page
 * @returns {boolean} whether all of them are shown; false if one waits for its user
 */
function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  let isComplete = true;
  /** @type {string[]} */
  const news = [];
  for (const part of parts(page)) {
    const shown = document.getElementById(part.id);
    const html = part.outerHTML;
    if (!shown || sent.get(part.id) === html) continue;
    if (isInUse(shown)) {
      isComplete = false;
      continue;
    }
    sent.set(part.id, html);
    const said = announcement(shown);
    replace(shown, document.importNode(part, true));
    if (announcement(part) && announcement(part) !== said) news.push(announcement(part));
  }
  document.title = page.title;
  const [main, fresh] = [document.querySelector("main"), page.querySelector("main")];
  if (main && fresh?.dataset.over !== undefined) main.dataset.over = fresh.dataset.over;
  if (news.length) announce(news.join(" "));
  return isComplete;
}

/**
 * What a part wants to be said aloud when it changes: the text of its elements with `data-announce`.
 * @param {HTMLElement} part
 */
function announcement(part) {
  const said = [...part.querySelectorAll("[data-announce]")];
  if (part.matches("[data-announce]")) said.unshift(part);
  return said.map((element) => withoutAges(element)).join(" ");
}

/** @param {Element} element */
function withoutAges(element) {
  const copy = /** @type {Element} */ (element.cloneNode(true));
  for (const time of copy.querySelectorAll("time, .age")) time.remove();
  return (copy.textContent ?? "").replace(/\s+/g, " ").trim();
}

/**
 * Whether its user works in a part: types, has changed a field, or has marked a text.
 * @param {HTMLElement} part
 */
function isInUse(part) {
  const focused = document.activeElement;
  if (part.contains(focused) && focused?.matches("input, select, textarea")) return true;
  for (const field of part.querySelectorAll("input, textarea, select")) {
    if (field instanceof HTMLSelectElement) {
      const first = Math.max([...field.options].findIndex((option) => option.defaultSelected), 0);
      if (field.selectedIndex !== first) return true;
    } else if (field instanceof HTMLTextAreaElement) {
      if (field.value !== field.defaultValue) return true;
    } else if (field instanceof HTMLInputElement) {
      if (field.value !== field.defaultValue || field.checked !== field.defaultChecked) return true;
    }
  }
  const marked = getSelection();
  return !!marked && !marked.isCollapsed && marked.containsNode(part, true);
}

/**
 * Replace a part; focus, what is open, and how far it is scrolled stay.
 * @param {HTMLElement} shown
 * @param {HTMLElement} fresh
 */
function replace(shown, fresh) {
  const details = [...shown.querySelectorAll("details")];
  for (const now of fresh.querySelectorAll("details")) {
    const before = details.find((one) => keyOf(one) === keyOf(now));
    if (before) now.open = before.open;
  }
  const focused = shown.contains(document.activeElement) ? document.activeElement : null;
  const index = focused ? [...shown.querySelectorAll(FOCUSABLE)].indexOf(focused) : -1;
  const scrolled = [...shown.querySelectorAll("*")].filter((one) => one.scrollLeft || one.scrollTop);
  const places = scrolled.map((one) => [keyOf(one), one.scrollLeft, one.scrollTop]);
  shown.replaceWith(fresh);
  writeAges(fresh);
  document.dispatchEvent(new CustomEvent("skydriver:replaced", { detail: fresh }));
  for (const [key, left, top] of places) {
    const now = [...fresh.querySelectorAll("*")].find((one) => keyOf(one) === key);
    now?.scrollTo(Number(left), Number(top));
  }
  if (!focused) return;
  const focusable = /** @type {HTMLElement[]} */ ([...fresh.querySelectorAll(FOCUSABLE)]);
  const again = focusable.find((one) => keyOf(one) === keyOf(focused)) ?? focusable[Math.min(index, focusable.length - 1)];
  (again ?? fresh).focus({ preventScroll: true });
}

/**
 * What an element is known by in the next version of its part.
 * @param {Element} element
 */
function keyOf(element) {
  if (element.id) return `#${element.id}`;
  const said = ["href", "name", "value", "data-copy", "aria-label", "class"].map((name) => element.getAttribute(name));
  const heading = element instanceof HTMLDetailsElement ? element.querySelector("summary") : element;
  const text = heading?.matches("summary, button, a") ? withoutAges(heading) : "";
  return [element.tagName, ...said, text].join("\n");
}

for (const part of parts(document)) sent.set(part.id, part.outerHTML);
writeAges();
// Ages grow while nothing else changes, and after a scan is over.
setInterval(writeAges, 1000 * VISIBLE_SECONDS);
document.addEventListener("visibilitychange", () => {
  if (document.hidden || isOver()) return;
  clearTimeout(timer);
  void refresh();
});
plan();
