"use strict";
// Tables: a field above each filters its rows, and each head of a column sorts them. All that the
// report says is there without this script.
for (const table of document.querySelectorAll("table.list")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  if (rows.length < 2) continue;
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
  };
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = Array.from(body.rows).sort((one, two) => {
        const a = value(one, column), b = value(two, column);
        const order = a < b ? -1 : a > b ? 1 : 0;
        return down ? -order : order;
      });
      body.append(...sorted);
    });
  });
  if (rows.length < 6) continue;
  const label = document.createElement("label");
  label.className = "filter";
  const field = document.createElement("input");
  field.type = "search";
  if (table.caption) field.setAttribute("aria-label", "Filter: " + table.caption.textContent);
  const count = document.createElement("output");
  label.append("Filter: ", field, " ", count);
  table.closest(".scroll").before(label);
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let found = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      found += row.hidden ? 0 : 1;
    }
    count.textContent = wanted ? found + " of " + rows.length + " rows" : "";
  });
}
// A link to an entry opens it.
const open = () => {
  const entry = document.getElementById(location.hash.slice(1));
  if (entry && entry.tagName === "DETAILS") entry.open = true;
};
addEventListener("hashchange", open);
open();
