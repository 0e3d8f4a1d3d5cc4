// Sortable, searchable tables: <table data-sortable>, numbers in data-n, a search field in data-search-of="table id".
(() => {
  "use strict";
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.n !== undefined ? (cell.dataset.n === "" ? null : Number(cell.dataset.n)) : cell.textContent.trim().toLowerCase();
  };
  const compare = (one, other) => (typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true }));
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        // Numbers begin with the largest, words with A.
        const first = head.classList.contains("n") ? "descending" : "ascending";
        const now = head.getAttribute("aria-sort");
        const order = !now ? first : now === "ascending" ? "descending" : "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...body.rows].map((row) => [value(row, column), row]);
        // Empty cells stay at the end.
        rows.sort(([one], [other]) => (one === null || other === null ? (one === null) - (other === null) : sign * compare(one, other)));
        body.append(...rows.map(([, row]) => row));
      });
    });
    const field = document.querySelector(`[data-search-of="${table.id}"]`);
    const count = document.querySelector(`[data-count-of="${table.id}"]`);
    if (!field) continue;
    const all = [...body.rows];
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      for (const row of all) {
        row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      }
      if (count) count.textContent = wanted ? `${shown} of ${all.length}` : "";
    });
  }
})();
