// What a page of plots does by itself: hide revisions, say what one points at, smooth lines, compare pictures.
// It asks for nothing outside of the page, and puts text into it as text only.
"use strict";
(() => {
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  const hidden = new Set();

  // --- revisions -------------------------------------------------------------------------------------------
  for (const chip of all(".chip")) {
    chip.addEventListener("click", () => {
      const rev = chip.dataset.rev;
      const on = hidden.delete(rev);
      if (!on) hidden.add(rev);
      chip.setAttribute("aria-pressed", String(on));
      for (const part of all(`.plots [data-rev="${rev}"]`)) part.classList.toggle("off", !on);
    });
  }

  // --- light and dark --------------------------------------------------------------------------------------
  for (const button of all(".theme")) {
    button.addEventListener("click", () => {
      const root = document.documentElement;
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    });
  }

  // --- lines -----------------------------------------------------------------------------------------------
  const median = (values) => {
    const sorted = Float64Array.from(values).sort();
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };

  // Cleveland's locally weighted regression, as in sampling.py.
  const loess = (xs, ys, bandwidth) => {
    const count = xs.length;
    const span = Math.min(count, Math.floor(bandwidth * count));
    if (count < 3 || span < 2) return ys;
    const trust = new Float64Array(count).fill(1);
    const fit = Float64Array.from(ys);
    const most = Math.max(...ys.map(Math.abs));
    for (let turn = 0; turn < 3; turn += 1) {
      let left = 0;
      for (let at = 0; at < count; at += 1) {
        while (left + span < count && xs[left + span] - xs[at] < xs[at] - xs[left]) left += 1;
        const reach = Math.max(xs[at] - xs[left], xs[left + span - 1] - xs[at]);
        let w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
        for (let one = left; one < left + span; one += 1) {
          const dx = xs[one] - xs[at];
          const far = Math.abs(dx) / (reach || 1);
          const near = reach > 0 && far < 1 ? (1 - far ** 3) ** 3 : Number(dx === 0);
          const weight = near * trust[one];
          w += weight; wx += weight * dx; wy += weight * ys[one];
          wxx += weight * dx * dx; wxy += weight * dx * ys[one];
        }
        const spread = w * wxx - wx * wx;
        if (w > 0) fit[at] = spread > 1e-12 * w * wxx ? (wxx * wy - wx * wxy) / spread : wy / w;
      }
      if (turn === 2) break;
      const off = ys.map((y, at) => Math.abs(y - fit[at]));
      const scale = 6 * median(off);
      if (scale <= 1e-12 * most) break;
      off.forEach((size, at) => { trust[at] = (1 - Math.min(1, size / scale) ** 2) ** 2; });
    }
    return Array.from(fit);
  };

  const short = (value) => value.toFixed(1).replace(/\.0$/, "");
  const path = (xs, ys) => "M" + xs.map((x, at) => `${short(x)} ${short(ys[at])}`).join("L");

  const nearest = (xs, x) => {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const half = (low + high) >> 1;
      if (xs[half] < x) low = half; else high = half;
    }
    return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  };

  const written = (value) => {
    if (value === 0) return "0";
    const size = Math.abs(value);
    return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(6)));
  };

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const element = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  const say = (title, rows, event) => {
    const head = document.createElement("b");
    head.textContent = title;
    tip.replaceChildren(head, ...rows.map((row) => {
      const line = document.createElement("div");
      const swatch = document.createElement("i");
      const name = document.createElement("span");
      const value = document.createElement("em");
      swatch.style.background = row.color;
      name.textContent = row.name;
      value.textContent = row.value;
      line.append(swatch, name, value);
      return line;
    }));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const right = event.clientX + 16 + box.width > innerWidth;
    tip.style.left = `${Math.max(4, right ? event.clientX - 16 - box.width : event.clientX + 16)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 6))}px`;
  };

  for (const card of all(".card.lines")) {
    const told = JSON.parse(card.querySelector("script.points").textContent);
    const svg = card.querySelector("svg");
    const [left, top, width, height] = told.box;
    const onX = (x) => left + ((x - told.x[0]) / (told.x[1] - told.x[0])) * width;
    const onY = (y) => top + height - ((y - told.y[0]) / (told.y[1] - told.y[0])) * height;
    const groups = all("g.series", svg);
    const series = told.series.map((one, at) => ({
      ...one, group: groups[at], px: one.xs.map(onX), py: one.ys.map(onY),
    }));
    const guide = element("path", { class: "guide" });
    const dots = element("g", {});
    svg.append(guide, dots);

    const leave = () => {
      tip.hidden = true;
      guide.setAttribute("d", "");
      dots.replaceChildren();
    };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale;
      const y = (event.clientY - box.top) * scale;
      const seen = series.filter((one) => !hidden.has(String(one.rev)));
      if (!seen.length || x < left - 8 || x > left + width + 8 || y < top - 8 || y > top + height + 8) return leave();
      const found = seen.map((one) => ({ one, at: nearest(one.px, x) }));
      const best = found.reduce((a, b) =>
        (Math.abs(b.one.px[b.at] - x) < Math.abs(a.one.px[a.at] - x) ? b : a));
      const at = best.one.px[best.at];
      const here = found.filter(({ one, at: place }) => Math.abs(one.px[place] - at) < 1.5);
      guide.setAttribute("d", `M${at} ${top}v${height}`);
      dots.replaceChildren(...here.map(({ one, at: place }) =>
        element("circle", { class: "at", cx: one.px[place], cy: one.py[place], r: 4, fill: one.color })));
      here.sort((a, b) => a.one.py[a.at] - b.one.py[b.at]);
      const value = best.one.xs[best.at];
      say(`${told.label}: ${told.names.length ? told.names[value] : written(value)}`, here.map(({ one, at: place }) => ({
        color: one.color, name: one.name,
        value: told.marks.length ? told.marks[one.ys[place]] : written(one.ys[place]),
      })), event);
      return undefined;
    });

    const slider = card.querySelector(".smoothing input");
    if (!slider) continue;
    const shown = card.querySelector(".smoothing output");
    slider.addEventListener("input", () => {
      const bandwidth = Number(slider.value);
      shown.textContent = bandwidth ? bandwidth.toFixed(2) : "off";
      for (const one of series) {
        const smooth = loess(one.px, one.py, bandwidth);
        one.group.querySelector(".smooth").setAttribute("d", path(one.px, smooth));
        one.group.querySelector(".faint").setAttribute("d", smooth === one.py ? "" : path(one.px, one.py));
      }
    });
  }

  // --- pictures --------------------------------------------------------------------------------------------
  for (const card of all(".card.images")) {
    const stage = card.querySelector(".stage");
    if (!stage) continue;
    const side = card.querySelector(".pictures");
    const pictures = all(".picture img", side);
    const [under, over] = all("img", stage);
    const cut = stage.querySelector("input");
    const choices = all("select", card);
    const pick = () => {
      under.src = pictures[choices.length ? Number(choices[0].value) : 0].src;
      over.src = pictures[choices.length ? Number(choices[1].value) : 1].src;
    };
    for (const choice of choices) choice.addEventListener("change", pick);
    cut.addEventListener("input", () => stage.style.setProperty("--cut", `${cut.value}%`));
    for (const button of all("button[data-mode]", card)) {
      button.addEventListener("click", () => {
        const mode = button.dataset.mode;
        for (const one of all("button[data-mode]", card)) one.setAttribute("aria-pressed", String(one === button));
        side.hidden = mode !== "side";
        stage.hidden = mode === "side";
        cut.hidden = mode !== "swipe";
        for (const choice of choices) choice.hidden = mode === "side";
        stage.className = `stage ${mode}`;
        if (mode !== "side") pick();
      });
    }
  }
})();
