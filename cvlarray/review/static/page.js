"use strict";

const REASONS = ["cloud_haze", "seasonal_water", "sensor_calibration", "natural_disturbance", "other"];
const start = JSON.parse(document.getElementById("start").textContent);
const words = JSON.parse(document.getElementById("words").textContent);
const list = document.getElementById("list");
const detail = document.getElementById("detail");
const more = document.getElementById("more");
const shown = { state: "open", alerts: [], after: null, chosen: null, verdicts: [], isSaving: false };
const map = new AlertMap(document.getElementById("map"), start.backdrop, choose);

/* Words for whatever went wrong; what the server says is a name among ours. */
function say(text) {
  document.getElementById("status").textContent = text;
}

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": start.csrf },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error(words.failed);
  }
  if (response.ok) return response.json();
  const { detail: name } = await response.json().catch(() => ({}));
  throw new Error(words[name] ?? words.failed);
}

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    say(error.message);
    return null;
  }
}

/* ---- the list */

async function load({ isMore = false } = {}) {
  const query = new URLSearchParams({ state: shown.state });
  if (isMore && shown.after) query.set("after", shown.after);
  const answer = await attempt(() => ask(`/api/alerts?${query}`));
  if (!answer) return;
  show(answer, { isMore });
  const cells = await attempt(() => ask(`/api/cells?state=${shown.state}`));
  if (cells) map.showCells(cells);
}

function show(answer, { isMore = false } = {}) {
  shown.alerts = isMore ? [...shown.alerts, ...answer.alerts] : answer.alerts;
  shown.after = answer.next_after;
  more.hidden = !shown.after;
  showCounts(answer.counts);
  showList();
}

function showCounts(counts) {
  for (const tab of document.querySelectorAll("#states [data-state]")) {
    const total = Object.values(counts[tab.dataset.state]).reduce((sum, n) => sum + n, 0);
    tab.querySelector("b").textContent = total.toLocaleString();
    tab.setAttribute("aria-selected", String(tab.dataset.state === shown.state));
  }
  const parts = Object.entries(counts[shown.state]).map(([name, n]) => `${n.toLocaleString()} ${words[name]}`);
  document.getElementById("priorities").textContent = parts.join(" · ");
}

function showList() {
  list.replaceChildren(...shown.alerts.map(line));
  if (!shown.alerts.length) list.append(element("li", { className: "hint" }, words.empty));
  map.showAlerts(shown.alerts);
}

function line(alert) {
  const button = element("button", { className: `line ${alert.priority}` },
    element("b", {}, `${hectares(alert.area_m2)} ha`),
    element("span", {}, ` ${className(alert.class, words)}`),
    element("small", {}, ` ${alert.first_detected ?? ""} · ${words[alert.priority] ?? alert.priority}`));
  if (alert.needs_review) button.append(element("small", { className: "review" }, ` ${words.needs_review}`));
  button.dataset.event = alert.event_id;
  button.setAttribute("aria-current", String(alert.event_id === shown.chosen));
  button.addEventListener("click", () => choose(alert.event_id));
  return element("li", {}, button);
}

function step(by) {
  const at = shown.alerts.findIndex((alert) => alert.event_id === shown.chosen);
  const next = shown.alerts[Math.min(Math.max(at + by, 0), shown.alerts.length - 1)];
  if (next) choose(next.event_id);
}

/* ---- one alert */

async function choose(eventId) {
  shown.chosen = eventId;
  for (const button of list.querySelectorAll("[data-event]")) {
    button.setAttribute("aria-current", String(button.dataset.event === eventId));
  }
  list.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  detail.replaceChildren(element("p", { className: "hint" }, words.loading));
  const answer = await attempt(() => ask(`/api/alerts/${eventId}`));
  if (!answer || shown.chosen !== eventId) return;
  showDetail(eventId, answer);
  map.showShape(answer.feature);
  const chart = await attempt(() => series(`/api/alerts/${eventId}`, words));
  if (chart && shown.chosen === eventId) detail.querySelector(".series")?.replaceWith(chart);
}

