(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  // A step of a search loads about so many characters and shows so many lines; then the reader is asked.
  const MOST_LOADED = 3500000;
  const MOST_LINES = 25;
  // A beginning that fits the words of more files than this is too short.
  const MOST_FILES = 24;
  const KEPT = 40;
  const MOST_TIME = 2000;

  // ---- parts of the index: scripts that call `audiogridPart`
  const waiting = new Map();
  const kept = new Map();
  let loaded = 0;
  window.audiogridPart = (name, value) => {
    waiting.get(name)?.(value);
  };
  const REMEDY = "reload this page; if that does not help, delete search.html and the folder search beside it, and run again (nothing is decoded)";
  const addressOf = (name) => `${data.index}/${name === "index" ? name : `${name[0]}/${name.slice(1)}`}.js`;
  const part = (name) => {
    if (kept.has(name)) {
      const found = kept.get(name);
      kept.delete(name);
      kept.set(name, found);
      return found;
    }
    const promise = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const done = () => {
        waiting.delete(name);
        script.remove();
      };
      waiting.set(name, (value) => {
        done();
        resolve(value);
      });
      script.onload = () => {
        if (!waiting.has(name)) return;
        done();
        reject(new Error(`${addressOf(name)} is damaged: ${REMEDY}.`));
      };
      script.onerror = () => {
        done();
        reject(new Error(`${addressOf(name)} cannot be read: ${REMEDY}.`));
      };
      script.src = addressOf(name);
      document.head.append(script);
    }).then((value) => {
      if (name[0] !== "i") loaded += name[0] === "p" ? 100000 : name[0] === "l" ? 64000 : 50000;
      return value;
    });
    promise.catch(() => kept.delete(name));
    kept.set(name, promise);
    // The oldest go; the contents stay.
    for (const old of kept.keys()) {
      if (kept.size <= KEPT) break;
      if (old !== name && old !== "index") kept.delete(old);
    }
    return promise;
  };

  // ---- numbers
  const VALUES = new Int8Array(128).fill(-1);
  [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].forEach((digit, value) => { VALUES[digit.charCodeAt(0)] = value; });
  // Packed steps from `at` on, as the numbers themselves.
  const rising = (text, at, found = []) => {
    let step = 0;
    let scale = 1;
    for (let i = 0; i < text.length; i += 1) {
      const value = VALUES[text.charCodeAt(i)];
      step += (value & 31) * scale;
      if (value < 32) {
        at += step;
        found.push(at);
        step = 0;
        scale = 1;
      } else scale *= 32;
    }
    return found;
  };
  const countOf = (text) => {
    let count = 0;
    for (let i = 0; i < text.length; i += 1) if (VALUES[text.charCodeAt(i)] < 32) count += 1;
    return count;
  };
  // Index of the last of some rising numbers that is not above another one; -1 if all are.
  const lastUpTo = (numbers, wanted, of = (one) => one) => {
    let [low, high] = [0, numbers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (of(numbers[middle]) <= wanted) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  // ---- words
  const TERM = new RegExp(`(?=[${data.single}])[\\p{L}\\p{N}\\p{M}]\\p{M}*|(?![${data.single}${data.unspoken}])[\\p{L}\\p{N}](?:(?![${data.single}])[\\p{L}\\p{N}]|[\\p{M}${data.joiners}])*`, "gu");
  const DROPPED = new RegExp(`[${data.dropped}]+`, "gu");
  const termOf = (written) => {
    const bare = written.normalize("NFKD").toLowerCase().replace(DROPPED, "").normalize("NFC");
    return [...bare].map((char) => data.alike[char] ?? char).join("").replace(/[^\p{L}\p{N}\p{M}]/gu, "");
  };
  const parse = (text) => {
    const phrases = [];
    for (const unit of text.matchAll(/["“”„«»]([^"“”„«»]*)["“”„«»]?|[^\s"“”„«»]+/gu)) {
      const inside = unit[1] ?? unit[0];
      const terms = [];
      for (const found of inside.matchAll(TERM)) {
        terms.push({ text: termOf(found[0]), prefix: inside[found.index + found[0].length] === "*" });
      }
      if (terms.length) phrases.push(terms);
    }
    return phrases;
  };
  // The index is in the order of code points, strings here compare by UTF-16.
  const before = (one, other) => {
    const [a, b] = [[...one], [...other]];
    for (let i = 0; i < a.length && i < b.length; i += 1) {
      if (a[i] !== b[i]) return a[i].codePointAt(0) < b[i].codePointAt(0);
    }
    return a.length < b.length;
  };

  // ---- postings
  // The files that may hold a term, with the first position that each may have of it.
  const filesOf = (contents, term) => {
    const { terms, firsts } = contents;
    let [low, high] = [0, terms.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(terms[middle], term.text)) low = middle + 1;
      else high = middle;
    }
    const found = low > 0 ? [{ file: low - 1, from: 0 }] : [];
    for (let file = low; file < terms.length; file += 1) {
      const isTerm = terms[file] === term.text;
      if (!isTerm && !(term.prefix && terms[file].startsWith(term.text))) break;
      found.push({ file, from: isTerm && found.length ? firsts[file] : 0 });
    }
    return found;
  };
  class Positions {
    constructor(contents, term) {
      this.term = term;
      this.files = filesOf(contents, term);
      this.words = contents.words;
      this.known = new Map();
    }
    get isTooShort() {
      return this.term.prefix && this.files.length > MOST_FILES;
    }
    // Positions in a file.
    async in(file) {
      if (this.known.has(file)) return this.known.get(file);
      const found = [];
      for (const [term, first, , steps] of await part(`p${file}`)) {
        if (term !== this.term.text && !(this.term.prefix && term.startsWith(this.term.text))) continue;
        found.push(first);
        rising(steps, first, found);
      }
      if (this.term.prefix) found.sort((one, other) => one - other);
      if (this.known.size > 6 && !this.term.prefix) this.known.delete(this.known.keys().next().value);
      this.known.set(file, found);
      return found;
    }
    async all() {
      const found = [];
      for (const { file } of this.files) for (const position of await this.in(file)) found.push(position);
      return found.sort((one, other) => one - other);
    }
    // Runs of positions in their order: between which positions each lies, and how it is read.
    get runs() {
      if (this.term.prefix) return [{ from: 0, end: this.words, read: () => this.all() }];
      return this.files.map(({ file, from }, n) => ({ from, end: this.files[n + 1]?.from || this.words, read: () => this.in(file) }));
    }
    // Positions of a span.
    async within(from, to) {
      const found = [];
      for (let n = 0; n < this.files.length; n += 1) {
        const end = this.files[n + 1]?.from || this.words;
        if (!this.term.prefix && (this.files[n].from > to || (n < this.files.length - 1 && end < from && end > 0))) continue;
        const here = await this.in(this.files[n].file);
        for (let i = lastUpTo(here, from - 1) + 1; i < here.length && here[i] <= to; i += 1) found.push(here[i]);
      }
      return this.term.prefix ? found.sort((one, other) => one - other) : found;
    }
  }

  // ---- recordings and lines
  const recordingAt = async (contents, position) => {
    const file = lastUpTo(contents.recordings, position);
    const found = await part(`r${file}`);
    return found[lastUpTo(found, position, (one) => one[1])];
  };
  const lineAt = async (contents, position) => {
    const file = lastUpTo(contents.lines, position);
    const lines = await part(`l${file}`);
    let first = contents.lines[file];
    for (const [speaker, start, text, times] of lines) {
      const count = countOf(times);
      if (position < first + count) return { first, count, speaker, text, times: rising(times, start) };
      first += count;
    }
    throw new Error(`${addressOf(`l${file}`)} is damaged: ${REMEDY}.`);
  };
  const plain = (text) => text.normalize("NFC").toLowerCase();
  const filterOf = () => {
    const value = (id) => byId(id)?.value.trim() ?? "";
    return { recording: plain(value("recording")), language: value("language"), speaker: plain(value("speaker")), since: value("since"), until: value("until") };
  };
  const takes = (only, [id, , file, language, date, , , speakers]) => (
    (plain(id).includes(only.recording) || plain(file).includes(only.recording))
    && (!only.language || only.language === language)
    && (!only.speaker || speakers.some((name) => plain(name).includes(only.speaker)))
    && (!only.since || date.slice(0, only.since.length) >= only.since)
    && (!only.until || (date !== "" && date.slice(0, only.until.length) <= only.until))
  );

  // The recordings that count, as spans of positions. Files of recordings are read only as far as a search gets.
  class Counted {
    constructor(contents, only) {
      this.firsts = contents.recordings;
      this.only = only;
      this.isAll = !Object.values(only).some(Boolean);
      this.known = new Map();
      this.span = [0, 0];
    }
    async spansOf(file) {
      if (!this.known.has(file)) {
        const here = await part(`r${file}`);
        const spans = here.map((one, n) => [one[1], here[n + 1]?.[1] ?? this.firsts[file + 1]]);
        this.known.set(file, spans.filter(([start, end], n) => end > start && takes(this.only, here[n])));
      }
      return this.known.get(file);
    }
    // Returns the next position that counts, this one included, or where the next file of recordings begins.
    async from(position) {
      if (this.isAll || (position >= this.span[0] && position < this.span[1])) return position;
      const file = lastUpTo(this.firsts, position);
      const spans = await this.spansOf(file);
      const n = lastUpTo(spans, position, (one) => one[0]);
      if (n >= 0 && position < spans[n][1]) {
        this.span = spans[n];
        return position;
      }
      return n + 1 < spans.length ? spans[n + 1][0] : this.firsts[file + 1];
    }
  }

  // ---- a search: yields hits in the order of recordings and of time, and null where it may be interrupted
  async function* search(contents, phrases, only) {
    const counted = new Counted(contents, only);
    const lists = phrases.map((terms) => terms.map((term) => new Positions(contents, term)));
    const short = lists.flat().find((list) => list.isTooShort);
    if (short) throw new Error(`Too many words begin with “${short.term.text}”: add a letter.`);
    const starts = new Positions(contents, { text: "", prefix: false });
    // The rarest term leads: that of the fewest files, then of the fewest positions in the first.
    let leader = null;
    for (let p = 0; p < lists.length; p += 1) {
      for (let t = 0; t < lists[p].length; t += 1) {
        const list = lists[p][t];
        let count = 0;
        for (const { file } of list.files.slice(0, 2)) count += (await list.in(file)).length;
        if (!count && list.files.length < 3) return;
        const cost = list.files.length * 100000 + count;
        if (!leader || cost < leader.cost) leader = { cost, p, t, list };
      }
    }
    // Where a phrase begins, from one position to another.
    const phraseIn = async (lists_, from, to) => {
      let found = null;
      for (let t = 0; t < lists_.length; t += 1) {
        const here = (await lists_[t].within(from + t, to + t)).map((position) => position - t);
        if (found === null) found = here;
        else {
          const also = new Set(here);
          found = found.filter((position) => also.has(position));
        }
        if (!found.length) break;
      }
      return found;
    };
    // What comes before this position need not be looked at.
    let next = 0;
    for (const [n, run] of leader.list.runs.entries()) {
      // The first two are read already; of the others, those without a recording that counts need not be.
      while (n > 1 && next < run.end) {
        const at = Math.max(next, run.from);
        next = await counted.from(at);
        if (next === at) break;
        yield null;
      }
      if (next >= run.end) continue;
      for (const position of await run.read()) {
        if (position < next) continue;
        next = await counted.from(position);
        if (next > position) {
          yield null;
          continue;
        }
        // Only lines in which all words of the leading phrase stand one after another need to be read.
        const wanted = position - leader.t;
        if (wanted < 0 || !(await phraseIn(lists[leader.p], wanted, wanted)).length) {
          yield null;
          continue;
        }
        const around = await starts.within(Math.max(0, position - contents.longest), position + contents.longest);
        const at = lastUpTo(around, position);
        const first = around[at];
        const end = around[at + 1] ?? contents.words;
        const marks = [];
        let isWhole = true;
        for (const terms of lists) {
          const found = (await phraseIn(terms, first, end - terms.length)) ?? [];
          if (!found.length) isWhole = false;
          for (const start of found) marks.push([start - first, terms.length]);
          if (!isWhole) break;
        }
        if (!isWhole) {
          yield null;
          continue;
        }
        next = end;
        const [recording, line] = await Promise.all([recordingAt(contents, position), lineAt(contents, first)]);
        const speaker = line.speaker < 0 ? "" : recording[7][line.speaker];
        if (only.speaker && !plain(speaker).includes(only.speaker)) {
          yield null;
          continue;
        }
        yield { recording, line, speaker, marks: marks.sort((one, other) => one[0] - other[0]) };
      }
    }
  }

  // ---- the page
  const clock = (seconds) => {
    const two = (value) => String(value).padStart(2, "0");
    const whole = Math.floor(seconds);
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };
  const element = (tag, text = "", name = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const marked = (line, marks) => {
    const spans = [...line.text.matchAll(TERM)].map((found) => [found.index, found.index + found[0].length]);
    const holder = element("span");
    let at = 0;
    for (const [start, count] of marks) {
      const from = spans[start]?.[0] ?? at;
      const to = spans[Math.min(start + count, spans.length) - 1]?.[1] ?? at;
      if (from < at) continue;
      holder.append(line.text.slice(at, from), element("mark", line.text.slice(from, to)));
      at = to;
    }
    holder.append(line.text.slice(at));
    return holder;
  };
  let list = null;
  let shownRecording = "";
  const show = ({ recording, line, speaker, marks }) => {
    const [id, , file, language, date, media, page] = recording;
    if (shownRecording !== id) {
      shownRecording = id;
      const heading = element("h2");
      if (page) {
        const link = element("a", id);
        link.href = page;
        link.dir = "auto";
        heading.append(link);
      } else heading.append(element("bdi", id));
      heading.append(element("span", ` ${[file, date, language].filter(Boolean).join(" · ")}`, "soft"));
      list = element("ol");
      byId("hits").append(heading, list);
    }
    const seconds = line.times[marks[0][0]] * data.step / 1000;
    const item = element("li");
    const play = element("button", `▶ ${clock(seconds)}`);
    play.type = "button";
    play.setAttribute("aria-label", media ? `Play ${id} from ${clock(seconds)}` : `Open ${id} at ${clock(seconds)}`);
    play.addEventListener("click", () => start(recording, seconds));
    const text = element("p", "", "text");
    text.dir = "auto";
    if (language) text.lang = language;
    if (speaker) text.append(element("bdi", speaker, "who"));
    text.append(marked(line, marks));
    if (page) {
      const link = element("a", "in the transcript");
      link.href = `${page}#t=${seconds}`;
      link.lang = "en";
      text.append(" ", link);
    }
    item.append(play, text);
    list.append(item);
  };
  const media = byId("media");
  let wantedTime = 0;
  const start = ([id, , , , , address, page], seconds) => {
    if (!address) {
      if (page) location.href = `${page}#t=${seconds}`;
      return;
    }
    byId("player").hidden = false;
    byId("unplayable").hidden = true;
    byId("playing").textContent = id;
    wantedTime = seconds;
    if (media.getAttribute("src") !== address) {
      media.src = address;
      media.load();
    } else if (media.readyState > 0) media.currentTime = seconds;
    media.play().catch(() => {});
  };
  media.addEventListener("loadedmetadata", () => {
    media.currentTime = wantedTime;
  });
  media.addEventListener("error", () => { byId("unplayable").hidden = false; });
  byId("close").addEventListener("click", () => {
    media.pause();
    byId("player").hidden = true;
  });

  let running = 0;
  let hits = null;
  let lines = 0;
  const say = (text) => { byId("state").textContent = text; };
  const complain = (error) => {
    say("");
    byId("broken").textContent = String(error.message);
    byId("broken").hidden = false;
  };
  const step = async () => {
    const mine = running;
    const until = loaded + MOST_LOADED;
    // A step ends when this much time has gone, too: phrases of frequent words may not follow on each other for long.
    const late = performance.now() + MOST_TIME;
    let shown = 0;
    byId("more").hidden = true;
    say("Searching …");
    try {
      while (true) {
        const { value, done } = await hits.next();
        if (mine !== running) return;
        if (done) {
          say(lines === 0 ? "Nothing found." : lines === 1 ? "1 line." : `${lines} lines.`);
          return;
        }
        if (value) {
          show(value);
          lines += 1;
          shown += 1;
        }
        if (shown >= MOST_LINES || loaded >= until || performance.now() > late) break;
      }
      say(lines === 0 ? "Nothing found so far." : `The first ${lines === 1 ? "line" : `${lines} lines`}.`);
      byId("more").hidden = false;
    } catch (error) {
      if (mine === running) complain(error);
    }
  };
  const begin = async () => {
    running += 1;
    const mine = running;
    hits = null;
    lines = 0;
    shownRecording = "";
    byId("hits").replaceChildren();
    byId("broken").hidden = true;
    byId("more").hidden = true;
    const text = byId("query").value;
    const phrases = parse(text);
    history.replaceState(null, "", text.trim() ? `#q=${encodeURIComponent(text)}` : location.pathname + location.search);
    if (!phrases.length) {
      say(text.trim() ? "Nothing to search for: write at least one letter or digit." : "");
      return;
    }
    if (!byId("form").checkValidity()) {
      byId("form").reportValidity();
      return;
    }
    say("Searching …");
    try {
      const contents = await part("index");
      if (mine !== running) return;
      hits = search(contents, phrases, filterOf());
      await step();
    } catch (error) {
      if (mine === running) complain(error);
    }
  };
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  for (const id of ["recording", "language", "speaker", "since", "until"]) byId(id)?.addEventListener("change", begin);
  byId("more").addEventListener("click", () => {
    const last = byId("hits").lastElementChild;
    const at = last?.childElementCount ?? 0;
    step().then(() => (last?.children[at] ?? last?.nextElementSibling?.nextElementSibling?.firstElementChild)?.querySelector("button")?.focus());
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    byId("query").focus();
  });
  const fromAddress = () => {
    const found = /^#q=(.+)$/.exec(location.hash);
    if (!found) return;
    try {
      byId("query").value = decodeURIComponent(found[1]);
    } catch {
      return;
    }
    begin();
  };
  addEventListener("hashchange", fromAddress);
  fromAddress();
  document.documentElement.dataset.ready = "yes";
})();
