// What is wrong with a page, as a list of sentences: for people who do not see it, who use no
// mouse, or whose window is small, and for nobody but its own script.
(() => {
  const wrong = [];
  const say = (what, e) => wrong.push(what + (e ? ": " + (e.outerHTML || String(e)).slice(0, 160) : ""));
  const text = (e) => (e.getAttribute("aria-label") || e.textContent || "").trim();
  const seen = (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && getComputedStyle(e).visibility === "visible"; };

  if (window.owned !== undefined) say("a script of others ran: " + window.owned);
  for (const s of document.querySelectorAll("script")) if (!s.src || !s.src.startsWith(location.origin + "/console/static/")) say("a script that is not ours", s);
  for (const e of document.querySelectorAll("*")) for (const a of e.attributes) {
    if (/^on/i.test(a.name)) say("an event handler in the page", e);
    if (a.name === "style") say("an inline style", e);
    if (/^\s*(javascript|data|vbscript):/i.test(a.value) && a.name !== "value" && a.name !== "title" && a.name !== "aria-label") say("an address that runs something", e);
  }
  for (const r of performance.getEntriesByType("resource")) if (!r.name.startsWith(location.origin + "/")) say("a request to " + r.name);
  if (document.querySelector("img, iframe, object, embed, video, audio, style")) say("an element that pages do not have", document.querySelector("img, iframe, object, embed, video, audio, style"));

  if (!document.documentElement.lang) say("the page names no language");
  if (!document.title.trim()) say("the page has no title");
  if (document.querySelectorAll("h1").length !== 1) say(document.querySelectorAll("h1").length + " headings of the first level");
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const n = Number(h.tagName[1]);
    if (n > level + 1) say("a heading of level " + n + " after one of level " + level, h);
    level = n;
    if (!text(h)) say("an empty heading", h);
  }
  if (!document.querySelector("main")) say("there is no main");
  const ids = new Set();
  for (const e of document.querySelectorAll("[id]")) { if (ids.has(e.id)) say("an id that is there twice", e); ids.add(e.id); }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) if (!e.labels.length && !e.getAttribute("aria-label")) say("a field without a label", e);
  for (const e of document.querySelectorAll("th")) if (!e.scope) say("a heading of a table without a scope", e);
  for (const e of document.querySelectorAll("a[href], button, summary")) if (seen(e) && !text(e)) say("a link or button without a name", e);
  for (const e of document.querySelectorAll("svg")) if (e.getAttribute("aria-hidden") !== "true" && !e.getAttribute("aria-label")) say("a picture without a name", e);
  for (const e of document.querySelectorAll("nav")) if (!e.getAttribute("aria-label")) say("a navigation without a name", e);
  for (const e of document.querySelectorAll("[tabindex]")) if (Number(e.getAttribute("tabindex")) > 0) say("an order of its own for the keyboard", e);

  const page = document.scrollingElement, room = document.documentElement.clientWidth;
  if (page.scrollWidth > room + 1) {
    const wide = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > room + 1 && !e.closest(".wide, pre, .tabs, .side"));
    say("the page is " + page.scrollWidth + " wide in a window of " + room, wide[wide.length - 1]);
  }

  // Contrast (WCAG 2.1, 1.4.3): 4.5, and 3 for large text.
  const colour = (s) => { const m = s.match(/[\d.]+/g).map(Number); return { r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1 }; };
  const over = (f, b) => ({ r: f.r * f.a + b.r * (1 - f.a), g: f.g * f.a + b.g * (1 - f.a), b: f.b * f.a + b.b * (1 - f.a), a: 1 });
  const light = (c) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(c.r) + 0.7152 * f(c.g) + 0.0722 * f(c.b); };
  const behind = (e) => {
    const list = [];
    for (; e; e = e.parentElement) list.push(colour(getComputedStyle(e).backgroundColor));
    let c = { r: 255, g: 255, b: 255, a: 1 };
    for (const b of list.reverse()) if (b.a > 0) c = over(b, c);
    return c;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  for (let n; (n = walker.nextNode());) {
    const e = n.parentElement;
    if (!n.data.trim() || !e || !seen(e) || e.closest("svg, noscript, script, option") || e.disabled) continue;
    const style = getComputedStyle(e), b = behind(e), f = over(colour(style.color), b);
    const [x, y] = [light(f), light(b)].sort((p, q) => q - p);
    const ratio = (x + 0.05) / (y + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700;
    if (ratio < (large ? 3 : 4.5)) {
      const what = "contrast " + ratio.toFixed(2) + " of " + e.tagName + "." + e.className;
      if (!told.has(what)) { told.add(what); say(what, e); }
    }
  }
  return wrong;
})()
