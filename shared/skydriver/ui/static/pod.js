// @ts-check
/**
 * How the scanner server's pod is, written into the `<ul data-pods>` of a page whose link `a[data-pod]` leads to it.
 *
 * Each look costs the service a call of Kubernetes, so there is at most one a minute, and none by a hidden page.
 * A page without the link shows a scan without a pod.
 */

const PAUSE_MS = 60_000;

/** @typedef {Record<string, any>} Pod a pod's status, in the words of its backend */

/** @param {unknown[]} parts */
function joined(parts) {
  return parts.filter(Boolean).map(String).join(": ");
}

/**
 * How a pod is, as the command line says it (`cli/why.py`).
 * @param {Pod} pod
 */
function podWords(pod) {
  const refusals = (pod.conditions ?? []).filter(
    (/** @type {Pod} */ one) => one.type === "PodScheduled" && one.status === "False",
  );
  const waits = containers(pod).map((container) => container.state?.waiting ?? {});
  const said = [...refusals, ...waits, pod].flatMap(({ reason, message }) => [reason, message]);
  return joined([pod.phase || "unknown", ...said]);
}

/**
 * What else is known of a pod: its conditions, and which containers were started again.
 * @param {Pod} pod
 */
function podDetails(pod) {
  const conditions = (pod.conditions ?? []).map(
    (/** @type {Pod} */ one) => `${one.type} ${one.status}${one.reason ? ` (${one.reason})` : ""}`,
  );
  const restarts = containers(pod)
    .filter((container) => container.restartCount)
    .map((container) => `container ${container.name} restarted: ${container.restartCount}`);
  return [...(conditions.length ? [`Conditions: ${conditions.join(", ")}`] : []), ...restarts];
}

/**
 * @param {Pod} pod
 * @returns {Pod[]}
 */
function containers(pod) {
  return [...(pod.initContainerStatuses ?? []), ...(pod.containerStatuses ?? [])];
}

/**
 * The lines of a status's pods; the service's own message where it knows of none.
 * @param {{pod_status: Record<string, Pod>, pod_status_message: string}} pods
 */
function podLines(pods) {
  const lines = Object.entries(pods.pod_status).flatMap(([name, pod]) => [
    `${name}: ${podWords(pod)}`,
    ...podDetails(pod),
  ]);
  return lines.length ? lines : [pods.pod_status_message];
}

/** @param {string[]} lines */
function write(lines) {
  const items = lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  });
  document.querySelector("[data-pods]")?.replaceChildren(...items);
}

let asked = -Infinity;

async function look() {
  const link = /** @type {HTMLAnchorElement | null} */ (document.querySelector("a[data-pod]"));
  if (!link) return write([]);
  const now = Date.now();
  if (document.hidden || now - asked < PAUSE_MS) return;
  asked = now;
  try {
    const answer = await fetch(link.href, { cache: "no-store", headers: { Accept: "application/json" } });
    if (answer.ok) write(podLines((await answer.json()).pods));
  } catch {
    // `refresh.js` says that the service is away; what was known stays.
  }
}

document.addEventListener("skydriver:refreshed", () => void look());
void look();
