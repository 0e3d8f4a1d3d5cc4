// Sortable, searchable tables: <table data-sortable>, numbers in data-n, a search field in data-search-of="table id",
// a choice of rows by data-kind in data-kinds-of="table id". With data-page="200" so many rows are shown at a time, and
// data-pages-of="table id" holds the buttons.
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
        show(0);
      });
    });
    const of = (what) => document.querySelector(`[data-${what}-of="${table.id}"]`);
    const [field, kinds, count, pages] = ["search", "kinds", "count", "pages"].map(of);
    const size = pages ? Number(table.dataset.page) : Infinity;
    let page = 0;
    const turn = (label, step) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => show(page + step));
      return button;
    };
    const [back, place, on] = [turn("Previous", -1), document.createElement("span"), turn("Next", 1)];
    if (pages) pages.append(back, place, on);
    function show(wanted) {
      const words = field ? field.value.trim().toLowerCase() : "";
      const kind = kinds ? kinds.value : "";
      const fits = (row) =>
        (words === "" || row.textContent.toLowerCase().includes(words)) &&
        (kind === "" || (row.dataset.kind || "").split(" ").includes(kind));
      const rows = [...body.rows];
      const found = rows.filter(fits);
      const last = Math.max(0, Math.ceil(found.length / size) - 1);
      page = Math.min(Math.max(0, wanted), last);
      rows.forEach((row) => (row.hidden = true));
      const [first, end] = size === Infinity ? [0, found.length] : [page * size, (page + 1) * size];
      found.slice(first, end).forEach((row) => (row.hidden = false));
      if (count) count.textContent = words || kind ? `${found.length} of ${rows.length}` : "";
      if (!pages) return;
      pages.hidden = last === 0;
      place.textContent = `page ${page + 1} of ${last + 1}`;
      back.disabled = page === 0;
      on.disabled = page === last;
    }
    if (field) field.addEventListener("input", () => show(0));
    if (kinds) kinds.addEventListener("change", () => show(0));
    show(0);
  }
})();
