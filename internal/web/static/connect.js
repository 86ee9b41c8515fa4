// The form of a mailbox: what makes it quicker where scripts run.
(() => {
	"use strict";
	const one = (selector, within = document) => within.querySelector(selector);
	const all = (selector, within = document) => [...within.querySelectorAll(selector)];
	const typed = (field) => field.dispatchEvent(new Event("input", { bubbles: true }));

	function unfold(element) {
		for (let d = element.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
	}

	// What is wrong, or has to be looked at, is not folded away.

	function showWhatMatters() {
		for (const w of all(".wrong")) if (w.textContent.trim()) unfold(w);
		const look = one("[data-opens]"), fold = one("[data-folds]");
		if (look) {
			const target = one(look.dataset.opens);
			if (target && !target.open) { target.open = true; target.dataset.opened = "yes"; }
			look.removeAttribute("data-opens");
		}
		if (fold) { // only what was not unfolded by hand
			const target = one(fold.dataset.folds);
			if (target && target.dataset.opened) { target.open = false; delete target.dataset.opened; }
		}
		for (const list of all("[data-folders]")) tick(list);
		const on = one("a[data-goes]"); // what was tried is kept, and the page is through
		if (on && !on.dataset.gone) { on.dataset.gone = "yes"; location.assign(on.href); }
		for (const field of all("[data-secret-words]")) judge(field, false);
	}

	// The servers in one line.

	function line() {
		const say = one("#servers-line");
		if (!say) return;
		const value = (name) => { const f = one(`[name="${name}"]:checked, [name="${name}"]:not([type=radio])`); return f ? f.value.trim() : ""; };
		const incoming = value("incoming.host"), outgoing = value("outgoing.host");
		if (!incoming && !outgoing) { say.textContent = "Servers: found from the address"; return; }
		const words = incoming ? [`${incoming} by ${value("incoming.protocol").toUpperCase()}`] : [];
		if (outgoing) words.push(`sending by ${outgoing}`);
		say.textContent = words.join(", ");
	}

	// A field gets a value that was advised.

	function set(button) {
		const field = one(button.dataset.set);
		if (!field) return false;
		field.value = button.dataset.value;
		typed(field);
		field.dispatchEvent(new Event("change", { bubbles: true }));
		if (field.dataset.finds === undefined) button.textContent = "Filled in. Test again, or save";
		else field.focus();
		return true;
	}

	// Folders: the field with a name on each line counts, and the ticks follow it.

	const lines = (field) => field.value.split("\n").map((l) => l.trim()).filter(Boolean);
	function tick(list) {
		const names = lines(one(list.dataset.folders));
		if (!names.length) names.push("INBOX"); // which an empty field stands for
		for (const box of all("input[name=pick]", list)) box.checked = names.includes(box.value);
	}
	function pick(box) {
		const field = one(box.closest("[data-folders]").dataset.folders);
		const names = (lines(field).length ? lines(field) : ["INBOX"]).filter((n) => n !== box.value);
		if (box.checked) names.push(box.value);
		field.value = names.join("\n");
		typed(field);
	}
	function sift(search) {
		const list = search.closest("[data-folders]"), wanted = search.value.trim().toLowerCase();
		let seen = 0;
		for (const item of all("li", list)) {
			item.hidden = !item.textContent.toLowerCase().includes(wanted);
			if (!item.hidden) seen++;
		}
		one("[data-sifted]", list).hidden = seen > 0;
	}

	// A password is held against the shape of an app password, here and nowhere else.

	const separators = /[\s\u00ad\ufeff\u200b-\u200f\u2060-\u2064\u2010-\u2015\u2212-]/g;
	function judge(field, done) {
		const words = one("[data-shape]", one(field.dataset.secretWords) || field);
		if (!words || !words.dataset.shape) return;
		let shape;
		try { shape = new RegExp(words.dataset.shape); } catch { return; }
		const text = field.value.replace(separators, "");
		const looks = shape.test(text);
		const shown = one("[data-says=other]", words);
		const says = looks ? "looks" : text && (done || !shown.hidden) ? "other" : "nothing";
		for (const p of all("[data-says]", words)) {
			const hide = p.dataset.says !== says;
			if (p.hidden !== hide) p.hidden = hide;
		}
	}

	// A tab that is through with its sign-in goes away, where the browser lets it.

	document.addEventListener("click", (event) => {
		const end = event.target.closest("[data-closes]");
		if (!end || end.href && history.length > 1 && !window.opener) return; // the link leads on
		window.close();
		if (!end.href) setTimeout(() => { end.replaceWith("This tab can be closed now."); }, 300);
	});

	document.addEventListener("click", (event) => {
		const button = event.target.closest("[data-set]");
		if (button && set(button)) event.preventDefault();
		const goto = event.target.closest('a[href^="#"]');
		const field = goto && goto.hash.length > 1 && one(goto.hash);
		if (field && field.matches("input, select, textarea")) {
			event.preventDefault();
			unfold(field);
			field.focus();
		}
	});
	document.addEventListener("input", (event) => {
		const field = event.target;
		if (field.matches("[data-secret-words]")) judge(field, event.inputType === "insertFromPaste");
		if (field.matches("input[name=pick]")) pick(field);
		if (field.matches("[data-sift]")) sift(field);
		if (field.id === "incoming-folders") for (const list of all("[data-folders]")) tick(list);
		if (field.closest("#servers-fields")) {
			htmx.trigger("[data-finds]", "htmx:abort"); // what was typed is not overwritten
			line();
		}
	});
	document.addEventListener("change", (event) => {
		if (event.target.matches("[data-secret-words]")) judge(event.target, true);
	});
	document.addEventListener("recalled", (event) => {
		if (!event.target.closest("#servers-fields")) return;
		line();
		if (event.target.name === "incoming.host" || event.target.name === "outgoing.host") unfold(event.target);
	});
	document.addEventListener("keydown", (event) => {
		// Enter in the search of a list is not the answer to the form.
		if (event.key === "Enter" && event.target.matches("[data-sift]")) event.preventDefault();
	});
	document.addEventListener("htmx:sseError", (event) => {
		const stream = event.target.closest("[data-test]");
		if (!stream || event.detail.source.readyState !== EventSource.CLOSED) return; // it comes again by itself
		const says = one(`#test-verdict-${stream.dataset.test} .state`);
		if (says) says.textContent = "The connection to Postroom broke, and the test with it. Start it again.";
		stream.remove();
	});
	for (const name of ["htmx:afterSwap", "htmx:oobAfterSwap"]) {
		document.addEventListener(name, () => queueMicrotask(showWhatMatters));
	}
	addEventListener("hashchange", () => { const at = location.hash.length > 1 && one(location.hash); if (at) unfold(at); });
	showWhatMatters();
})();
