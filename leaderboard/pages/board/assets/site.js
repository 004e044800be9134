// Ages of moments, buttons that sort, and filters whose state is the address. Every page reads
// without this file; the order of rows and their ranks never depend on it.
"use strict";

const DAY = 86400000;
const OLD = 30 * DAY;

// How long ago a moment was. The page itself never says, so that the same log gives the same page.
for (const time of document.querySelectorAll("time[data-age]")) {
  const age = Date.now() - Date.parse(time.dateTime);
  const days = Math.floor(age / DAY);
  const text = days < 1 ? "today" : days === 1 ? "1 day ago" : `${days} days ago`;
  const note = document.createElement("span");
  note.className = age > OLD ? "bad" : "quiet";
  note.textContent = age > OLD ? ` (${text}: old; the board may have gone on)` : ` (${text})`;
  time.after(note);
}

// A heading becomes a button: it can be reached and pressed by keyboard.
for (const heading of document.querySelectorAll("table.sortable thead th:not(.no-sort)")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  heading.append(button);
}

const form = document.querySelector("form.filters");
const table = document.querySelector("table.standings");
if (form && table) {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  const fields = [...form.elements].filter((field) => field.name);
  const count = form.querySelector("output");
  const headings = [...table.tHead.rows[0].cells];
  let reading = false;

  const matches = (row, field) => {
    if (field.type === "checkbox") return !field.checked || row.dataset[field.name] === "1";
    if (field.value === "") return true;
    if (field.name === "level") return row.dataset.level >= field.value;
    return row.dataset[field.name] === field.value;
  };
  const show = () => {
    for (const row of rows) row.hidden = !fields.every((field) => matches(row, field));
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${rows.length} rows`;
  };

  // The address holds what was chosen, so that it can be sent to others.
  const write = () => {
    if (reading) return;
    const state = new URLSearchParams();
    for (const field of fields) {
      if (field.type === "checkbox" ? field.checked : field.value) {
        state.set(field.name, field.type === "checkbox" ? "1" : field.value);
      }
    }
    const sorted = headings.find((heading) => heading.hasAttribute("aria-sort"));
    if (sorted) state.set("sort", `${sorted.dataset.key} ${sorted.getAttribute("aria-sort")}`);
    history.replaceState(null, "", `#${state}`);
  };
  const read = () => {
    reading = true;
    const state = new URLSearchParams(location.hash.slice(1));
    for (const field of fields) {
      if (field.type === "checkbox") field.checked = state.get(field.name) === "1";
      else field.value = state.get(field.name) ?? "";
      if (field.selectedIndex === -1) field.value = "";
    }
    const [key, direction] = (state.get("sort") ?? "").split(" ");
    const heading = headings.find((each) => each.dataset.key === key);
    for (let press = 0; heading && press < 2; press++) {
      if (heading.getAttribute("aria-sort") !== direction) heading.querySelector("button").click();
    }
    show();
    reading = false;
  };

  form.hidden = false;
  form.addEventListener("input", () => { show(); write(); });
  form.addEventListener("reset", () => setTimeout(() => {
    for (const row of rows) row.parentNode.append(row);
    for (const heading of headings) heading.removeAttribute("aria-sort");
    show();
    write();
  }));
  table.addEventListener("sort-end", write);
  addEventListener("hashchange", read);
  read();
}
