"use strict";

// The pages around the player: the page of a stream follows its title, the list of streams
// what is live.
(() => {
  const player = document.getElementById("player");
  const streams = document.getElementById("streams");

  function set(id, text) {
    const e = document.getElementById(id);
    if (!e) return;
    e.textContent = text;
    e.hidden = !text;
  }

  player?.addEventListener("rtmpd:state", ({ detail: info }) => {
    set("title", info.title);
    set("description", info.description);
    const source = info.source?.[0];
    const elsewhere = document.getElementById("elsewhere");
    if (!elsewhere) return;
    elsewhere.hidden = !source;
    if (source) document.getElementById("playlist").href = new URL(source.relurl, new URL(".", document.querySelector('script[src$="player.js"]').src));
  });

  // The form of a stream with a passphrase: the token that the server gives for it stands in
  // the address from then on, so that the page can be loaded again.
  const unlock = document.getElementById("unlock");
  unlock?.addEventListener("submit", async (event) => {
    event.preventDefault();
    set("refused", "");
    const word = document.getElementById("passphrase").value;
    try {
      const answer = await fetch(unlock.dataset.ask, { cache: "no-store", headers: { "X-Passphrase": encodeURIComponent(word) } });
      if (!answer.ok) {
        set("refused", await answer.text());
        return;
      }
      const next = new URL(location.href);
      next.searchParams.set("token", (await answer.json()).token);
      location.replace(next);
    } catch {
      set("refused", "The server can't be reached.");
    }
  });

  // look replaces the list if it has changed.
  let shown = streams?.innerHTML;
  async function look() {
    setTimeout(look, document.hidden ? 60000 : 10000);
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) return;
      const now = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("streams");
      if (!now || now.innerHTML === shown) return;
      shown = now.innerHTML;
      streams.replaceChildren(...now.childNodes);
    } catch {
      // The next look may have more luck.
    }
  }
  if (streams) setTimeout(look, 10000);

  for (const code of document.querySelectorAll("textarea[readonly]")) code.addEventListener("focus", () => code.select());
})();
