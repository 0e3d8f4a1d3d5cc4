// Speakers of the page: lanes, filter and names. The page's own script hands over what it knows of time and words.
globalThis.speakersOf = (data, page) => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const box = document.querySelector(".voices");
  const rows = [...document.querySelectorAll(".voice")];
  const names = data.speakers.map((speaker) => speaker.name);

  // ---- names: kept in this browser until they are in the recording's file of corrections
  const place = `audiogrid names ${data.audio || `${data.recording} ${data.duration}`}`;
  const clean = (text) => text.replace(/\s+/gu, " ").replace(/[\p{Cc}\p{Cs}]/gu, "").trim().slice(0, 100).trim();
  const length = (spans) => spans.reduce((sum, [from, to]) => sum + to - from, 0);
  const common = (one, other) =>
    one.reduce((sum, [from, to]) => sum + other.reduce((part, [a, b]) => part + Math.max(0, Math.min(to, b) - Math.max(from, a)), 0), 0);
  // The speaker that an entry names: the one whose turns it lists.
  const whose = (entry) => {
    let best = -1;
    data.speakers.forEach((speaker, s) => {
      if (2 * common(entry.at, speaker.at) < Math.min(length(entry.at), length(speaker.at)) || !speaker.at.length) return;
      if (best < 0 || speaker.labels.includes(entry.was)) best = s;
    });
    return best;
  };
  let entries = [];
  let isKept = true;
  const remember = () => {
    try {
      if (entries.length) localStorage.setItem(place, JSON.stringify(entries));
      else localStorage.removeItem(place);
      isKept = true;
    } catch {
      // Some browsers keep nothing for files; the download works all the same.
      isKept = false;
    }
  };
  const isSpan = (span) => Array.isArray(span) && span.length === 2 && span.every(Number.isFinite);
  const isEntry = (entry) => typeof entry?.name === "string" && Array.isArray(entry.at) && entry.at.every(isSpan);
  const load = () => {
    try {
      entries = JSON.parse(localStorage.getItem(place) ?? "[]").filter(isEntry);
    } catch {
      entries = [];
    }
  };
  const recall = () => {
    load();
    // What the transcript says by now needs no keeping.
    entries = entries.filter((entry) => {
      const s = whose(entry);
      return s < 0 || (entry.name || data.speakers[s].labels[0]) !== data.speakers[s].name;
    });
    remember();
  };
  const label = (s, name) => {
    names[s] = name;
    for (const element of document.querySelectorAll(`[data-s="${s}"] > .who`)) element.textContent = name;
    rows[s].querySelector(".edit").setAttribute("aria-label", `Rename ${name}`);
    rows[s].querySelector("svg").setAttribute("aria-label", `When ${name} talks`);
  };
  const rename = (s, text) => {
    const speaker = data.speakers[s];
    const name = clean(text);
    page.noted();
    entries = entries.filter((entry) => whose(entry) !== s);
    if ((name || speaker.labels[0]) !== speaker.name && speaker.at.length) {
      const when = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      entries.push({ name: name === speaker.labels[0] ? "" : name, was: speaker.labels[0], at: speaker.at, when, ...(page.by() ? { by: page.by() } : {}) });
    }
    remember();
    label(s, name || speaker.labels[0]);
    page.tell();
    page.renamed();
  };
  const edit = (s) => {
    const row = rows[s];
    const field = document.createElement("input");
    field.value = names[s];
    field.maxLength = 100;
    field.spellcheck = false;
    field.setAttribute("aria-label", `Name of ${names[s]}`);
    row.classList.add("editing");
    row.prepend(field);
    field.select();
    field.focus();
    let open = true;
    const close = (keep, back) => {
      if (!open) return;
      open = false;
      row.classList.remove("editing");
      const text = field.value;
      field.remove();
      if (keep && clean(text) !== names[s]) rename(s, text);
      if (back) row.querySelector(".edit").focus();
    };
    field.addEventListener("keydown", (event) => {
      if ((event.key !== "Enter" && event.key !== "Escape") || event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      close(event.key === "Enter", true);
    });
    field.addEventListener("blur", () => close(true, false));
  };
  const show = () => {
    data.speakers.forEach((speaker, s) => label(s, speaker.name));
    for (const entry of entries) {
      const s = whose(entry);
      if (s >= 0) label(s, entry.name || data.speakers[s].labels[0]);
    }
    page.renamed();
  };
  const restore = (wanted) => {
    entries = wanted.filter(isEntry);
    remember();
    show();
  };
  // The recording may be open in another tab, which changes what is kept.
  addEventListener("storage", (event) => {
    if (event.key !== place && event.key !== null) return;
    load();
    show();
    page.tell();
  });

  // ---- filter
  const picked = new Set();
  const shows = (holder) => !picked.size || picked.has(Number(holder.dataset.s ?? -1));
  const filter = () => {
    let shown = 0;
    page.holders.forEach((holder) => {
      holder.hidden = !shows(holder);
      shown += !holder.hidden;
    });
    rows.forEach((row, s) => {
      row.classList.toggle("picked", picked.has(s));
      row.querySelector(".pick").setAttribute("aria-pressed", String(picked.has(s)));
    });
    document.body.classList.toggle("filtering", picked.size > 0);
    byId("filtered").hidden = !picked.size;
    const who = [...picked].sort((one, other) => one - other).map((s) => names[s]).join(", ");
    byId("filtered").querySelector("output").textContent = `${shown} of ${page.holders.length} paragraphs: ${who}`;
    page.filtered();
  };
  const everybody = () => {
    picked.clear();
    filter();
  };
  byId("everybody").addEventListener("click", everybody);
  rows.forEach((row, s) => {
    row.querySelector(".pick").addEventListener("click", () => {
      if (!picked.delete(s)) picked.add(s);
      filter();
    });
    row.querySelector(".edit").addEventListener("click", () => edit(s));
    row.querySelector(".track").addEventListener("click", (event) => {
      const { left, width } = event.currentTarget.getBoundingClientRect();
      page.go((data.duration * (event.clientX - left)) / width);
    });
  });
  byId("voices").addEventListener("click", (event) => {
    box.hidden = !box.hidden;
    event.currentTarget.setAttribute("aria-pressed", String(!box.hidden));
  });

  // ---- the turn before and after
  const turn = (by, at) => {
    const starts = page.starts();
    const isFirst = (n) => picked.size > 0 || n === 0 || page.holders[n - 1].dataset.s !== page.holders[n].dataset.s;
    const begins = starts.map((from, n) => ({ from, n })).filter(({ from, n }) => from !== null && shows(page.holders[n]) && isFirst(n));
    const after = begins.filter(({ from }) => from > at + 0.05);
    // A second after its start a turn counts as the one before, as in music players.
    const before = begins.filter(({ from }) => from < at - 1);
    const target = by > 0 ? after[0] : before.at(-1);
    if (target) page.go(target.from);
  };

  recall();
  for (const entry of entries) {
    const s = whose(entry);
    if (s >= 0) label(s, entry.name || data.speakers[s].labels[0]);
  }
  return {
    entries: () => entries,
    isKept: () => isKept,
    restore,
    name: (text) => {
      const s = data.speakers.findIndex((speaker) => speaker.labels.includes(text));
      return s < 0 ? text : names[s];
    },
    labels: (holder) => data.speakers[Number(holder.dataset.s ?? -1)]?.labels ?? [],
    at: (seconds) => box.style.setProperty("--at", data.duration ? Math.min(1, seconds / data.duration) : 0),
    keys: { s: () => byId("voices").click(), "[": (at) => turn(-1, at), "]": (at) => turn(1, at), Escape: everybody },
  };
};
