// Corrections on the page: words, passages, paragraphs, undo, all alike. The page's own script hands over its words.
globalThis.editorOf = (data, page) => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const { start, end, paragraph, first, total } = page;
  const DOUBTFUL = 50;
  const NEAR = 0.02;
  const KEPT = 100;
  const place = `audiogrid words ${data.audio || `${data.recording} ${data.duration}`}`;
  const line = (text) => text.replace(/[\p{Cc}\p{Cs}]/gu, " ").replace(/\s+/gu, " ").trim();
  const form = (text) => text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}\p{M}]/gu, "") || text.trim();
  const channelOf = (word) => (data.channels[paragraph[word]] ?? -1) + 1;
  const checked = new Set(data.checked);

  // ---- what was changed: entries as the file of corrections has them, tied to spans of audio
  let entries = { passages: [], paragraphs: [] };
  let history = [];
  let draft = null;
  // Where the entries stand among the words of this page.
  let edits = new Map();
  let begins = new Map();

  const text = (from, to) => {
    let joined = "";
    for (let word = from; word <= to; word += 1) joined += page.base(word);
    return joined;
  };
  const inside = (from, to, channel) => {
    const found = [];
    for (let word = 0; word < total; word += 1) {
      const middle = (start[word] + end[word]) / 2;
      if (middle > from && middle < to && channelOf(word) === channel) found.push(word);
    }
    return found;
  };
  // Words of an entry as this page has them: [first, last], or null.
  const words = (entry) => {
    const found = inside(entry.at[0] - NEAR, entry.at[1] + NEAR, entry.channel ?? 0);
    const [from, to] = [found[0], found.at(-1)];
    const fits = found.length && Math.abs(start[from] - entry.at[0]) < NEAR && Math.abs(end[to] - entry.at[1]) < NEAR;
    return fits && to - from === found.length - 1 ? [from, to] : null;
  };
  const wordAt = (entry) => {
    for (let word = 0; word < total; word += 1) {
      if (Math.abs(start[word] - entry.at) < NEAR && channelOf(word) === (entry.channel ?? 0)) return word;
    }
    return -1;
  };
  const settle = () => {
    const before = new Set([...edits.keys(), ...begins.keys()].map((word) => paragraph[word]));
    edits = new Map();
    begins = new Map();
    for (const entry of entries.passages) {
      const found = words(entry);
      if (!found || line(text(...found)) !== entry.was) continue;
      for (let word = found[0]; word <= found[1]; word += 1) edits.set(word, { entry, from: found[0], to: found[1] });
    }
    for (const entry of entries.paragraphs) {
      const word = wordAt(entry);
      if (word >= 0) begins.set(word, entry.begins);
    }
    const after = new Set([...edits.keys(), ...begins.keys()].map((word) => paragraph[word]));
    for (const n of new Set([...before, ...after])) {
      page.redress(n);
      page.holders[n].classList.toggle("joined", begins.get(first[n]) === false);
    }
  };
  const remember = () => {
    const count = entries.passages.length + entries.paragraphs.length;
    try {
      if (count || history.length || draft) localStorage.setItem(place, JSON.stringify({ ...entries, history, draft }));
      else localStorage.removeItem(place);
    } catch {
      // Some browsers keep nothing for files; the download works all the same.
    }
  };
  const isTime = (value) => typeof value === "number" && Number.isFinite(value);
  const recall = () => {
    let found = {};
    try {
      found = JSON.parse(localStorage.getItem(place) ?? "{}") ?? {};
    } catch {
      found = {};
    }
    const list = (value) => (Array.isArray(value) ? value : []);
    const isPassage = (entry) =>
      Array.isArray(entry?.at) && entry.at.length === 2 && entry.at.every(isTime) && typeof entry.was === "string" && typeof entry.text === "string";
    entries = {
      passages: list(found.passages).filter(isPassage),
      paragraphs: list(found.paragraphs).filter((entry) => isTime(entry?.at) && typeof entry.begins === "boolean"),
    };
    history = list(found.history).filter((one) => typeof one === "string");
    draft = isPassage(found.draft) ? found.draft : null;
    // What the transcript says by now needs no keeping.
    const known = entries.passages.length + entries.paragraphs.length;
    entries.passages = entries.passages.filter((entry) => {
      const there = inside(entry.at[0], entry.at[1], entry.channel ?? 0);
      if (!there.length) return entry.text !== "";
      return !(there.every((word) => checked.has(word)) && line(text(there[0], there.at(-1))) === entry.text);
    });
    entries.paragraphs = entries.paragraphs.filter((entry) => {
      const word = wordAt(entry);
      return word < 0 || (first[paragraph[word]] === word) !== entry.begins;
    });
    const left = entries.passages.length + entries.paragraphs.length;
    if (left < known || !(left || page.names().length)) history = [];
    remember();
  };
  const snapshot = () => JSON.stringify({ ...entries, names: page.names() });
  const note = () => {
    history.push(snapshot());
    history = history.slice(-KEPT);
  };
  const change = (action) => {
    note();
    action();
    remember();
    settle();
    tell();
  };
  const undo = () => {
    if (!history.length) return;
    const before = JSON.parse(history.pop());
    entries = { passages: before.passages, paragraphs: before.paragraphs };
    page.restoreNames(before.names);
    remember();
    settle();
    tell();
    choose(selected?.from ?? -1);
    announce("Undone");
  };
  const when = () => new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const by = () => line(byId("by").value).slice(0, 100);
  const signed = (entry) => ({ ...entry, when: when(), ...(by() ? { by: by() } : {}) });
  const round = (seconds) => Math.round(1000 * seconds) / 1000;

  // ---- one correction: the words [from, to] become a text; what it touches becomes one with it
  const passageOf = (from, to, wanted) => {
    const [low, high] = [first[paragraph[from]], first[paragraph[from] + 1]];
    const channel = channelOf(from);
    const [before, after] = [line(text(Math.max(low, from - 4), from - 1)), line(text(to + 1, Math.min(high - 1, to + 4)))];
    return signed({
      at: [round(start[from]), round(end[to])],
      was: line(text(from, to)),
      text: line(wanted),
      ...(before ? { before } : {}),
      ...(after ? { after } : {}),
      ...(channel ? { channel } : {}),
    });
  };
  const touched = (from, to) => {
    const found = new Set();
    for (let word = from; word <= to; word += 1) if (edits.has(word)) found.add(edits.get(word));
    return [...found];
  };
  const shownText = (from, to) => {
    let joined = "";
    for (let word = from; word <= to; word += 1) {
      const edit = edits.get(word);
      if (!edit) joined += page.base(word);
      else if (edit.from === word) joined += ` ${edit.entry.text}`;
    }
    return line(joined);
  };
  const widened = (from, to) => {
    const others = touched(from, to);
    return [Math.min(from, ...others.map((one) => one.from)), Math.max(to, ...others.map((one) => one.to))];
  };
  const put = (from, to, wanted) => {
    const gone = new Set(touched(from, to).map((one) => one.entry));
    entries.passages = entries.passages.filter((entry) => !gone.has(entry));
    entries.passages.push(passageOf(from, to, wanted));
  };
  const correct = (from, to, wanted) => {
    const [low, high] = widened(from, to);
    if (line(wanted) === shownText(low, high)) return;
    const isBack = line(wanted) === line(text(low, high));
    change(() => {
      if (!isBack) return put(low, high, wanted);
      const gone = new Set(touched(low, high).map((one) => one.entry));
      entries.passages = entries.passages.filter((entry) => !gone.has(entry));
    });
    choose(low, high);
    offer(low, high);
  };
  const confirm = () => {
    const wanted = target();
    if (!wanted) return;
    const [from, to] = widened(wanted.from, wanted.to);
    if (!touched(from, to).length) change(() => put(from, to, text(from, to)));
    choose(from, to);
    announce(`Right as it is: ${shownText(from, to)}`);
  };
  const breakParagraph = () => {
    const wanted = target();
    if (!wanted) return;
    const word = widened(wanted.from, wanted.from)[0];
    const isFirst = first[paragraph[word]] === word;
    if (word === 0 || (isFirst && page.holders[paragraph[word]].dataset.s !== page.holders[paragraph[word] - 1].dataset.s)) {
      announce("Paragraphs of different speakers stay apart");
      return;
    }
    change(() => {
      const known = begins.has(word);
      const here = (entry) => Math.abs(entry.at - start[word]) < NEAR && (entry.channel ?? 0) === channelOf(word);
      entries.paragraphs = entries.paragraphs.filter((entry) => !here(entry));
      const channel = channelOf(word);
      if (!known) entries.paragraphs.push(signed({ at: round(start[word]), word: line(page.base(word)), begins: !isFirst, ...(channel ? { channel } : {}) }));
    });
    choose(word);
    announce(begins.has(word) ? (isFirst ? "Joined with the paragraph before" : "A paragraph begins here") : "As it was");
  };

  // ---- the chosen words
  let selected = null;
  const paintChosen = (on) => {
    if (!selected) return;
    for (let word = selected.from; word <= selected.to; word += 1) page.spanOf(word).classList.toggle("chosen", on);
  };
  const choose = (from, to = from) => {
    paintChosen(false);
    selected = from < 0 ? null : { from, to };
    paintChosen(true);
    byId("edit").hidden = !selected && !entries.passages.length && !entries.paragraphs.length && !history.length;
  };
  const marked = () => {
    const selection = getSelection();
    if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
    const range = selection.getRangeAt(0);
    const holder = range.startContainer.parentElement?.closest(".p");
    const found = holder ? [...holder.querySelectorAll("[data-w]")].filter((span) => span.textContent && range.intersectsNode(span)) : [];
    const inner = found.filter((span) => {
      const part = document.createRange();
      part.selectNodeContents(span);
      return range.compareBoundaryPoints(Range.END_TO_START, part) < 0 && range.compareBoundaryPoints(Range.START_TO_END, part) > 0;
    });
    return inner.length ? { from: Number(inner[0].dataset.w), to: Number(inner.at(-1).dataset.w) } : null;
  };
  const target = () => {
    const found = marked() ?? selected ?? (total ? { from: page.current(), to: page.current() } : null);
    if (!found) return null;
    const [from, to] = widened(found.from, found.to);
    return { from, to };
  };
  const extend = (by) => {
    const found = target();
    if (!found) return;
    const last = first[paragraph[found.from] + 1] - 1;
    choose(found.from, Math.max(found.from, Math.min(last, found.to + by)));
  };
  const isDoubtful = (word) => page.probability(word) < DOUBTFUL && !edits.has(word) && !checked.has(word) && !page.holders[paragraph[word]].hidden;
  const doubtful = (step) => {
    const at = selected ? (step > 0 ? selected.to : selected.from) : page.current() - (step > 0 ? 1 : 0);
    let word = at + step;
    while (word >= 0 && word < total && !isDoubtful(word)) word += step;
    if (word < 0 || word >= total) {
      announce(step > 0 ? "No doubtful word after this" : "No doubtful word before this");
      return;
    }
    page.go(start[word]);
    choose(word);
    page.view(word);
    announce(`${line(page.base(word))}: ${page.probability(word)}% certain`);
  };
  // Enter belongs to the chosen word, not to what was clicked before.
  const leave = () => document.activeElement?.matches("summary, button, a") && document.activeElement.blur();
  const announce = (message) => { byId("said").textContent = message; };

  // ---- the field in which a correction is typed
  let close = () => {};
  const open = (typed = null) => {
    const wanted = target();
    if (!wanted) return;
    close(true);
    getSelection()?.removeAllRanges();
    const { from, to } = wanted;
    choose(from, to);
    page.view(from);
    const field = document.createElement("input");
    field.className = "fix";
    field.value = typed ?? shownText(from, to);
    field.dir = "auto";
    field.autocomplete = "off";
    field.setAttribute("aria-label", `Correct ${shownText(from, to)}`);
    const fit = () => { field.style.width = `${Math.min(60, Math.max(4, field.value.length + 2))}ch`; };
    fit();
    page.spanOf(from).before(field);
    for (let word = from; word <= to; word += 1) page.spanOf(word).classList.add("under");
    field.focus();
    field.select();
    let isOpen = true;
    const keep = () => {
      draft = { at: [round(start[from]), round(end[to])], was: line(text(from, to)), text: field.value, ...(channelOf(from) ? { channel: channelOf(from) } : {}) };
      remember();
    };
    close = (save) => {
      if (!isOpen) return;
      isOpen = false;
      const value = field.value;
      draft = null;
      field.remove();
      for (let word = from; word <= to; word += 1) page.spanOf(word).classList.remove("under");
      if (save) correct(from, to, value);
      remember();
    };
    field.addEventListener("input", () => {
      fit();
      keep();
    });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      if (event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      close(event.key === "Enter");
    });
    field.addEventListener("blur", () => close(true));
  };

  // ---- all alike
  let offered = null;
  let forms = null;
  const alike = (from, to) => {
    forms ??= Array.from({ length: total }, (_, word) => form(page.base(word)));
    const wanted = forms.slice(from, to + 1);
    const found = [];
    for (let word = 0; word + wanted.length <= total; word += 1) {
      if (word === from || paragraph[word] !== paragraph[word + wanted.length - 1]) continue;
      if (!wanted.every((one, n) => one === forms[word + n] && !edits.has(word + n) && !checked.has(word + n))) continue;
      found.push(word);
      word += wanted.length - 1;
    }
    return found;
  };
  const offer = (from, to) => {
    const edit = edits.get(from);
    const others = edit && edit.entry.text !== edit.entry.was ? alike(edit.from, edit.to) : [];
    offered = others.length ? { from, to, others, entry: edit.entry } : null;
    byId("alike").hidden = !offered;
    if (offered) {
      byId("alike").textContent = `Correct all alike (${others.length} more)`;
      announce(`${others.length} more ${others.length === 1 ? "place says" : "places say"} “${edit.entry.was}”: a corrects them, too`);
    }
  };
  const listAlike = () => {
    const edit = selected && edits.get(selected.from);
    if (!offered && edit) offer(edit.from, edit.to);
    if (!offered) return announce("Nothing else says the same");
    const list = byId("places").querySelector("ul");
    list.replaceChildren();
    const length = offered.to - offered.from;
    for (const word of offered.others) {
      const item = document.createElement("li");
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.value = word;
      const [low, high] = [first[paragraph[word]], first[paragraph[word] + 1] - 1];
      const said = document.createElement("b");
      said.textContent = line(text(word, word + length));
      label.append(box, ` ${page.clock(start[word])}  … ${line(text(Math.max(low, word - 5), word - 1))} `, said);
      label.append(` ${line(text(word + length + 1, Math.min(high, word + length + 5)))} …`);
      item.append(label);
      list.append(item);
    }
    byId("places").querySelector("h2").textContent = `“${offered.entry.was}” becomes “${offered.entry.text || "nothing"}”`;
    byId("places").showModal();
  };
  byId("places").addEventListener("close", (event) => {
    if (event.target.returnValue !== "correct" || !offered) return;
    const chosen = [...event.target.querySelectorAll("input:checked")].map((box) => Number(box.value));
    const { from, to, entry } = offered;
    if (chosen.length) change(() => chosen.forEach((word) => put(word, word + to - from, entry.text)));
    offer(from, to);
    announce(`${chosen.length} corrected`);
  });

  // ---- the bar, and the file
  const count = (number, one, many) => (number ? [`${number} ${number === 1 ? one : many}`] : []);
  const tell = () => {
    const names = page.names().length;
    const parts = [
      ...count(entries.passages.length, "correction", "corrections"),
      ...count(entries.paragraphs.length, "paragraph", "paragraphs"),
      ...count(names, "name", "names"),
    ];
    const number = entries.passages.length + entries.paragraphs.length + names;
    byId("changes").hidden = !number;
    const how = service
      ? "Save puts them into the transcript"
      : data.audio
      ? "Download, then run: audiogrid corrections import FILE"
      : "There is no download, because this transcript was written by an earlier version: run audiogrid again";
    const lost = entries.passages.filter((entry) => ![...edits.values()].some((edit) => edit.entry === entry)).length;
    const away = lost ? ` ${lost} of them ${lost === 1 ? "is" : "are"} of an earlier transcript, and will be found again by time.` : "";
    byId("changes").querySelector("output").textContent = `${parts.join(" and ")} ${number === 1 ? "was" : "were"} changed here, and kept in this browser.${away} ${how}`;
    byId("save").hidden = !data.audio;
    byId("undo").disabled = !history.length;
    if (number || history.length) byId("edit").hidden = false;
  };
  const ORDER = {
    speakers: ["name", "was", "at", "when", "by"],
    passages: ["at", "was", "text", "before", "after", "channel", "when", "by"],
    paragraphs: ["at", "word", "begins", "channel", "when", "by"],
  };
  const firstTime = (entry) => [entry.at].flat(2)[0];
  const value = (one) => (Array.isArray(one) ? `[${one.map(value).join(", ")}]` : JSON.stringify(one));
  // As audiogrid itself writes the file: a field to a line.
  const fileText = () => {
    const lists = { speakers: page.names(), ...entries };
    const block = (name) => {
      const sorted = [...lists[name]].sort((one, other) => firstTime(one) - firstTime(other));
      const fields = (entry) => ORDER[name].filter((key) => key in entry).map((key) => `   ${JSON.stringify(key)}: ${value(entry[key])}`);
      if (!sorted.length) return `"${name}": []`;
      return `"${name}": [\n${sorted.map((entry) => `  {\n${fields(entry).join(",\n")}\n  }`).join(",\n")}\n ]`;
    };
    const head = [`"schema": 1`, `"recording": ${JSON.stringify(data.recording)}`, `"audio": ${JSON.stringify(data.audio)}`];
    const blocks = Object.keys(ORDER).filter((name) => name === "speakers" || lists[name].length).map(block);
    return `{\n${[...head, ...blocks].map((part) => ` ${part}`).join(",\n")}\n}\n`;
  };
  // Under the address of a job the service takes the file, and writes the transcript anew.
  const service = /^https?:$/.test(location.protocol) && /\/v1\/jobs\/[^/]+\/transcript\.html$/.test(location.pathname);
  const save = async () => {
    announce("Saving …");
    let answer;
    try {
      answer = await fetch("corrections", { method: "PUT", body: fileText(), headers: { "Content-Type": "application/json" } });
    } catch {
      return announce("The service does not answer: everything is still kept in this browser");
    }
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) return announce(told.error?.message ?? `The service refused it (${answer.status}): everything is still kept in this browser`);
    location.reload();
  };
  byId("save").textContent = service ? "Save" : "Download";
  byId("save").addEventListener("click", () => {
    if (service) return save();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([fileText()], { type: "application/json" }));
    link.download = `${data.recording}.${data.audio.slice(0, 12)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
  byId("discard").addEventListener("click", () => {
    change(() => {
      entries = { passages: [], paragraphs: [] };
      page.restoreNames([]);
    });
    announce("Discarded; Undo brings everything back");
  });
  const actions = {
    fix: () => open(),
    right: confirm,
    break: breakParagraph,
    alike: listAlike,
    undo,
    doubtful: () => doubtful(1),
  };
  for (const [id, action] of Object.entries(actions)) {
    byId(id).addEventListener("mousedown", (event) => event.preventDefault());
    byId(id).addEventListener("click", action);
  }
  try {
    byId("by").value = localStorage.getItem("audiogrid by") ?? "";
  } catch {
    // Asked again next time.
  }
  byId("by").addEventListener("change", () => {
    try {
      if (by()) localStorage.setItem("audiogrid by", by());
      else localStorage.removeItem("audiogrid by");
    } catch {
      // Asked again next time.
    }
  });
  document.addEventListener("dblclick", (event) => {
    const span = event.target.closest?.("[data-w]");
    if (!span) return;
    choose(Number(span.dataset.w));
    getSelection()?.removeAllRanges();
    open();
  });

  return {
    begin: () => {
      recall();
      settle();
      tell();
      const found = draft && words(draft);
      if (!found) return;
      const typed = draft.text;
      choose(...found);
      open(typed);
    },
    // Texts of the words of a paragraph as they are shown.
    shown: (from, texts) => texts.map((piece, n) => {
      const edit = edits.get(from + n);
      if (!edit) return piece;
      const space = piece.slice(0, piece.length - piece.trimStart().length);
      return edit.from !== from + n ? "" : edit.entry.text ? space + edit.entry.text : "";
    }),
    mark: (word) => {
      const edit = edits.get(word);
      if (edit) return edit.entry.text === edit.entry.was ? "confirmed" : "edited";
      return checked.has(word) ? "confirmed" : "";
    },
    was: (word) => edits.get(word)?.entry.was,
    isDeleted: (word) => edits.get(word)?.from === word && edits.get(word).entry.text === "",
    begins: (word) => begins.get(word) === true,
    isChosen: (word) => selected !== null && word >= selected.from && word <= selected.to,
    moved: () => choose(-1),
    noted: note,
    tell: () => { remember(); tell(); },
    by,
    keys: {
      Enter: () => open(),
      n: () => {
        leave();
        doubtful(1);
      },
      N: () => {
        leave();
        doubtful(-1);
      },
      y: confirm,
      p: breakParagraph,
      a: listAlike,
      u: undo,
      "+": () => extend(1),
      "-": () => extend(-1),
    },
  };
};
