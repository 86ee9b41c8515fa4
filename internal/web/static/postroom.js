// Everything here is a convenience: each page also works without it.
(() => {
	"use strict";
	const one = (selector, within = document) => within.querySelector(selector);
	const all = (selector, within = document) => [...within.querySelectorAll(selector)];
	const wide = matchMedia("(min-width: 1200px)");

	// Theme: the system's, until the switch is used.

	const themes = ["system", "light", "dark"];
	const theme = () => localStorage.getItem("theme") || "system";
	function paint() {
		const chosen = theme();
		if (chosen === "system") document.documentElement.removeAttribute("data-theme");
		else document.documentElement.dataset.theme = chosen;
		for (const b of all("[data-theme-choice]")) b.setAttribute("aria-pressed", String(b.dataset.themeChoice === chosen));
		for (const s of all("select[data-theme-select]")) s.value = chosen;
	}
	function choose(name) {
		if (name === "system") localStorage.removeItem("theme");
		else localStorage.setItem("theme", name);
		paint();
	}
	paint(); // before the body is there: no flash of the other theme

	// Times: in the reader's zone and language, and kept true.

	const language = /^en\b/.test(navigator.language) ? navigator.language : "en-GB"; // the words around are English
	const exact = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium" });
	const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
	const second = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
	const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
	const year = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
	const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

	function said(at, now, short) {
		const seconds = Math.round((now - at) / 1000);
		if (seconds >= -5 && seconds < 3600) {
			if (short) return seconds < 60 ? "now" : `${Math.floor(seconds / 60)} min`;
			if (seconds < 5) return "just now";
			if (seconds < 60) return `${seconds} seconds ago`;
			return `${count(Math.floor(seconds / 60), "minute")} ago`;
		}
		const midnight = new Date(now); midnight.setHours(0, 0, 0, 0);
		const yesterday = new Date(midnight); yesterday.setDate(yesterday.getDate() - 1);
		const tomorrow = new Date(midnight); tomorrow.setDate(tomorrow.getDate() + 1);
		if (at >= midnight && at < tomorrow) return clock.format(at);
		if (at >= yesterday && at < midnight) return short ? "yesterday" : `yesterday ${clock.format(at)}`;
		if (at >= tomorrow) return `${day.format(at)} ${clock.format(at)}`;
		if (at.getFullYear() === now.getFullYear()) return short ? day.format(at) : `${day.format(at)} ${clock.format(at)}`;
		return year.format(at);
	}
	function tellTimes(within = document) {
		const now = new Date();
		for (const t of all("time[datetime]", within)) {
			const at = new Date(t.dateTime);
			if (isNaN(at)) continue;
			const text = t.dataset.clock !== undefined ? second.format(at) : said(at, now, t.dataset.short !== undefined);
			if (t.textContent !== text) t.textContent = text;
			const title = exact.format(at);
			if (t.title !== title) t.title = title;
		}
	}

	// The list: at rest it takes new issues by itself; while someone reads, it says how many wait.

	const list = () => one("#issues");
	const pane = () => (wide.matches ? one(".listing") : document.scrollingElement);
	let pointerAt = 0;
	const atRest = () => {
		const l = list();
		return !l || (pane().scrollTop < 8 && Date.now() - pointerAt > 2000 && !l.contains(document.activeElement));
	};
	let wanted = 0, lastAsk = 0;
	function news() {
		// One question at a time, at most one a second, the last one never lost.
		if (wanted) return;
		wanted = setTimeout(() => {
			wanted = 0; lastAsk = Date.now();
			const l = list();
			if (!l) return;
			if (atRest()) htmx.trigger(l, "refresh");
			else htmx.trigger(one("#news"), "refresh");
		}, Math.max(0, 1000 - (Date.now() - lastAsk)));
	}

	function live(event) {
		let told;
		try { told = JSON.parse(event.detail.data); } catch { return; }
		const stream = one("#live");
		if (stream && told.position) stream.dataset.position = told.position;
		if (told.issue) {
			news();
			const open = one(`[data-issue="${told.issue}"]`);
			if (open) htmx.trigger(open, "refresh");
		}
		if (told.type && told.type.startsWith("alert.")) {
			for (const a of all("#care, [data-alerts]")) later(a, "refresh");
		} else if (told.type === "mailbox.changed") {
			// What it comes to is known a moment later; an alert that rests, or wakes, says nothing itself.
			for (const a of all("#care, [data-alerts]")) later(a, "refresh", 2000);
		}
		if (told.mailbox) {
			for (const m of all(`[data-mailbox="${told.mailbox}"], [data-mailbox="all"]`)) later(m, "refresh");
		}
	}
	const pending = new Set();
	function later(element, name, wait) {
		if (pending.has(element)) return;
		pending.add(element);
		setTimeout(() => { pending.delete(element); if (element.isConnected) htmx.trigger(element, name); }, wait || Number(element.dataset.wait) || 500);
	}

	// A page nobody looks at holds no connection; back in sight it asks what it has missed.

	function listen(on) {
		const stream = one("#live");
		if (!stream) return;
		const fresh = stream.cloneNode(true);
		const after = stream.dataset.position || "";
		if (on) fresh.setAttribute("sse-connect", `${stream.dataset.address}?after=${after}`);
		else fresh.removeAttribute("sse-connect");
		htmx.trigger(stream, "htmx:beforeCleanupElement"); // closes its connection
		stream.remove();
		document.body.append(fresh);
		htmx.process(fresh);
	}

	// Keyboard.

	const rows = () => all("a.row, a.boxrow");
	function move(step) {
		const r = rows();
		if (!r.length) return;
		const here = r.findIndex((x) => x === document.activeElement || x.hasAttribute("data-at"));
		const current = here < 0 ? r.findIndex((x) => x.hasAttribute("aria-current")) : here;
		const next = current < 0 ? (step > 0 ? 0 : r.length - 1) : Math.min(r.length - 1, Math.max(0, current + step));
		r.forEach((x) => x.removeAttribute("data-at"));
		r[next].focus();
		r[next].scrollIntoView({ block: "nearest" });
	}
	const press = (selector) => { const e = one(selector); if (e) e.click(); return !!e; };
	const focus = (selector) => { const e = one(selector); if (e) { e.focus(); e.scrollIntoView({ block: "nearest" }); } return !!e; };
	function menu(selector) {
		const m = one(selector);
		if (!m) return false;
		m.open = true;
		const first = one("select, input, button", m);
		if (first) first.focus();
		return true;
	}
	const keys = {
		"/": () => focus("#search"),
		"j": () => move(1),
		"k": () => move(-1),
		"e": () => press("[data-key=e]"),
		"r": () => press("[data-key=r]") || focus("#note"),
		"n": () => focus("#note"),
		"a": () => menu("[data-key=a]"),
		"x": () => { const r = document.activeElement.closest(".choosable"); if (r) one("input", r).click(); return !!r; },
		"?": () => { const d = one("#keys"); if (d && !d.open) d.showModal(); return !!d; },
	};
	document.addEventListener("keydown", (event) => {
		const typing = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
		if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && event.target.form) {
			event.preventDefault();
			event.target.form.requestSubmit(one("[data-save]", event.target.form) || undefined);
			return;
		}
		const beside = event.key === "Enter" && event.target.matches("input") && event.target.closest(".with-button");
		if (beside) { // the button beside the field, not the first of the form
			event.preventDefault();
			one("button", beside).click();
			return;
		}
		if (event.key === "Escape") {
			const m = event.target.closest("details.menu[open]");
			if (m) { m.open = false; one("summary", m).focus(); } else if (typing) event.target.blur();
			return;
		}
		if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || one("dialog[open]")) return;
		if (Object.hasOwn(keys, event.key) && keys[event.key]()) event.preventDefault();
	});

	// Clicks.

	document.addEventListener("click", (event) => {
		const row = event.target.closest("a.row[hx-get]");
		// One after the other below 1200 px: an ordinary link. New tabs stay new tabs.
		if (row && (!wide.matches || event.ctrlKey || event.metaKey || event.shiftKey)) event.stopPropagation();
	}, true);
	document.addEventListener("click", async (event) => {
		const themed = event.target.closest("[data-theme-choice]");
		if (themed) choose(themed.dataset.themeChoice);
		const turn = event.target.closest("[data-theme-turn]");
		if (turn) {
			const dark = theme() === "dark" || (theme() === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
			choose(dark ? "light" : "dark");
		}
		const copy = event.target.closest("[data-copy]");
		if (copy) {
			const from = copy.dataset.copy ? one(copy.dataset.copy) : one("code", copy.parentElement);
			const label = one("span", copy) || copy;
			try { await navigator.clipboard.writeText(from.textContent.trim()); label.textContent = "Copied"; } catch {
				getSelection().selectAllChildren(from); label.textContent = "Selected";
			}
		}
		const eye = event.target.closest("[data-eye]");
		if (eye) {
			const field = one(eye.dataset.eye);
			const shown = field.type === "text";
			field.type = shown ? "password" : "text";
			eye.setAttribute("aria-pressed", String(!shown));
		}
		if (event.target.closest("[data-close-notice]")) one("#notice").replaceChildren();
		for (const m of all("details.menu[open]")) if (!m.contains(event.target)) m.open = false;
	});
	document.addEventListener("change", (event) => {
		if (event.target.matches("[data-go]")) event.target.form.requestSubmit();
		if (event.target.matches("select[data-theme-select]")) choose(event.target.value);
	});

	// Many at once: a range with shift, and what is chosen stays chosen when the list is made anew.

	const boxes = () => all("input[form=many][name=mailbox]");
	const chosen = new Set();
	let lastBox = null;
	function tellChosen() {
		const every = one("#choose-all"), count = one("#many-count");
		if (count) count.textContent = every && every.checked ? "All chosen" : `${chosen.size} chosen`;
	}
	function noteChosen() {
		for (const b of boxes()) if (b.checked) chosen.add(b.value); else chosen.delete(b.value);
		tellChosen();
	}
	function keepChosen() {
		for (const b of boxes()) b.checked = chosen.has(b.value);
		tellChosen();
	}
	document.addEventListener("click", (event) => {
		const box = event.target.closest("input[form=many][name=mailbox]");
		if (!box) return;
		const from = boxes().findIndex((b) => b.value === lastBox), to = boxes().indexOf(box);
		if (event.shiftKey && from >= 0) boxes().slice(Math.min(from, to), Math.max(from, to) + 1).forEach((b) => { b.checked = box.checked; });
		lastBox = box.value;
	});
	document.addEventListener("change", (event) => {
		if (event.target.id === "choose-all") for (const b of boxes()) b.checked = event.target.checked;
		else if (event.target.matches("input[form=many][name=mailbox]:not(:checked)")) { const every = one("#choose-all"); if (every) every.checked = false; }
		if (event.target.matches("#choose-all, input[form=many]")) noteChosen();
	});

	// Forms keep what was typed, through reloads and detours, until it is saved.

	const memory = (form) => `typed:${location.pathname}:${form.dataset.keep}`;
	const kept = (form) => all("input[name], select[name], textarea[name]", form)
		.filter((f) => f.type !== "password" && f.type !== "hidden" && f.dataset.secret === undefined && !f.closest("[data-unkept]"));
	const isTicked = (f) => f.type === "checkbox" || f.type === "radio";
	function remember(form) {
		const values = {};
		for (const f of kept(form)) (values[f.name] ||= []).push(isTicked(f) ? `${f.value}\n${f.checked}` : f.value);
		sessionStorage.setItem(memory(form), JSON.stringify(values));
	}
	function recall(form) {
		const saved = sessionStorage.getItem(memory(form));
		if (!saved || form.dataset.fresh === undefined) return;
		const values = JSON.parse(saved), at = {};
		for (const f of kept(form)) {
			const n = at[f.name] = (at[f.name] ?? -1) + 1;
			const value = values[f.name] && values[f.name][n];
			if (value === undefined) continue;
			if (isTicked(f)) f.checked = value === `${f.value}\ntrue`;
			else f.value = value;
			if (f.value) f.dispatchEvent(new Event("recalled", { bubbles: true }));
		}
	}
	document.addEventListener("input", (event) => {
		const wrong = event.target.id && one(`p.wrong#wrong-${CSS.escape(event.target.id)}`);
		if (wrong) wrong.replaceChildren(); // it was about what stood there before
		const form = event.target.form;
		if (form && form.dataset.keep) remember(form);
	});

	// A guide remembers which steps are done, and shows where one is.

	function tellGuide(guide) {
		const key = `guide:${guide.dataset.guide}`;
		const steps = [...guide.children];
		const box = (step) => one("[data-step]", step);
		const here = steps.find((step) => !box(step) || !box(step).checked);
		for (const step of steps) {
			step.classList.toggle("here", step === here);
			step.classList.toggle("done", !!box(step) && box(step).checked);
			if (step === here) step.setAttribute("aria-current", "step"); else step.removeAttribute("aria-current");
		}
		const boxes = steps.map(box).filter(Boolean), done = boxes.filter((b) => b.checked);
		const progress = one("[data-guide-progress]");
		if (progress) progress.textContent = done.length ? `${done.length} of ${boxes.length} steps done. This browser remembers them.` : "";
		if (done.length) localStorage.setItem(key, JSON.stringify(done.map((b) => b.dataset.step)));
		else localStorage.removeItem(key);
	}
	function openGuide(guide) {
		let done = [];
		try { done = JSON.parse(localStorage.getItem(`guide:${guide.dataset.guide}`)) || []; } catch { /* what is not ours is not read */ }
		for (const b of all("[data-step]", guide)) b.checked = done.includes(b.dataset.step);
		tellGuide(guide);
	}
	document.addEventListener("change", (event) => {
		const guide = event.target.matches("[data-step]") && event.target.closest("[data-guide]");
		if (!guide) return;
		tellGuide(guide);
		const here = one("li.here", guide);
		if (event.target.checked && here) here.scrollIntoView({ block: "nearest" });
	});

	// What was unfolded stays so when a part of the page is made anew.

	const unfolded = (within) => all("details.fold[open] > summary", within).map((s) => s.textContent.trim());

	// The list keeps its place.

	const place = () => `place:${new URLSearchParams(location.search).toString()}`;
	function keepPlace() { const l = one(".listing"); if (l && wide.matches) sessionStorage.setItem(place(), l.scrollTop); }
	function findPlace() { const l = one(".listing"); if (l && wide.matches) l.scrollTop = Number(sessionStorage.getItem(place()) || 0); }

	document.addEventListener("DOMContentLoaded", () => {
		paint(); tellTimes(); findPlace();
		for (const f of all("form[data-keep]")) recall(f);
		noteChosen();
		for (const g of all("[data-guide]")) openGuide(g);
		if (one("#issues")) one("#issues").closest(".listing").addEventListener("pointermove", () => { pointerAt = Date.now(); }, { passive: true });
		const body = document.body;
		body.addEventListener("htmx:sseBeforeMessage", (event) => {
			if (!event.target.closest("#live")) return; // a part of the page that is told as it is
			event.preventDefault();
			live(event);
		});
		let open = [];
		body.addEventListener("htmx:beforeSwap", (event) => {
			open = unfolded(event.detail.target);
			// A menu that is open in a list is not taken away.
			const list = event.detail.target;
			if (list.id === "mailboxes" && one("details.menu[open]", list)) {
				event.detail.shouldSwap = false;
				later(list, "refresh");
				return;
			}
			// Somebody began to read while the new list was on its way.
			const cause = event.detail.requestConfig.triggeringEvent;
			if (event.detail.target.id === "issues" && cause && cause.type === "refresh" && !atRest()) {
				event.detail.shouldSwap = false;
				htmx.trigger(one("#news"), "refresh");
			}
		});
		body.addEventListener("htmx:afterSwap", (event) => {
			const target = event.detail.target || event.target; // what a stream brings has no target of its own
			tellTimes(target.isConnected ? target.parentElement || document : document);
			if (chosen.size) keepChosen();
			for (const s of all("details.fold > summary")) if (open.includes(s.textContent.trim())) s.parentElement.open = true;
			paint();
			const thing = one("#thing[data-chosen]");
			if (thing && target.id === "thing") {
				for (const r of all("a.row")) {
					if (r.id === `row-${thing.dataset.chosen}`) r.setAttribute("aria-current", "true"); else r.removeAttribute("aria-current");
				}
				thing.scrollTop = 0;
				const title = one("h1", thing);
				if (title) document.title = `${title.textContent} · Postroom`;
			}
		});
		body.addEventListener("htmx:afterRequest", (event) => {
			const form = event.detail.elt.closest && event.detail.elt.closest("form");
			if (!form || !event.detail.successful) return;
			if (form.dataset.clear !== undefined) { form.reset(); sessionStorage.removeItem(memory(form)); }
			if (form.dataset.keep && event.detail.xhr.getResponseHeader("HX-Redirect")) sessionStorage.removeItem(memory(form));
		});
		body.addEventListener("htmx:sendError", () => {
			const template = one("#offline");
			if (template) one("#notice").replaceChildren(template.content.cloneNode(true));
		});
		setInterval(tellTimes, 15000);
	});
	document.addEventListener("visibilitychange", () => {
		listen(!document.hidden);
		if (!document.hidden) tellTimes();
	});
	addEventListener("pagehide", () => { keepPlace(); listen(false); });
	addEventListener("pageshow", (event) => { if (event.persisted) { listen(true); tellTimes(); } });
})();
