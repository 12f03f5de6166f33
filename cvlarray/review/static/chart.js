"use strict";

/* Observations, the expected curve with its range, and the dates of an alert, as SVG. */
function seriesChart(series, words) {
  const width = 640, height = 220, left = 36, bottom = 20, top = 8;
  const day = (text) => Date.parse(text) / 864e5;
  const values = [...series.observed, ...series.lower, ...series.upper].filter((v) => v !== null);
  const days = [...series.dates, ...series.curve_dates].map(day);
  const [firstDay, lastDay] = [Math.min(...days), Math.max(...days)];
  const margin = 0.05 * (Math.max(...values) - Math.min(...values)) || 0.1;
  const [low, high] = [Math.min(...values) - margin, Math.max(...values) + margin];
  const x = (text) => left + ((width - left) * (day(text) - firstDay)) / (lastDay - firstDay || 1);
  const y = (value) => top + ((height - top - bottom) * (high - value)) / (high - low);

  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img" });
  svg.setAttribute("aria-label", `${words.series}: ${series.feature}`);
  for (const value of ticks(low, high)) {
    svg.append(make("line", { x1: left, x2: width, y1: y(value), y2: y(value), class: "grid" }));
    svg.append(label(left - 4, y(value) + 3, String(value), "end"));
  }
  for (let year = new Date(firstDay * 864e5).getUTCFullYear() + 1; ; year += 1) {
    const start = `${year}-01-01`;
    if (day(start) > lastDay) break;
    svg.append(make("line", { x1: x(start), x2: x(start), y1: top, y2: height - bottom, class: "grid" }));
    svg.append(label(x(start), height - 6, String(year), "middle"));
  }
  const band = stretches(series.curve_dates, (i) => series.lower[i] !== null && series.upper[i] !== null);
  for (const run of band) {
    const outline = run.map((i) => `${x(series.curve_dates[i])},${y(series.upper[i])}`);
    outline.push(...run.reverse().map((i) => `${x(series.curve_dates[i])},${y(series.lower[i])}`));
    svg.append(make("polygon", { points: outline.join(" "), class: "band" }));
  }
  for (const run of stretches(series.curve_dates, (i) => series.expected[i] !== null)) {
    const points = run.map((i) => `${x(series.curve_dates[i])},${y(series.expected[i])}`);
    svg.append(make("polyline", { points: points.join(" "), class: "expected" }));
  }
  series.dates.forEach((date, i) => {
    const changed = date >= series.first_detected ? "seen changed" : "seen";
    svg.append(make("circle", { cx: x(date), cy: y(series.observed[i]), r: 2.2, class: changed }));
  });
  for (const [date, kind] of [[series.first_detected, "flagged"], [series.confirmed, "settled"]]) {
    svg.append(make("line", { x1: x(date), x2: x(date), y1: top, y2: height - bottom, class: kind }));
  }
  return svg;
}

function make(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function label(x, y, text, anchor) {
  const element = make("text", { x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}

function ticks(low, high) {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((s) => (high - low) / s <= 6) ?? high - low;
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push(Number((n * step).toFixed(2)));
  return found;
}

/* Runs of indices that belong together: a gap stays a gap. */
function stretches(dates, isThere) {
  const found = [];
  dates.forEach((_, i) => {
    if (!isThere(i)) return;
    const last = found.at(-1);
    if (last && last.at(-1) === i - 1) last.push(i);
    else found.push([i]);
  });
  return found;
}
