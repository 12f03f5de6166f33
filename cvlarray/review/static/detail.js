"use strict";

/* One alert with its evidence. All text goes in as text: layers and notes are other people's. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function hectares(m2) {
  const ha = m2 / 1e4;
  return ha.toLocaleString(document.documentElement.lang, { maximumSignificantDigits: ha < 100 ? 2 : 4 });
}

/* A class of the paper in the reader's language; any other as it is called. */
function className(name, words) {
  return words[`class_${name}`] ?? name.replaceAll("_", " ");
}

function facts(properties, words) {
  const uncertainty = properties.area_uncertainty_m2;
  const area = `${hectares(properties.area_m2)}${uncertainty ? ` ± ${hectares(uncertainty)}` : ""} ha`;
  const interval = `${properties.interval_start ?? words.unknown} – ${properties.interval_end ?? words.unknown}`;
  const rows = [
    [words.area, area],
    [words.confidence, properties.confidence?.toFixed(2) ?? words.unknown],
    [words.first_detected, properties.first_detected ?? words.unknown],
    [words.confirmed_on, properties.confirmed ?? words.unknown],
    [words.interval, interval],
    [words.sensor, properties.sensor ?? words.unknown],
  ];
  const list = element("dl");
  for (const [name, value] of rows) list.append(element("dt", {}, name), element("dd", {}, value));
  return list;
}

/* Before and after on top of each other; the slider uncovers one. */
function swipe(path, words) {
  const pictures = ["before", "after"].map((when) => {
    const image = element("img", { alt: words[when], src: `${path}/${when}.png`, className: when });
    image.addEventListener("error", () => image.replaceWith(element("span", { className: `absent ${when}` }, words.no_picture)));
    return image;
  });
  const stage = element("div", { className: "stage" }, ...pictures);
  const slider = element("input", { type: "range", min: 0, max: 100, value: 50, ariaLabel: words.swipe });
  const show = () => stage.style.setProperty("--share", `${slider.value}%`);
  slider.addEventListener("input", show);
  show();
  const names = element("p", { className: "ends" }, element("span", {}, words.before), element("span", {}, words.after));
  return element("section", { className: "swipe" }, stage, slider, names);
}

function trail(properties, words) {
  const entries = properties.jurisdiction ?? [];
  const section = element("section", {}, element("h3", {}, words.jurisdiction));
  if (!entries.length) section.append(element("p", { className: "hint" }, words.no_jurisdiction));
  const list = element("ul", { className: "trail" });
  for (const entry of entries) {
    const name = [entry.name, entry.category, entry.status].filter(Boolean).join(", ");
    const share = entry.share > 0 ? ` – ${Math.round(100 * entry.share)} % ${words.share}` : "";
    const way = entry.distance_m > 0 ? ` – ${Math.round(entry.distance_m).toLocaleString()} m` : "";
    list.append(element("li", {}, `${entry.layer ?? entry.role}: ${name || entry.code || "–"}${share}${way}`));
  }
  section.append(list);
  const reason = properties.reasoning?.text ?? properties.reasoning;
  if (typeof reason === "string") {
    section.append(element("h3", {}, words.reasoning), element("p", {}, reason));
  }
  return section;
}

function log(verdicts, words) {
  const section = element("section", { className: "log" }, element("h3", {}, words.log));
  if (!verdicts.length) section.append(element("p", { className: "hint" }, words.no_log));
  for (const line of [...verdicts].reverse()) {
    const what = line.decision === "undone" ? words.undone : words[`saved_${line.decision}`];
    const why = [line.reason && words[line.reason], line.note].filter(Boolean).join(": ");
    const when = new Date(line.decided_at).toLocaleString(document.documentElement.lang);
    const text = `${when} – ${line.reviewer}: ${what} ${why}`;
    section.append(element("p", { className: line.is_undone ? "undone" : "" }, text));
  }
  return section;
}

async function series(path, words) {
  const section = element("section", {}, element("h3", {}, words.series));
  const response = await fetch(`${path}/series`);
  if (!response.ok) {
    section.append(element("p", { className: "hint" }, words.no_series));
    return section;
  }
  const keys = element("p", { className: "keys" });
  for (const name of ["observed", "expected", "band"]) {
    keys.append(element("span", { className: name }, words[name]), " ");
  }
  section.append(seriesChart(await response.json(), words), keys);
  return section;
}
