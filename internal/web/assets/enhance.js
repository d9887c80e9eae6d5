// @ts-check
// What makes pages quicker to use. They are complete without it: a form and
// links of the search page are fetched and put in place instead of loaded, and
// a few keys move about. Nothing here makes markup of its own.

/** All markup comes from the site itself, which escapes what it shows. */
const trusted = /** @type {any} */ (window).trustedTypes?.createPolicy("waybill", { createHTML: (/** @type {string} */ s) => s }) ?? { createHTML: (/** @type {string} */ s) => s };

/** @type {AbortController | undefined} the page that is being fetched */
let pending;

const isSearch = () => document.getElementById("search") !== null;

/**
 * Fetches a page of the site and puts its main part in place.
 * @param {string} url
 * @param {{push?: boolean, focus?: string}} how
 */
async function visit(url, how = {}) {
	pending?.abort();
	const mine = (pending = new AbortController());
	document.documentElement.setAttribute("aria-busy", "true");
	try {
		const response = await fetch(url, { headers: { Accept: "text/html" }, signal: mine.signal });
		const next = new DOMParser().parseFromString(trusted.createHTML(await response.text()), "text/html");
		const fresh = next.getElementById("main");
		const here = document.getElementById("main");
		if (!fresh || !here) throw new Error("no page");
		if (how.push) history.pushState(null, "", response.url);
		swap(here, fresh);
		document.title = next.title;
		ready();
		refocus(how.focus);
	} catch (err) {
		if (mine.signal.aborted) return; // somebody asked for something else since
		location.assign(url);
	} finally {
		if (pending === mine) {
			pending = undefined;
			document.documentElement.removeAttribute("aria-busy");
		}
	}
}

/**
 * Replaces the results and brings the form into line. Of the box keeps what the
 * reader typed since the question was sent.
 * @param {HTMLElement} here
 * @param {HTMLElement} fresh
 */
function swap(here, fresh) {
	const active = document.activeElement;
	const id = active instanceof HTMLElement ? active.id : "";
	const typing = active instanceof HTMLInputElement && active.form?.id === "search" && active.value !== (sent.get(active.name) ?? active.defaultValue);
	const old = document.getElementById("results"), now = fresh.querySelector("#results");
	if (typing && old && now) {
		old.replaceWith(now);
		return;
	}
	const caret = active instanceof HTMLInputElement ? active.selectionStart : null;
	here.replaceChildren(...fresh.childNodes);
	const again = id ? document.getElementById(id) : null;
	again?.focus({ preventScroll: true });
	if (again instanceof HTMLInputElement && caret !== null && again.type === "text") again.setSelectionRange(caret, caret);
}

/** What the form sent last, to tell what was typed since. */
let sent = new Map();

/** @param {string | undefined} where */
function refocus(where) {
	if (where === "results") {
		document.getElementById("results")?.focus({ preventScroll: true });
		scrollTo(0, 0);
	}
}

/** @returns {HTMLElement[]} the links of the rows, in their order */
const rows = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#results a.open")]);

/** @param {number} by */
function step(by) {
	const all = rows();
	if (all.length === 0) return;
	const at = all.findIndex((a) => a.closest("tr")?.contains(document.activeElement));
	const to = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
	to.focus();
	to.closest("tr")?.scrollIntoView({ block: "nearest" });
}

const place = "waybill:row";

/** Notes which message was opened, so that coming back finds its row again. */
function leave(/** @type {HTMLAnchorElement} */ a) {
	sessionStorage.setItem(place, JSON.stringify({ list: location.href, row: a.getAttribute("href") }));
}

/** Focuses the row of the message that was opened from this list. */
function comeBack() {
	const noted = JSON.parse(sessionStorage.getItem(place) ?? "null");
	if (!noted || noted.list !== location.href) return;
	sessionStorage.removeItem(place);
	rows().find((a) => a.getAttribute("href") === noted.row)?.focus();
}

