(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const player = byId("player");
  const holders = [...document.querySelectorAll(".p")];
  const PER_WORD = 4;
  // All words of all paragraphs: times in seconds, and the paragraph each is in.
  const total = data.words.reduce((sum, numbers) => sum + numbers.length / PER_WORD, 0);
  const start = new Float64Array(total);
  const end = new Float64Array(total);
  const paragraph = new Uint32Array(total);
  const first = new Uint32Array(data.words.length + 1);
  let count = 0;
  data.words.forEach((numbers, n) => {
    first[n] = count;
    let at = 0;
    for (let i = 0; i < numbers.length; i += PER_WORD) {
      at += numbers[i];
      start[count] = at / 1000;
      end[count] = (at + numbers[i + 1]) / 1000;
      paragraph[count] = n;
      count += 1;
    }
  });
  first[data.words.length] = count;
  // Speakers talk at the same time: the order of time is not that of the page.
  const order = Uint32Array.from(start.keys()).sort((one, other) => start[one] - start[other] || one - other);
  let speakers = null;
  const NOBODY = [];
  let editor = null;
  const baseText = data.words.map((numbers, n) => (numbers.length ? holders[n].querySelector("p").textContent : ""));
  // Text of each word of a paragraph, as the transcript has it and as it is shown.
  const basePieces = (n) => {
    const made = [];
    let place = 0;
    for (let i = 0; i < data.words[n].length; i += PER_WORD) {
      made.push(baseText[n].slice(place, place + data.words[n][i + 3]));
      place += data.words[n][i + 3];
    }
    return made;
  };
  const pieces = (n) => editor?.shown(first[n], basePieces(n)) ?? basePieces(n);

  // ---- words become elements when their paragraph comes into view
  const spans = new Array(data.words.length);
  let folded = null;
  let hits = [];
  let here = -1;
  // Passages and seams are those of a channel, or of the whole recording. Speakers may have any names.
  const isOf = (part, n) => {
    const channel = part.channel ?? null;
    if (channel !== null && data.channels[n] !== null) return channel === data.channels[n];
    return (part.speaker ?? null) === null || (speakers?.labels(holders[n]) ?? []).includes(part.speaker);
  };
  const within = (passage, word, n) => {
    const middle = 500 * (start[word] + end[word]);
    return passage.start <= middle && middle < passage.end && isOf(passage, n);
  };
  const dress = (n) => {
    if (spans[n]) return spans[n];
    const numbers = data.words[n];
    const made = [];
    spans[n] = made;
    if (!numbers.length) return made;
    const holder = holders[n].querySelector("p");
    const texts = pieces(n);
    const from = 1000 * start[first[n]];
    const to = 1000 * end[first[n + 1] - 1];
    const near = data.passages.filter((passage) => passage.start < to && passage.end > from);
    const differing = data.differences.filter((one) => one.start < to && one.end > from);
    const named = data.glossary.filter((one) => one.start < to && one.end > from);
    const seams = data.seams.filter((seam) => isOf(seam, n));
    const parts = document.createDocumentFragment();
    for (let i = 0; i < numbers.length; i += PER_WORD) {
      const word = first[n] + i / PER_WORD;
      const before = n === 0 && i === 0 ? -1 : word === 0 ? -1 : 1000 * start[word - 1];
      for (const seam of seams) {
        if (seam.at > before && seam.at <= 1000 * start[word] && seam.at > from - 60000 && word > 0) {
          const mark = document.createElement("span");
          mark.className = "seam";
          mark.title = `${clock(seam.at / 1000)}: ${seam.about}`;
          parts.append(mark);
        }
      }
      if (editor?.begins(word)) {
        const mark = document.createElement("span");
        mark.className = "begins";
        parts.append(mark);
      }
      const piece = texts[i / PER_WORD];
      const bare = piece.trimStart();
      if (bare.length < piece.length) parts.append(piece.slice(0, piece.length - bare.length));
      const span = document.createElement("span");
      const probability = numbers[i + 2];
      const mark = editor?.mark(word);
      span.className = mark ? `w ${mark}` : probability < 50 ? "w low" : probability < 75 ? "w mid" : "w";
      if (mark) span.title = mark === "edited" ? `It was: ${editor.was(word)}` : "A person has checked it";
      else if (probability < 75) span.title = `${probability}% certain`;
      if (editor?.isDeleted(word)) span.classList.add("gone");
      if (editor?.isChosen(word)) span.classList.add("chosen");
      if (near.some((passage) => passage.read > 1 && within(passage, word, n))) span.classList.add("again");
      const difference = differing.find((one) => within(one, word, n));
      if (difference) {
        span.classList.add("differs");
        span.title = difference.heard ? `${difference.kind}; heard: ${difference.heard}` : difference.kind;
      }
      const term = mark ? undefined : named.find((one) => within(one, word, n));
      if (term) {
        span.classList.add("named");
        span.title = `From the glossary; heard: ${term.heard}`;
      }
      span.dataset.w = word;
      span.textContent = bare;
      parts.append(span);
      made.push(span);
    }
    holder.replaceChildren(parts);
    for (const hit of hits) if (hit.n === n) paint(hit, true);
    return made;
  };
  const redress = (n) => {
    spans[n] = undefined;
    folded = null;
    dress(n);
    now.forEach((word) => { if (paragraph[word] === n) spanOf(word).classList.add("now"); });
  };
  const spanOf = (word) => dress(paragraph[word])[word - first[paragraph[word]]];
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      dress(Number(entry.target.dataset.n));
      watcher.unobserve(entry.target);
    }
  }, { rootMargin: "600px 0px" });
  holders.forEach((holder) => watcher.observe(holder));
  addEventListener("beforeprint", () => holders.forEach((_, n) => dress(n)));

  // ---- time
  let virtual = 0;
  let playable = false;
  const clock = (seconds) => {
    const whole = Math.floor(seconds);
    const two = (value) => String(value).padStart(2, "0");
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };
  const time = () => (playable ? player.currentTime : virtual);
  // Index in `order` of the last word that has begun at a time; -1 before the first.
  const lastBegun = (seconds) => {
    let [low, high] = [0, total];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (start[order[middle]] <= seconds) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
  let now = [];
  const LOOK_BACK = 12;
  const show = (force) => {
    // A hair later: a seek to a word's start may land a rounding error before it.
    const at = time() + 0.005;
    const last = lastBegun(at);
    let active = [];
    for (let i = last; i >= 0 && i > last - LOOK_BACK; i -= 1) if (end[order[i]] > at) active.push(order[i]);
    // Between two words the one just spoken stays marked.
    if (!active.length && last >= 0) active = [order[last]];
    speakers?.at(at);
    if (!force && active.length === now.length && active.every((word, i) => word === now[i])) return;
    now.forEach((word) => spanOf(word).classList.remove("now"));
    now = active;
    now.forEach((word) => spanOf(word).classList.add("now"));
    if (now.length && following && (force || !player.paused)) keepInView(spanOf(now[0]));
  };
  const tick = () => {
    show(false);
    if (!player.paused && !player.ended) requestAnimationFrame(tick);
  };
  const go = (seconds, play) => {
    virtual = Math.max(0, seconds);
    if (playable) {
      player.currentTime = virtual;
      if (play) player.play().catch(() => {});
    }
    show(true);
  };
  player.addEventListener("play", tick);
  player.addEventListener("seeked", () => show(true));
  player.addEventListener("timeupdate", () => show(false));
  player.addEventListener("loadedmetadata", () => {
    playable = true;
    byId("unplayable").hidden = true;
    if (player.tagName === "VIDEO") player.classList.toggle("silent-picture", !player.videoWidth);
    if (virtual) player.currentTime = virtual;
    chooseTrack();
  });
  // Only some browsers let a page choose; in the others the notice stays.
  const chooseTrack = () => {
    const tracks = [...(player.audioTracks ?? [])];
    if (data.tracks.length !== 1 || tracks.length < data.tracks[0]) return;
    tracks.forEach((track, n) => { track.enabled = n + 1 === data.tracks[0]; });
    byId("tracks").hidden = true;
  };
  const unplayable = () => {
    playable = false;
    byId("unplayable").hidden = false;
  };
  player.addEventListener("error", unplayable);
  if (!player.getAttribute("src") || player.error) unplayable();
  byId("file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    if (file) player.src = URL.createObjectURL(file);
  });
  byId("rate").addEventListener("change", (event) => {
    player.playbackRate = Number(event.target.value);
    event.target.blur();
  });

  // ---- following
  let following = true;
  let scrolledByUs = 0;
  const setFollowing = (wanted) => {
    following = wanted;
    byId("follow").setAttribute("aria-pressed", String(wanted));
    if (wanted && now.length) keepInView(spanOf(now[0]));
  };
  const keepInView = (element) => {
    const bar = document.querySelector(".bar");
    const top = getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
    const box = element.getBoundingClientRect();
    // What the filter hides has no place to scroll to.
    if (element.closest("[hidden]")) return;
    if (box.top >= top + 20 && box.bottom <= innerHeight - 60) return;
    scrolledByUs = performance.now();
    scrollTo({ top: scrollY + box.top - top - (innerHeight - top) / 3, behavior: "instant" });
  };
  byId("follow").addEventListener("click", () => setFollowing(!following));
  // Whoever scrolls while it plays wants to look elsewhere.
  for (const kind of ["wheel", "touchmove"]) {
    addEventListener(kind, () => {
      if (following && !player.paused) setFollowing(false);
    }, { passive: true });
  }
  byId("marks").addEventListener("click", (event) => {
    const on = document.body.classList.toggle("marked");
    event.currentTarget.setAttribute("aria-pressed", String(on));
  });

  // ---- clicks and addresses
  document.addEventListener("click", (event) => {
    const word = event.target.closest?.("[data-w]");
    // Selecting text is no click.
    if (word && String(getSelection()) === "") go(start[Number(word.dataset.w)], true);
    const link = event.target.closest?.("a[href^='#t=']");
    if (link) {
      event.preventDefault();
      history.replaceState(null, "", link.getAttribute("href"));
      go(Number(link.getAttribute("href").slice(3)), true);
    }
  });
  const fromAddress = () => {
    if (location.hash === "#differences" && byId("differences")) byId("differences").open = true;
    const found = /^#t=([\d.]+)$/.exec(location.hash);
    if (found) go(Number(found[1]), false);
  };
  addEventListener("hashchange", fromAddress);

  // ---- search
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const fold = () => {
    folded ??= data.words.map((numbers, n) => {
      let whole = "";
      const ends = [];
      for (const piece of numbers.length ? pieces(n) : []) {
        whole += plain(piece);
        ends.push(whole.length);
      }
      return { whole, ends };
    });
    return folded;
  };
  const paint = (hit, on) => {
    if (!spans[hit.n]) return;
    for (let i = hit.from; i <= hit.to; i += 1) {
      spans[hit.n][i].classList.toggle("hit", on);
      spans[hit.n][i].classList.toggle("here", on && hits[here] === hit);
    }
  };
  const field = byId("search");
  const search = () => {
    hits.forEach((hit) => paint(hit, false));
    hits = [];
    here = -1;
    const wanted = plain(field.value).replace(/\s+/g, " ").trim();
    if (wanted) {
      fold().forEach(({ whole, ends }, n) => {
        if (holders[n].hidden) return;
        let word = 0;
        for (let at = whole.indexOf(wanted); at >= 0; at = whole.indexOf(wanted, at + wanted.length)) {
          while (ends[word] <= at) word += 1;
          let to = word;
          while (ends[to] < at + wanted.length) to += 1;
          hits.push({ n, from: word, to });
        }
      });
      hits.forEach((hit) => paint(hit, true));
      if (hits.length) step(1);
    }
    report();
  };
  const report = () => {
    const searched = field.value.trim() !== "";
    byId("hits").textContent = !searched ? "" : hits.length ? `${here + 1} of ${hits.length}` : "no hit";
    byId("previous").disabled = byId("next").disabled = !hits.length;
  };
  const step = (by) => {
    if (!hits.length) return;
    const old = hits[here];
    here = (here + by + hits.length) % hits.length;
    if (old) paint(old, true);
    const hit = hits[here];
    dress(hit.n);
    paint(hit, true);
    if (following && !player.paused) setFollowing(false);
    // What was not laid out yet gets its true height only now: look twice.
    holders[hit.n].scrollIntoView({ block: "nearest" });
    requestAnimationFrame(() => keepInView(spans[hit.n][hit.from]));
    report();
  };
  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  byId("next").addEventListener("click", () => step(1));
  byId("previous").addEventListener("click", () => step(-1));

  // ---- keys
  const word = (by) => {
    const at = lastBegun(time() + 0.005);
    const next = Math.min(total - 1, Math.max(0, at + by));
    editor.moved();
    if (total) go(start[order[next]], false);
  };
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const target = event.target;
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !target.closest("input, select, textarea")) {
      event.preventDefault();
      editor.keys.u();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target === field) {
      if (event.isComposing) return;
      if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape") {
        field.value = "";
        search();
        field.blur();
      } else return;
      event.preventDefault();
      return;
    }
    if (target.closest("input, select, textarea")) return;
    // The player's own keys and pressed buttons stay what they are.
    const busy = target === player || target.closest("button, a, summary");
    const keys = {
      " ": () => (player.paused ? playable && player.play().catch(() => {}) : player.pause()),
      ArrowLeft: () => (event.shiftKey ? word(-1) : go(time() - 5, false)),
      ArrowRight: () => (event.shiftKey ? word(1) : go(time() + 5, false)),
      "/": () => field.focus(),
      f: () => setFollowing(!following),
      m: () => byId("marks").click(),
      ...editor.keys,
      ...speakers?.keys,
      Escape: () => {
        editor.moved();
        speakers?.keys.Escape();
      },
    };
    const action = keys[event.key];
    if (!action || (busy && (event.key === " " || event.key === "Enter")) || (target === player && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    action(time());
  });

  // ---- doubtful passages, written when somebody wants to see them
  const listPassages = () => {
    const details = byId("passages");
    const list = details?.querySelector("ol");
    if (!details?.open || list.childElementCount) return;
    for (const passage of data.passages) {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `#t=${passage.start / 1000}`;
      link.textContent = `${clock(passage.start / 1000)}–${clock(passage.end / 1000)}`;
      const who = passage.speaker && (speakers?.name(passage.speaker) ?? passage.speaker);
      item.append(link, ` ${who ? `${who}, ` : ""}${passage.flags.join(", ")}: `);
      item.append(passage.read < 2 ? "left as it was." : passage.replaced ? "the second reading was better. The first: " : "the first reading was better. The other: ");
      if (passage.other) {
        const quote = document.createElement("q");
        quote.dir = "auto";
        quote.textContent = passage.other;
        item.append(quote);
      }
      list.append(item);
    }
  };
  byId("passages")?.addEventListener("toggle", listPassages);

  // ---- speakers, where there are any
  if (data.speakers.length) {
    speakers = speakersOf(data, {
      holders,
      go: (seconds) => go(seconds, !player.paused),
      starts: () => data.words.map((numbers, n) => (numbers.length ? start[first[n]] : null)),
      renamed: () => {
        byId("passages")?.querySelector("ol").replaceChildren();
        listPassages();
      },
      filtered: () => field.value && search(),
      noted: () => editor?.noted(),
      tell: () => editor?.tell(),
      by: () => editor?.by() ?? "",
    });
    const bar = document.querySelector(".bar");
    new ResizeObserver(() => document.documentElement.style.setProperty("--bar", `${bar.offsetHeight + 16}px`)).observe(bar);
  }
  editor = editorOf(data, {
    ...{ holders, start, end, paragraph, first, total, clock, spanOf, redress },
    base: (word) => basePieces(paragraph[word])[word - first[paragraph[word]]],
    probability: (word) => data.words[paragraph[word]][PER_WORD * (word - first[paragraph[word]]) + 2],
    current: () => now[0] ?? order[Math.max(0, lastBegun(time() + 0.005))],
    go: (seconds) => go(seconds, false),
    view: (word) => {
      holders[paragraph[word]].scrollIntoView({ block: "nearest" });
      keepInView(spanOf(word));
    },
    names: () => speakers?.entries() ?? NOBODY,
    areNamesKept: () => speakers?.isKept() ?? true,
    restoreNames: (entries) => speakers?.restore(entries),
  });
  fromAddress();
  editor.begin();
  document.documentElement.dataset.ready = "yes";
})();
