"use strict";

// Plays the playlist named by the video element and goes on trying for as long
// as the page is open: with hls.js where there are Media Source Extensions,
// else (Safari on iOS) with the browser's own HLS.
(() => {
  const video = document.getElementById("video");
  const status = document.getElementById("status");
  const unmute = document.getElementById("unmute");
  const playlist = new URL(video.dataset.playlist, document.baseURI).href;
  const retryAfter = 3000; // ms

  let hls = null;
  let timer = 0;
  let recoveredAt = -Infinity; // when a media error was last repaired, ms

  function say(text) {
    if (status.textContent !== text) status.textContent = text;
  }

  function stop() {
    if (hls) hls.destroy();
    hls = null;
    video.removeAttribute("src");
    video.load();
    unmute.hidden = true;
  }

  function offline() {
    say(video.dataset.offline);
    clearTimeout(timer);
    timer = setTimeout(start, retryAfter);
  }

  function restart() {
    stop();
    offline();
  }

  // A playlist that has ended is last time's show: wait for the next one
  // instead of playing its last seconds again.
  async function onAir() {
    try {
      const answer = await fetch(playlist, { cache: "no-store" });
      return answer.ok && !(await answer.text()).includes("#EXT-X-ENDLIST");
    } catch {
      return false;
    }
  }

  async function play() {
    try {
      await video.play();
    } catch (err) {
      if (err.name === "NotAllowedError") say("Press play to start.");
    }
  }

  async function start() {
    if (!(await onAir())) {
      offline();
      return;
    }
    if (window.Hls && Hls.isSupported()) {
      startHls();
    } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
      video.src = playlist;
      play();
    } else {
      say("This browser can't play HLS. The playlist below opens in VLC and other players.");
    }
  }

  function startHls() {
    hls = new Hls();
    hls.on(Hls.Events.MANIFEST_PARSED, play);
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      const now = performance.now();
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR && now - recoveredAt > 5000) {
        recoveredAt = now;
        hls.recoverMediaError();
        return;
      }
      restart();
    });
    hls.loadSource(playlist);
    hls.attachMedia(video);
  }

  video.addEventListener("playing", () => {
    say("");
    unmute.hidden = !video.muted;
  });
  video.addEventListener("waiting", () => say("Waiting for the stream…"));
  video.addEventListener("ended", restart);
  video.addEventListener("error", () => {
    if (!hls && video.hasAttribute("src")) restart();
  });
  video.addEventListener("volumechange", () => {
    if (!video.muted) unmute.hidden = true;
  });
  unmute.addEventListener("click", () => {
    video.muted = false;
    video.focus();
  });

  start();
})();
