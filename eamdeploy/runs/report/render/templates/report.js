(() => {
  "use strict";
  const theme = document.getElementById("theme");
  const root = document.documentElement;
  const dark = () => getComputedStyle(root).colorScheme === "dark" ||
    (getComputedStyle(root).colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `${theme.textContent} colours`); };
  theme.hidden = false;
  name();
  theme.addEventListener("click", () => { root.style.colorScheme = dark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  // paper is white and nothing on it can be opened, whatever the screen was
  let screen = "", closed = [];
  addEventListener("beforeprint", () => {
    screen = root.style.colorScheme; root.style.colorScheme = "light";
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => { root.style.colorScheme = screen; closed.forEach((fold) => { fold.open = false; }); });
  // a link to a section that is nothing but folds opens the first of them
  const unfold = () => {
    const section = location.hash && document.getElementById(location.hash.slice(1));
    if (section && !section.querySelector(":scope > figure, :scope > .table")) {
      section.querySelector("details")?.setAttribute("open", "");
    }
  };
  addEventListener("hashchange", unfold);
  unfold();

  const value = (cell) => {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = text === "inf" ? Infinity : Number(text);
    return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
  };
  const order = (a, b) => typeof a === typeof b
    ? (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }))
    : (typeof a === "number" ? -1 : 1);

  for (const box of document.querySelectorAll(".table")) {
    const body = box.querySelector("tbody");
    const rows = [...body.rows];
    const heads = [...box.querySelectorAll("th")];
    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = rows.map((row) => [value(row.cells[index]), row]);
        // what was not measured stays last in both directions
        const absent = (key) => key === Infinity || key === "–" || key === "";
        keyed.sort(([a], [b]) => absent(a) - absent(b) || (down ? -1 : 1) * order(a, b));
        body.append(...keyed.map(([, row]) => row));
      });
    });
    const filter = box.querySelector(".filter");
    if (!filter) continue;
    filter.hidden = false;
    const input = filter.querySelector("input");
    const count = filter.querySelector(".count");
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !words.every((word) => texts[index].includes(word));
        shown += !row.hidden;
      });
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    };
    input.addEventListener("input", show);
  }
})();
