"use strict";

/* Points of a sample, one after the other. What the map says of them isn't known here. */
const start = JSON.parse(document.getElementById("start").textContent);
const words = JSON.parse(document.getElementById("words").textContent);
const detail = document.getElementById("detail");
let isSaving = false;

function say(text) {
  document.getElementById("status").textContent = text;
}

async function ask(path, options) {
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

async function show({ point_id: pointId, classes, n_points: all, n_labelled: done }) {
  const progress = element("p", { className: "progress" }, `${done.toLocaleString()} / ${all.toLocaleString()}`);
  if (!pointId) {
    detail.replaceChildren(progress, element("p", { className: "hint" }, words.sample_done));
    return;
  }
  const path = `/api/sample/${pointId}`;
  const bar = element("div", { className: "actions" });
  classes.forEach((name, i) => {
    const button = element("button", { className: "label" }, `${i + 1}. ${className(name, words)}`);
    button.dataset.label = name;
    button.addEventListener("click", () => save(path, name));
    bar.append(button);
  });
  const chart = element("section", { className: "series" });
  detail.replaceChildren(progress, element("p", { className: "hint" }, words.sample_question), bar, swipe(path, words), chart);
  chart.replaceWith(await series(path, words));
}

async function save(path, label) {
  if (isSaving) return;
  isSaving = true;
  try {
    await show(await ask(`${path}/label`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": start.csrf },
      body: JSON.stringify({ label, request_id: requestId() }),
    }));
    say(words.sample_saved);
  } catch (error) {
    say(error.message);
  } finally {
    isSaving = false;
  }
}

function requestId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  detail.querySelectorAll(".label")[Number(event.key) - 1]?.click();
});

ask("/api/sample").then(show).catch((error) => {
  detail.replaceChildren();
  say(error.message);
});