/** Leads from a message back to its list. */
function up() {
	const noted = JSON.parse(sessionStorage.getItem(place) ?? "null");
	location.assign(noted?.list ?? /** @type {HTMLAnchorElement} */ (document.querySelector("a.brand")).href);
}

document.addEventListener("submit", (e) => {
	const form = e.target;
	if (!(form instanceof HTMLFormElement) || form.id !== "search") return;
	e.preventDefault();
	const data = new FormData(form);
	const query = new URLSearchParams();
	sent = new Map();
	for (const [name, value] of data) {
		sent.set(name, String(value));
		query.append(name, String(value));
	}
	visit(form.action + "?" + query, { push: true });
});

document.addEventListener("change", (e) => {
	if (e.target instanceof HTMLSelectElement && e.target.form?.id === "search") e.target.form.requestSubmit();
});

document.addEventListener("click", (e) => {
	if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey || !(e.target instanceof Element)) return;
	const button = e.target.closest("button.copy");
	if (button instanceof HTMLButtonElement) return void copy(button);
	for (const d of document.querySelectorAll("details.pick[open]")) if (!d.contains(e.target)) d.removeAttribute("open");
	const a = e.target.closest("a");
	if (a instanceof HTMLAnchorElement) {
		if (a.classList.contains("open")) return leave(a);
		if (isSearch() && a.origin === location.origin && a.pathname === location.pathname && a.closest("#main")) {
			e.preventDefault();
			visit(a.href, { push: true, focus: "results" });
		}
		return;
	}
	const row = e.target.closest("#results tr");
	const link = row?.querySelector("a.open");
	if (link instanceof HTMLAnchorElement && String(getSelection()) === "") link.click();
});

document.addEventListener("keydown", (e) => {
	if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey || e.isComposing) return;
	const at = e.target instanceof HTMLElement ? e.target : document.body;
	if (e.key === "Escape") {
		const open = at.closest("details.pick[open]");
		if (open) {
			open.removeAttribute("open");
			open.querySelector("summary")?.focus();
		} else if (!isSearch()) up();
		else if (at.closest("#search")) at.blur();
		else document.getElementById("q")?.focus();
		return;
	}
	if (at.closest("input, select, textarea")) return;
	const box = document.getElementById("q");
	if (e.key === "/" && box instanceof HTMLInputElement) {
		e.preventDefault();
		box.focus();
		box.select();
	} else if (e.key === "j") step(1);
	else if (e.key === "k") step(-1);
});

addEventListener("popstate", () => {
	if (isSearch()) visit(location.href).then(comeBack);
	else location.reload();
});
addEventListener("pageshow", comeBack);

/** @param {HTMLButtonElement} button */
async function copy(button) {
	const text = document.getElementById(button.dataset.copy ?? "")?.textContent ?? "";
	const before = button.textContent;
	try {
		await navigator.clipboard.writeText(text);
		button.textContent = "Copied";
	} catch {
		button.textContent = "Select it and copy";
	}
	setTimeout(() => (button.textContent = before), 2000);
}

/** Shows what only works with a script. */
function ready() {
	for (const b of document.querySelectorAll("button.copy, .keys")) /** @type {HTMLElement} */ (b).hidden = false;
}

/** Asks how far an import is while the page is looked at. */
async function poll(/** @type {HTMLElement} */ note) {
	if (document.visibilityState === "visible") {
		try {
			const state = await (await fetch(note.dataset.poll ?? "")).json();
			if (state.done) {
				note.textContent = "All is read. Search again for what came since.";
				return;
			}
			const told = note.querySelector("b");
			if (told && told.textContent !== state.text) told.textContent = state.text;
		} catch {
			note.textContent = "Waybill does not answer any more.";
			return;
		}
	}
	setTimeout(() => poll(note), 2000);
}

ready();
const note = document.getElementById("reading");
if (note) setTimeout(() => poll(note), 1000);
