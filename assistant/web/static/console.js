// The console's script. Every page works without it; it adds: light on the evidence of a claim, keys, dark and light,
// copying, and pages that renew themselves when the note changes (EventSource). It evaluates nothing and builds no markup
// from text: a renewed page is the server's own page, parsed.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("has-js");
  const kept = { get: (k) => { try { return localStorage.getItem(k); } catch { return null; } }, set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* private window */ } } };
  const theme = kept.get("payops-theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  const $ = (sel, at = document) => at.querySelector(sel);
  const $$ = (sel, at = document) => [...at.querySelectorAll(sel)];
  const say = (text) => { const at = $("#said"); if (at) { at.textContent = text; setTimeout(() => { if (at.textContent === text) at.textContent = ""; }, 4000); } };

  const turn = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    kept.set("payops-theme", root.dataset.theme);
  };

  // A claim and its evidence.
  let held = null;
  const light = (claim, scroll) => {
    $$(".lit").forEach((x) => x.classList.remove("lit"));
    if (!claim) return;
    claim.classList.add("lit");
    const ids = (claim.dataset.evidence || "").split(" ").filter(Boolean);
    const shown = ids.map((id) => document.getElementById("e-" + id)).filter(Boolean);
    shown.forEach((x) => { x.classList.add("lit"); const rest = x.closest("details.rest"); if (rest) rest.open = true; });
    const box = $(".proofs");
    if (scroll && shown[0] && box && box.scrollHeight > box.clientHeight + 1) box.scrollTo({ top: shown[0].offsetTop - 8, behavior: "smooth" });
  };
  const claimOf = (node) => (node instanceof Element ? node.closest(".claim") : null);
  document.addEventListener("mouseover", (e) => { const c = claimOf(e.target); if (c) light(c, true); });
  document.addEventListener("mouseout", (e) => { const c = claimOf(e.target); if (c && claimOf(e.relatedTarget) !== c) light(held, false); });
  document.addEventListener("focusin", (e) => { const c = claimOf(e.target); if (c) { light(c, true); at = c; } });
  document.addEventListener("click", (e) => {
    const target = e.target instanceof Element ? e.target : null;
    if (!target) return;
    const copy = target.closest("[data-copy]");
    if (copy) { navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent).then(() => say("Copied"), () => say("The browser did not allow copying")); return; }
    if (target.closest("#theme")) return turn();
    if (target.closest("#keys")) return $("#help").showModal();
    const chip = target.closest(".claim a.chip");
    if (chip && narrow()) { e.preventDefault(); return sheet([document.getElementById("e-" + chip.dataset.evidence)], claimOf(chip)); }
    if (target.closest("a, button, summary, input, select, textarea, label")) return;
    const claim = claimOf(target);
    if (!claim) return;
    held = held === claim ? null : claim;
    light(claim, true);
    if (narrow()) sheet($$(".evidence.lit"), claim);
  });
  // Where claims and evidence do not stand side by side, the evidence comes to the claim.
  const narrow = () => matchMedia("(max-width: 62rem)").matches;
  const sheet = (shown, claim) => {
    const copies = shown.filter(Boolean).map((x) => x.cloneNode(true));
    if (!copies.length) return;
    for (const copy of copies) for (const node of [copy, ...$$("*", copy)]) for (const name of ["id", "aria-labelledby", "tabindex"]) node.removeAttribute(name);
    const said = document.createElement("p");
    said.className = "lead";
    said.textContent = claim ? claim.firstElementChild.textContent : "";
    $("#sheet-body").replaceChildren(said, ...copies);
    $("#sheet").showModal();
  };
  document.addEventListener("click", (e) => { if (e.target === $("#sheet")) $("#sheet").close(); });

  // Keys.
  let at = null, before = "";
  const rows = () => $$("[data-row]").filter((x) => x.offsetParent !== null);
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    const now = all.indexOf(at);
    const next = all[Math.max(0, Math.min(all.length - 1, now < 0 ? 0 : now + by))];
    $$("[data-row].at").forEach((x) => x.classList.remove("at"));
    at = next; next.classList.add("at");
    const focus = next.matches("[tabindex]") ? next : $("[data-open]", next);
    if (focus) focus.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  const places = { i: "/", r: "/records", v: "/review", l: "/log", s: "/system" };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = e.target instanceof Element && e.target.closest("input, textarea, select");
    if (typing) { if (e.key === "Escape") e.target.blur(); return; }
    if ($("#help").open || $("#sheet").open) return;
    const was = before; before = "";
    if (was === "g" && places[e.key]) { const link = $(`.top nav a[href="${places[e.key]}"]`); if (link) link.click(); return; }
    if (e.key === "g") { before = "g"; return; }
    if (e.key === "j" || e.key === "k") { e.preventDefault(); return move(e.key === "j" ? 1 : -1); }
    if (e.key === "?") { e.preventDefault(); return $("#help").showModal(); }
    if (e.key === "t") return turn();
    if (e.key === "/") { const s = $("[data-search]"); if (s) { e.preventDefault(); s.focus(); s.select(); } return; }
    if (e.key === "e") {
      const here = document.activeElement;
      if (here && here.closest(".evidence") && held) { held.focus(); return; }
      const claim = claimOf(here) || at || $(".claim");
      if (claim && claim.matches(".claim")) { held = claim; light(claim, true); const first = $(".evidence.lit"); if (first) first.focus(); }
      return;
    }
    if (e.key === "Enter" && at && document.activeElement === at) { const open = $("[data-open]", at); if (open) open.click(); }
    if (e.key === "Escape") { held = null; light(null); }
  });

  // Renewing the page.
  const busy = () => { const f = document.activeElement; return Boolean(f && f.closest("main form") && f.matches("input, textarea, select")) || $$("main textarea, main input[name=right_cause]").some((x) => x.value); };
  const renew = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.getElementById("main"), now = document.getElementById("main");
    if (!next || !now) return;
    const focused = document.activeElement && document.activeElement.id, claim = held && held.id;
    const open = $$("details[open] > summary", now).map((s) => s.textContent);
    const top = $(".proofs") ? $(".proofs").scrollTop : 0;
    now.replaceChildren(...[...next.childNodes].map((n) => document.importNode(n, true)));
    for (const name of ["live", "revision"]) if (next.dataset[name] !== undefined) now.dataset[name] = next.dataset[name];
    document.title = fresh.title;
    $$("details > summary", now).forEach((s) => { if (open.includes(s.textContent)) s.parentElement.open = true; });
    held = claim ? document.getElementById(claim) : null; at = null;
    if (held) light(held, false);
    if ($(".proofs")) $(".proofs").scrollTop = top;
    const again = focused && document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
    now.classList.remove("fresh"); void now.offsetWidth; now.classList.add("fresh");
    say(now.dataset.revision ? `The note changed: revision ${now.dataset.revision}` : "The list changed");
    shown(true);
  };
  const shown = (well) => { const l = $("#live"); if (l) { l.classList.toggle("away", !well); l.textContent = well ? "live" : "reconnecting"; } };
  const watch = () => {
    const main = document.getElementById("main");
    if (!main || !main.dataset.live || typeof EventSource === "undefined") return;
    const source = new EventSource(main.dataset.live);
    source.onopen = () => shown(true);
    source.onerror = () => shown(false);
    let waiting = null;
    const soon = () => { clearTimeout(waiting); waiting = setTimeout(() => (busy() ? soon() : renew().catch(() => shown(false))), 150); };
    source.addEventListener("changed", soon);
    addEventListener("pagehide", () => source.close());
    addEventListener("pageshow", (e) => { if (e.persisted) watch(); });
  };
  document.addEventListener("DOMContentLoaded", watch);
})();
