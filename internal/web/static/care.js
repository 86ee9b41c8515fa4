// What needs somebody: it comes up in front of a page, but never under the hands of
// someone who types.
(() => {
	"use strict";
	const one = (selector, within = document) => within.querySelector(selector);
	const all = (selector, within = document) => [...within.querySelectorAll(selector)];
	const types = (e) => !!e && e.matches("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
	const closed = new Set(); // what was closed here, until the server knows
	let loaded = false, waits = false;

	function popUp() {
		const dialog = one("#popup");
		waits = false;
		if (!dialog || dialog.open || closed.has(one("form[data-seen]", dialog)?.action)) return;
		if (loaded && types(document.activeElement) || one("dialog[open]")) { waits = true; return; }
		dialog.showModal();
	}

	// A banner about what is mended says so, and does not move what is below it. When that
	// comes back, the banner is what it was.

	function mend() {
		const care = one("#care");
		if (!care) return;
		const open = care.dataset.open.split(" ");
		for (const banner of all(".banner[data-alert]")) {
			const mended = !open.includes(banner.dataset.alert);
			if (mended === banner.classList.contains("good")) continue;
			banner.style.minHeight = `${banner.offsetHeight}px`;
			banner.dataset.was ||= banner.className;
			banner.className = mended ? "banner good" : banner.dataset.was;
			const words = one("p > span", banner);
			if (mended) words.prepend("Mended: ");
			else words.firstChild.remove();
			const use = one("p use", banner);
			use.dataset.was ||= use.getAttribute("href");
			use.setAttribute("href", mended ? "#i-tick" : use.dataset.was);
			for (const step of all(":scope > .button, :scope > form", banner)) step.hidden = mended;
		}
	}

	document.addEventListener("cancel", (event) => {
		const form = event.target.id === "popup" && one("form[data-seen]", event.target);
		if (form) form.requestSubmit(); // Escape closes it as the button does
	}, true);
	document.addEventListener("submit", (event) => {
		if (!event.target.matches("form[data-seen]")) return;
		const dialog = event.target.closest("dialog");
		closed.add(event.target.action);
		if (dialog && dialog.open) dialog.close();
	});
	document.addEventListener("focusout", () => { if (waits) setTimeout(popUp, 500); });
	document.addEventListener("close", () => { if (waits) popUp(); }, true);
	document.addEventListener("htmx:afterSwap", () => queueMicrotask(() => { mend(); popUp(); }));
	document.addEventListener("DOMContentLoaded", () => { popUp(); loaded = true; });
	addEventListener("pageshow", (event) => {
		// A page that comes back from the browser's memory may be of an hour ago.
		const care = one("#care");
		if (event.persisted && care && window.htmx) htmx.trigger(care, "refresh");
	});
})();