function showDetail(eventId, { feature, state, verdicts }) {
  const { properties } = feature;
  shown.verdicts = verdicts;
  const title = `${className(properties.class, words)} – ${words[properties.priority] ?? properties.priority}`;
  detail.replaceChildren(
    element("h2", {}, title),
    element("p", { className: "id" }, eventId),
    actions(eventId, state),
    swipe(`/api/alerts/${eventId}`, words),
    facts(properties, words),
    element("section", { className: "series" }),
    trail(properties, words),
    log(verdicts, words),
  );
}

function actions(eventId, state) {
  const bar = element("div", { className: "actions" });
  const confirm = element("button", { className: "confirm", ariaPressed: state === "confirmed" }, words.confirm);
  const dismiss = element("button", { className: "dismiss", ariaPressed: state === "dismissed" }, words.dismiss);
  const undo = element("button", { className: "undo", disabled: !ownVerdict() }, words.undo);
  confirm.addEventListener("click", () => judge(eventId, "confirmed", null));
  dismiss.addEventListener("click", () => toggleReasons());
  undo.addEventListener("click", () => takeBack(eventId));
  const reasons = element("fieldset", { className: "reasons", hidden: true }, element("legend", {}, words.why));
  REASONS.forEach((reason, i) => {
    const button = element("button", { className: "reason" }, `${i + 1}. ${words[reason]}`);
    button.dataset.reason = reason;
    button.addEventListener("click", () => judge(eventId, "dismissed", reason));
    reasons.append(button);
  });
  const note = element("textarea", { className: "note", maxLength: 2000, placeholder: words.note, ariaLabel: words.note });
  bar.append(confirm, dismiss, undo, reasons, note);
  return bar;
}

function ownVerdict() {
  return shown.verdicts.findLast((line) => line.is_own && !line.is_undone && line.decision !== "undone");
}

function toggleReasons() {
  const reasons = detail.querySelector(".reasons");
  if (reasons) reasons.hidden = !reasons.hidden;
}

/* A click counts once: the button waits for the answer, and a repeat carries the same id. */
async function judge(eventId, decision, reason) {
  const note = detail.querySelector(".note")?.value ?? "";
  await save(eventId, `/api/alerts/${eventId}/verdicts`, reason ? { decision, reason, note } : { decision, note });
}

async function takeBack(eventId) {
  const given = ownVerdict();
  if (given) await save(eventId, `/api/alerts/${eventId}/verdicts/${given.verdict_id}/undo`, {});
}

async function save(eventId, path, body) {
  if (shown.isSaving) return;
  shown.isSaving = true;
  detail.classList.add("saving");
  const request = { ...body, request_id: requestId() };
  const answer = await attempt(() => ask(path, request));
  shown.isSaving = false;
  detail.classList.remove("saving");
  if (!answer) return;
  say(words[`saved_${answer.state}`]);
  await load();
  await choose(eventId);
}

/* crypto.randomUUID is there only for https and localhost. */
function requestId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/* ---- keys and language */

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  c: () => detail.querySelector(".confirm")?.click(),
  d: () => detail.querySelector(".dismiss")?.click(),
  u: () => detail.querySelector(".undo")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input")) return;
  const reasons = detail.querySelector(".reasons:not([hidden])");
  const reason = REASONS[Number(event.key) - 1];
  if (reasons && reason) reasons.querySelector(`[data-reason=${reason}]`).click();
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else return;
  event.preventDefault();
});

document.getElementById("language").addEventListener("click", (event) => {
  document.cookie = `cvlarray_language=${event.currentTarget.dataset.language}; path=/; samesite=strict; max-age=31536000`;
  location.reload();
});

document.getElementById("states").addEventListener("click", (event) => {
  const state = event.target.closest("[data-state]")?.dataset.state;
  if (!state) return;
  shown.state = state;
  load();
});

more.addEventListener("click", () => load({ isMore: true }));

/* What was open when the page was made came with it. */
const first = JSON.parse(document.getElementById("first").textContent);
show(first.alerts);
map.showCells(first.cells);
if (start.event_id) choose(start.event_id);
