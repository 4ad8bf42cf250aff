"use strict";
// data.figures: plotly's figures in the order of .plot; data.points: what the dialog says of each row of the table.
const data = JSON.parse(document.getElementById("data").textContent);
const plots = [...document.querySelectorAll(".plot")];
const drawn = new Set();
const hidden = new Set(); // numbers of lines
const touch = matchMedia("(pointer: coarse)").matches;

// Figures name their colours, so that each mode has its own.
function coloured(value) {
  if (Array.isArray(value)) return value.map(coloured);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, coloured(each)]));
  }
  if (typeof value !== "string" || !/^var\(--[a-z0-9-]+\)$/.test(value)) return value;
  return getComputedStyle(document.documentElement).getPropertyValue(value.slice(4, -1)).trim();
}

function draw(plot) {
  const figure = coloured(data.figures[plots.indexOf(plot)]);
  for (const trace of figure.data) trace.visible = !hidden.has(trace.meta);
  figure.layout.dragmode = touch ? false : "zoom"; // a finger scrolls the page
  Plotly.react(plot, figure.data, figure.layout, { responsive: true, displayModeBar: false });
  if (!drawn.has(plot)) plot.on("plotly_click", (event) => open(event.points[0].customdata));
  drawn.add(plot);
}

// A plot is drawn when it comes near: many would take seconds.
const near = new IntersectionObserver(
  (entries) => entries.filter((e) => e.isIntersecting && !drawn.has(e.target)).forEach((e) => draw(e.target)),
  { rootMargin: "400px" },
);
plots.forEach((plot) => near.observe(plot));
addEventListener("beforeprint", () => plots.forEach(draw));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));

for (const button of document.querySelectorAll("[data-line]")) {
  button.addEventListener("click", () => {
    const line = Number(button.dataset.line);
    if (!hidden.delete(line)) hidden.add(line);
    button.setAttribute("aria-pressed", String(!hidden.has(line)));
    drawn.forEach(draw);
  });
}

for (const button of document.querySelectorAll("[data-point]")) {
  button.addEventListener("click", () => open(Number(button.dataset.point)));
}

function element(name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A point: its numbers, and the same seeds at every scale of its line, with its own marked.
function open(number) {
  const point = data.points[number];
  if (!point) return;
  const dialog = document.querySelector("dialog");
  dialog.querySelector("h2").textContent = [point.line, point.at].filter(Boolean).join(", ");
  dialog.querySelector("p").textContent = point.numbers.join(" · ");
  const along = point.along.map((i) => data.points[i]).filter((each) => each.strip);
  const strips = along.map((each) => strip(each, each === point));
  dialog.querySelector(".strips").replaceChildren(...strips);
  if (!point.strip) dialog.querySelector(".strips").prepend(element("p", "No pictures were kept of this point."));
  dialog.showModal();
  dialog.querySelector("[aria-current]")?.scrollIntoView({ block: "center" });
}

function strip(point, current) {
  const figure = element("figure");
  const image = element("img");
  image.src = point.strip;
  image.alt = `samples of ${[point.line, point.at].filter(Boolean).join(", ")}`;
  if (current) figure.setAttribute("aria-current", "true");
  figure.append(element("figcaption", point.at || point.line), image);
  return figure;
}
