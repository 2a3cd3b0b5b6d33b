// What pages do beyond what works without this: progress as it happens, keys, and files that
// are dropped. Nothing here decides or escapes anything: parts of pages come from the server.
"use strict";

// Progress of a scan: the server sends the part of the page that changes.
const live = document.getElementById("live");
if (live && live.dataset.events) {
  const source = new EventSource(live.dataset.events);
  source.addEventListener("progress", (e) => { live.innerHTML = e.data; });
  source.addEventListener("ended", () => { source.close(); location.reload(); });
}

// Keys: "/" goes to the search of the page, j and k to the next and the previous row.
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, select, textarea")) return;
  if (e.key === "/") {
    const search = document.querySelector("[role=search] input:not([type=hidden])");
    if (search) { e.preventDefault(); search.focus(); }
  } else if (e.key === "j" || e.key === "k") {
    const links = [...document.querySelectorAll(".rows tbody tr a:first-of-type")].filter((a) => a.closest("tr").querySelector("a") === a);
    const at = links.findIndex((a) => a.closest("tr").contains(document.activeElement));
    const next = links[at + (e.key === "j" ? 1 : -1)];
    if (next) next.focus();
  }
});

// Files that are dropped on a form with a file in it are its file.
for (const input of document.querySelectorAll("input[type=file]")) {
  const form = input.form;
  form.addEventListener("dragover", (e) => { e.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (e) => {
    e.preventDefault();
    form.classList.remove("over");
    if (e.dataTransfer.files.length) { input.files = e.dataTransfer.files; form.requestSubmit(); }
  });
}

// A form is sent once.
document.addEventListener("submit", (e) => {
  if (e.target.method === "post") for (const b of e.target.querySelectorAll("button")) setTimeout(() => { b.disabled = true; });
});

// A menu closes when something else is clicked, or by Escape.
const menu = document.querySelector("details.account");
if (menu) {
  document.addEventListener("click", (e) => { if (!menu.contains(e.target)) menu.open = false; });
  menu.addEventListener("keydown", (e) => { if (e.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); } });
}
