"use strict";

/* Sort a table by the heading that is clicked; missing values stay last either way. */
function compare(a, b) {
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
}

function sortBy(table, column) {
  const headings = [...table.tHead.rows[0].cells];
  const falling = headings[column].getAttribute("aria-sort") === "ascending";
  const value = (row) => row.cells[column].dataset.value;
  const missing = (text) => text === "" || text === "nan";
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return falling ? compare(y, x) : compare(x, y);
  });
  headings.forEach((heading) => heading.removeAttribute("aria-sort"));
  headings[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) sortBy(table, button.closest("th").cellIndex);
  });
}

/* Zoom the map with its buttons, and drag it once zoomed. Place is in shares of the view. */
function zoomable(view) {
  const layers = view.querySelector(".layers");
  const bar = view.querySelector(".scale");
  const buttons = view.closest("figure").querySelector(".zoom");
  const place = { zoom: 1, x: 0, y: 0 };
  const clamp = (value) => Math.min(0, Math.max(1 - place.zoom, value));

  function show() {
    place.x = clamp(place.x);
    place.y = clamp(place.y);
    layers.style.transform = `translate(${place.x * 100}%, ${place.y * 100}%) scale(${place.zoom})`;
    layers.style.setProperty("--zoom", place.zoom);
    view.classList.toggle("zoomed", place.zoom > 1);
    buttons.querySelector("[data-zoom=out]").disabled = place.zoom === 1;
    buttons.querySelector("[data-zoom=all]").disabled = place.zoom === 1;
    buttons.querySelector("[data-zoom=in]").disabled = place.zoom === 64;
    showScale(view.dataset.metres / place.zoom);
  }

  function showScale(metres) {
    const power = 10 ** Math.floor(Math.log10(metres / 4));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= metres / 4);
    bar.style.width = `${(100 * length) / metres}%`;
    bar.firstElementChild.textContent = length < 1000 ? `${length} m` : `${length / 1000} km`;
  }

  function zoomTo(zoom) {
    const next = Math.min(64, Math.max(1, zoom));
    const ratio = next / place.zoom;
    place.x = 0.5 - (0.5 - place.x) * ratio;
    place.y = 0.5 - (0.5 - place.y) * ratio;
    place.zoom = next;
    show();
  }

  buttons.addEventListener("click", (event) => {
    const kind = event.target.closest("button")?.dataset.zoom;
    if (kind) zoomTo(kind === "in" ? place.zoom * 2 : kind === "out" ? place.zoom / 2 : 1);
  });

  let last = null;
  let moved = 0;
  view.addEventListener("pointerdown", (event) => {
    moved = 0;
    last = place.zoom > 1 ? event : null;
  });
  window.addEventListener("pointermove", (event) => {
    if (!last) return;
    const box = view.getBoundingClientRect();
    place.x += (event.clientX - last.clientX) / box.width;
    place.y += (event.clientY - last.clientY) / box.height;
    moved += Math.abs(event.clientX - last.clientX) + Math.abs(event.clientY - last.clientY);
    last = event;
    view.classList.add("dragged");
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, () => {
      last = null;
      view.classList.remove("dragged");
    });
  }
  /* The end of a drag is no click on the alert under it. */
  view.addEventListener("click", (event) => {
    if (event.detail > 0 && moved > 4) event.preventDefault();
  }, true);
  view.addEventListener("dragstart", (event) => event.preventDefault());
  buttons.hidden = false;
  show();
}

document.querySelectorAll(".view").forEach(zoomable);
