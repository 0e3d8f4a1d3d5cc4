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
  const KINDS = ["passages", "paragraphs"];

  // ---- what was changed: entries as the file of corrections has them, tied to spans of audio
  let entries = { passages: [], paragraphs: [] };
  // What each change took away and added; where names were changed, all names before it.
  let history = [];
  let draft = null;
  let isKept = true;
  // Where the entries stand among the words of this page.
  let edits = new Map();
  let begins = new Map();

  const text = (from, to) => {
    let joined = "";
    for (let word = from; word <= to; word += 1) joined += page.base(word);
    return joined;
  };
  const middle = (word) => (start[word] + end[word]) / 2;
  // The words of each channel in the order of a time, so that spans are looked up and not searched for.
  const lanesBy = (time) => {
    let lanes = null;
    return (channel) => {
      if (!lanes) {
        lanes = new Map();
        for (let word = 0; word < total; word += 1) {
          const own = channelOf(word);
          if (!lanes.has(own)) lanes.set(own, []);
          lanes.get(own).push(word);
        }
        for (const lane of lanes.values()) lane.sort((one, other) => time(one) - time(other) || one - other);
      }
      return lanes.get(channel) ?? [];
    };
  };
  const middles = lanesBy(middle);
  const starts = lanesBy((word) => start[word]);
  // Where the words of a lane begin that are later than a time.
  const later = (lane, time, seconds) => {
    let [low, high] = [0, lane.length];
    while (low < high) {
      const half = (low + high) >> 1;
      if (time(lane[half]) > seconds) high = half;
      else low = half + 1;
    }
    return low;
  };
  const inside = (from, to, channel) => {
    const lane = middles(channel);
    const found = [];
    for (let n = later(lane, middle, from); n < lane.length && middle(lane[n]) < to; n += 1) found.push(lane[n]);
    return found.sort((one, other) => one - other);
  };
  // Words of an entry as this page has them: [first, last], or null.
  const words = (entry) => {
    const found = inside(entry.at[0] - NEAR, entry.at[1] + NEAR, entry.channel ?? 0);
    const [from, to] = [found[0], found.at(-1)];
    const fits = found.length && Math.abs(start[from] - entry.at[0]) < NEAR && Math.abs(end[to] - entry.at[1]) < NEAR;
    return fits && to - from === found.length - 1 ? [from, to] : null;
  };
  const wordAt = (entry) => {
    const lane = starts(entry.channel ?? 0);
    const word = lane[later(lane, (one) => start[one], entry.at - NEAR)] ?? -1;
    return word >= 0 && start[word] - entry.at < NEAR ? word : -1;
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
    // Where there is no room for all, the corrections are kept, and the last changes can be taken back.
    for (let steps = history; ; steps = steps.slice(Math.ceil(steps.length / 2))) {
      try {
        if (count || steps.length || draft) localStorage.setItem(place, JSON.stringify({ ...entries, history: steps, draft }));
        else localStorage.removeItem(place);
        isKept = true;
        return;
      } catch {
        isKept = false;
        if (!steps.length) return;
      }
    }
  };
  const isTime = (value) => typeof value === "number" && Number.isFinite(value);
  const list = (value) => (Array.isArray(value) ? value : []);
  const isPassage = (entry) =>
    Array.isArray(entry?.at) && entry.at.length === 2 && entry.at.every(isTime) && typeof entry.was === "string" && typeof entry.text === "string";
  const readable = (found) => ({
    passages: list(found?.passages).filter(isPassage),
    paragraphs: list(found?.paragraphs).filter((entry) => isTime(entry?.at) && typeof entry.begins === "boolean"),
  });
  const load = () => {
    let found = {};
    try {
      found = JSON.parse(localStorage.getItem(place) ?? "{}") ?? {};
    } catch {
      found = {};
    }
    entries = readable(found);
    history = list(found.history)
      .filter((step) => typeof step === "object" && step !== null)
      .map((step) => ({ gone: readable(step.gone), made: readable(step.made), ...(Array.isArray(step.names) ? { names: step.names } : {}) }));
    draft = isPassage(found.draft) ? found.draft : null;
  };
  const own = new Set(data.own);
  const decided = new Set(data.decided);
  // Whether the transcript says that a person removed what stood between two words.
  const isRemoved = (entry) => {
    const lane = middles(entry.channel ?? 0);
    const after = later(lane, middle, entry.at[0]);
    return own.has(lane[after - 1]) || own.has(lane[after]);
  };
  const recall = () => {
    load();
    // What the transcript says by now, because a person said so, needs no keeping.
    const known = entries.passages.length + entries.paragraphs.length;
    entries.passages = entries.passages.filter((entry) => {
      const there = inside(entry.at[0], entry.at[1], entry.channel ?? 0);
      if (!there.length) return entry.text !== "" || !isRemoved(entry);
      return !(there.every((word) => checked.has(word)) && line(text(there[0], there.at(-1))) === entry.text);
    });
    entries.paragraphs = entries.paragraphs.filter((entry) => {
      const word = wordAt(entry);
      return !decided.has(word) || (first[paragraph[word]] === word) !== entry.begins;
    });
    const left = entries.passages.length + entries.paragraphs.length;
    if (left < known || !(left || page.names().length)) history = [];
    remember();
  };
  const note = (step) => {
    history = [...history, step].slice(-KEPT);
  };
  const without = (some, others) =>
    Object.fromEntries(
      KINDS.map((kind) => {
        const known = new Set(others[kind]);
        return [kind, some[kind].filter((entry) => !known.has(entry))];
      }),
    );
  const change = (action) => {
    const before = { passages: [...entries.passages], paragraphs: [...entries.paragraphs] };
    const names = page.names();
    action();
    note({ gone: without(before, entries), made: without(entries, before), ...(page.names() === names ? {} : { names }) });
    remember();
    settle();
    tell();
  };
  const undo = () => {
    if (!history.length) return;
    const last = history.at(-1);
    history = history.slice(0, -1);
    for (const kind of KINDS) {
      const made = new Set(last.made[kind].map((entry) => JSON.stringify(entry)));
      entries[kind] = [...entries[kind].filter((entry) => !made.has(JSON.stringify(entry))), ...last.gone[kind]];
    }
    if (last.names) page.restoreNames(last.names);
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

  // A span is never empty, although a word may be.
  const timesOf = (from, to) => [round(start[from]), Math.max(round(end[to]), round(start[from] + 0.001))];

  // ---- one correction: the words [from, to] become a text; what it touches becomes one with it
  const passageOf = (from, to, wanted) => {
    const channel = channelOf(from);
    const lane = middles(channel);
    // Neighbours in time, as other transcripts have them, also across paragraphs.
    const around = (low, high) => line(lane.slice(Math.max(0, low), high).map((word) => (first[paragraph[word]] === word ? " " : "") + page.base(word)).join(""));
    const [at, last] = [lane.indexOf(from), lane.indexOf(to)];
    const [before, after] = [around(at - 4, at), around(last + 1, last + 5)];
    return signed({
      at: timesOf(from, to),
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
      const base = page.base(word);
      if (!edit) joined += base;
      else if (edit.from === word && edit.entry.text) joined += base.slice(0, base.length - base.trimStart().length) + edit.entry.text;
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
    // The word may be written from right to left.
    const said = document.createElement("bdi");
    said.textContent = line(page.base(word));
    byId("said").replaceChildren(said, `: ${page.probability(word)}% certain`);
  };
  // Enter belongs to the chosen word, not to what was clicked before.
  const leave = () => document.activeElement?.matches("summary, button, a") && document.activeElement.blur();
  const announce = (message) => { byId("said").textContent = message; };

  // ---- the field in which a correction is typed
  let close = () => {};
  let isTyping = false;
  let isStale = false;
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
    isTyping = true;
    let isOpen = true;
    const keep = () => {
      draft = { at: timesOf(from, to), was: line(text(from, to)), text: field.value, ...(channelOf(from) ? { channel: channelOf(from) } : {}) };
      remember();
    };
    close = (save) => {
      if (!isOpen) return;
      isOpen = false;
      isTyping = false;
      const value = field.value;
      draft = null;
      field.remove();
      for (let word = from; word <= to; word += 1) page.spanOf(word).classList.remove("under");
      if (isStale) settle();
      isStale = false;
      if (save) correct(from, to, value);
      remember();
      tell();
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

  // ---- what the glossary changed: a click puts back what was heard, as a correction
  const putBack = (one) => {
    const found = inside(one.start / 1000 - NEAR, one.end / 1000 + NEAR, one.channel === null ? 0 : one.channel + 1);
    if (!found.length) return announce("These words are no longer there");
    const [from, to] = [found[0], found.at(-1)];
    if (!line(text(from, to)).includes(one.term)) return announce("Somebody has changed these words since");
    page.go(start[from]);
    page.view(from);
    correct(from, to, line(text(from, to)).replace(one.term, () => one.heard));
    announce(`${one.heard} instead of ${one.term}; u takes it back`);
  };
  for (const button of document.querySelectorAll("#glossary button")) {
    button.addEventListener("click", () => putBack(data.glossary[Number(button.closest("li").dataset.n)]));
  }

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
  const isSafe = () => isKept && page.areNamesKept();
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
    const placed = new Set([...edits.values()].map((edit) => edit.entry));
    const lost = entries.passages.filter((entry) => !placed.has(entry)).length;
    const away = lost ? ` ${lost} of them ${lost === 1 ? "is" : "are"} of an earlier transcript, and will be found again by time.` : "";
    byId("changes").querySelector("output").textContent = `${parts.join(" and ")} ${number === 1 ? "was" : "were"} changed here, ${isSafe() ? "and kept in this browser" : "but this browser has no room to keep them: do not close the page yet"}.${away} ${how}`;
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
    const sent = { passages: [...entries.passages], paragraphs: [...entries.paragraphs] };
    const names = new Set(page.names());
    let answer;
    try {
      answer = await fetch("corrections", { method: "PUT", body: fileText(), headers: { "Content-Type": "application/json" } });
    } catch {
      return announce("The service does not answer: everything is still kept in this browser");
    }
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) return announce(told.error?.message ?? `The service refused it (${answer.status}): everything is still kept in this browser`);
    // The service has them now, also those that fit nowhere. What was changed since is kept.
    entries = without(entries, sent);
    history = [];
    page.restoreNames(page.names().filter((entry) => !names.has(entry)));
    remember();
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
  // The recording may be open in another tab, which changes what is kept.
  const follow = () => {
    const typed = draft;
    load();
    if (isTyping) [draft, isStale] = [typed, true];
    else settle();
    tell();
  };
  addEventListener("storage", (event) => {
    if (event.key === place || event.key === null) follow();
  });
  addEventListener("pageshow", (event) => event.persisted && follow());
  addEventListener("beforeunload", (event) => {
    if (!isSafe() && (entries.passages.length || entries.paragraphs.length || page.names().length)) event.preventDefault();
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
    noted: () => {
      note({ gone: readable(null), made: readable(null), names: page.names() });
      remember();
    },
    tell,
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
