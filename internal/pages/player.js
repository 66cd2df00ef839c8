"use strict";

// A player for live streams. Put it into any page:
//
//   <div data-rtmpd="NAME"></div>
//   <script src="https://HOST/player.js" async></script>
//
// or by a script, as often as you like:
//
//   rtmpdPlay("NAME", { target: document.getElementById("here") });
//
// Options: target (an element or a selector), autoplay, muted, controls, poster, width,
// height, fill (take the size of the target), params (added to the query of what is asked
// for). It returns { video, play(), destroy() }. The target gets the event "rtmpd:state",
// whose detail is what the server says about the stream. mistPlay is the same function
// under the name that MistServer's embed code uses.
(() => {
  if (window.rtmpdPlay) return;

  const script = document.currentScript;
  const base = new URL(".", script?.src || document.baseURI);
  const HLS = "application/vnd.apple.mpegurl";

  const css = `
    :host { all: initial; display: block; position: relative; width: 100%; aspect-ratio: 16 / 9; overflow: hidden; background: #000; }
    .player { all: initial; display: block; color: #fff; font: 1rem/1.4 system-ui, sans-serif; color-scheme: dark; }
    :host([data-fill]) { position: absolute; inset: 0; width: auto; height: auto; aspect-ratio: auto !important; }
    video, .still { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; background: #000; }
    [hidden] { display: none !important; }
    .top { position: absolute; inset: 0 0 auto; display: flex; gap: .5rem; align-items: flex-start; padding: .5rem; pointer-events: none; }
    .top > * { pointer-events: auto; }
    .badge { padding: .1rem .5rem; border-radius: .25rem; background: #444; font-size: .8rem; font-weight: 600; }
    :host([data-state="live"]) .badge, :host([data-state="ready"]) .badge { background: #b3001b; }
    .label { position: absolute; inset: 0; display: grid; place-items: center; margin: 0; padding: 3rem 1rem; box-sizing: border-box; text-align: center; font-size: clamp(1rem, 4vw, 2rem); pointer-events: none; overflow-wrap: anywhere; }
    .space { flex: 1; }
    .message { position: absolute; inset: 0; display: flex; flex-direction: column; gap: .75rem; align-items: center; justify-content: center;
      padding: 2.5rem 1rem; box-sizing: border-box; text-align: center; background: rgb(0 0 0 / 55%); text-shadow: 0 0 .3rem #000; pointer-events: none; overflow: auto; }
    .message p { margin: 0; max-width: 40rem; font-size: clamp(.9rem, 2.5vw, 1.15rem); overflow-wrap: anywhere; }
    .message a { color: #9cd1ff; pointer-events: auto; }
    .spinner { width: 2rem; height: 2rem; border: .25rem solid #fff4; border-top-color: #fff; border-radius: 50%; animation: turn 1s linear infinite; }
    @keyframes turn { to { transform: rotate(1turn); } }
    button, select { min-height: 2rem; padding: .25rem .75rem; border: 1px solid #fff8; border-radius: .25rem; background: rgb(20 20 20 / 85%); color: #fff; font: inherit; font-size: .9rem; cursor: pointer; }
    button:hover, select:hover { background: #333; }
    [aria-pressed="true"] { background: #fff; color: #000; }
    :focus-visible { outline: 3px solid #ffb000; outline-offset: 2px; }
    .play { position: absolute; inset: 0; margin: auto; width: 5rem; height: 5rem; border-radius: 50%; font-size: 2rem; line-height: 1; }
    .sound { min-height: 2.75rem; font-weight: 600; background: #fff; color: #000; }
    .sound:hover { background: #ddd; }
    .quiet { transition: opacity .3s; }
    :host([data-idle]) .quiet:not(:focus-within) { opacity: 0; }
    @media (prefers-reduced-motion: reduce) { .spinner { animation-duration: 4s; } .quiet { transition: none; } }
  `;

  // element makes an element with attributes and children.
  function element(tag, attributes = {}, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== false && value !== undefined) e.setAttribute(name, value === true ? "" : value);
    }
    e.append(...children);
    return e;
  }

  // library loads hls.js (Hls) or dash.js (dashjs) once for all players. A page that has one
  // of its own keeps it.
  const loading = {};
  function library(name) {
    loading[name] ??= new Promise((resolve, reject) => {
      const before = window[name];
      const s = element("script", { src: new URL(name === "Hls" ? "hls.min.js" : "dash.min.js", base), async: true });
      s.onload = () => {
        const ours = window[name];
        if (before) window[name] = before;
        resolve(ours);
      };
      s.onerror = () => {
        delete loading[name];
        s.remove();
        reject(new Error(`${s.src} could not be loaded`));
      };
      document.head.append(s);
    });
    return loading[name];
  }

  // engines says how this browser plays HLS and DASH, the best way first. hls.js and dash.js
  // do it with Media Source Extensions; phones of Apple have their own player, which also
  // speaks to AirPlay.
  function engines(video) {
    const native = video.canPlayType(HLS) ? ["native"] : [];
    if (window.MediaSource?.isTypeSupported?.('video/mp4; codecs="avc1.42E01E,mp4a.40.2"')) return ["hls.js", "dash.js", ...native];
    return window.ManagedMediaSource ? [...native, "hls.js", "dash.js"] : native;
  }

  // streamURL is the URL of a file of the stream NAME or APP/NAME.
  function streamURL(name, before, behind, params) {
    const [file, app] = name.split("/").reverse();
    const url = new URL(before + encodeURIComponent(file) + behind, base);
    if (app) url.searchParams.set("app", app);
    for (const [key, value] of params) url.searchParams.append(key, value);
    return url;
  }

  class Player {
    constructor(name, target, options) {
      this.name = name;
      this.options = options;
      this.params = new URLSearchParams(options.params || "");
      this.info = null;
      this.source = ""; // URL that is played; empty: none
      this.retried = ""; // URL that is tried again after a while
      this.hls = this.dash = null; // what plays it; neither: the browser
      this.wanted = options.autoplay; // somebody wants to see it
      this.way = 0; // how often it was tried in another way
      this.low = false; // its playlist offers low latency
      this.part = 0; // how long its parts are, in seconds; 0: it has none
      this.spare = 0; // how much further from the newest part it plays: see ranDry
      this.dry = false; // the buffer is empty
      this.lowest = []; // how much the buffer had at times
      this.rate = 1; // speed that keepUp has set
      this.failures = 0;
      this.unplayable = 0; // ways that the browser has not the codecs for
      this.troubles = []; // when it failed, or played badly
      this.decodeErrors = 0;
      this.repairedAt = -Infinity;
      this.samples = [];
      this.timers = new Map();
      this.closed = false;
      this.build(target);
      this.show("loading", "Loading…");
      if (options.info) this.update(options.info);
      this.follow();
      this.every("watch", 1000, () => this.watch());
    }

    // build makes the elements, in a shadow tree: styles of the page don't reach it.
    build(target) {
      const o = this.options;
      this.host = element("div", { class: "rtmpd-player", role: "group", "aria-label": `Player: ${this.name}`, "data-fill": o.fill });
      if (o.width) this.host.style.maxWidth = typeof o.width === "number" ? `${o.width}px` : o.width;
      if (o.height) this.host.style.maxHeight = typeof o.height === "number" ? `${o.height}px` : o.height;
      this.video = element("video", { playsinline: true, preload: "none", "aria-label": this.name });
      this.video.muted = o.muted;
      this.still = element("video", { class: "still", playsinline: true, preload: "auto", tabindex: "-1", "aria-hidden": "true", hidden: true });
      this.still.muted = true;
      this.label = element("p", { class: "label", hidden: true });
      this.badge = element("span", { class: "badge" });
      this.goLive = element("button", { type: "button", hidden: true }, "Back to live");
      this.quality = element("select", { "aria-label": "Quality", hidden: true });
      this.captions = element("button", { type: "button", "aria-label": "Captions", "aria-pressed": "false", hidden: true }, "CC");
      this.sound = element("button", { type: "button", class: "sound", hidden: true }, "Turn the sound on");
      this.spinner = element("div", { class: "spinner", "aria-hidden": "true" });
      this.text = element("p", { role: "status" });
      this.message = element("div", { class: "message" }, this.spinner, this.text);
      this.playButton = element("button", { type: "button", class: "play", "aria-label": "Play", hidden: true }, "▶");
      const top = element("div", { class: "top quiet" }, this.badge, element("span", { class: "space" }), this.goLive, this.captions, this.quality);
      this.notice = element("div", { class: "top" }, element("span", { class: "space" }), this.sound, element("span", { class: "space" }));
      this.notice.style.top = "3rem";
      const root = this.host.attachShadow({ mode: "open" });
      // A box of its own: the page may give the host colours and fonts that would be inherited.
      root.append(element("div", { class: "player" }, this.still, this.video, this.label, this.message, top, this.notice, this.playButton));
      try {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        root.adoptedStyleSheets = [sheet];
      } catch { // browsers before 2023
        root.append(element("style", {}, css));
      }
      target.append(this.host);

      const v = this.video;
      v.addEventListener("playing", () => this.playing());
      v.addEventListener("waiting", () => { this.ranDry(); this.stalled(); });
      v.addEventListener("timeupdate", () => this.keepUp());
      v.addEventListener("ended", () => this.ended());
      v.addEventListener("error", () => this.videoError());
      v.addEventListener("play", () => (this.wanted = true));
      v.addEventListener("volumechange", () => { if (!v.muted) this.sound.hidden = true; });
      v.addEventListener("loadedmetadata", () => this.shape(v.videoWidth, v.videoHeight));
      this.sound.addEventListener("click", () => { v.muted = false; v.focus(); });
      this.playButton.addEventListener("click", () => this.play());
      this.goLive.addEventListener("click", () => this.seekLive());
      this.captions.addEventListener("click", () => this.toggleCaptions());
      for (const event of ["addtrack", "removetrack", "change"]) v.textTracks.addEventListener(event, () => this.listCaptions());
      this.quality.addEventListener("change", () => this.choose(this.quality.value));
      this.host.addEventListener("keydown", (e) => this.key(e));
      for (const event of ["pointermove", "pointerdown", "keydown", "focusin"]) this.host.addEventListener(event, () => this.awake());
      this.awake();
    }

    // key gives the video keys that browsers don't. They have space and arrows themselves.
    key(e) {
      if (e.ctrlKey || e.metaKey || e.altKey || e.composedPath()[0] === this.quality) return;
      const v = this.video;
      switch (e.key) {
        case "m": v.muted = !v.muted; break;
        case "f": document.fullscreenElement ? document.exitFullscreen() : v.requestFullscreen?.(); break;
        case "c": this.toggleCaptions(); break;
        case "k": v.paused ? this.play() : v.pause(); break;
        default: return;
      }
      e.preventDefault();
    }

    // awake shows the badge and the menu for some seconds.
    awake() {
      this.host.removeAttribute("data-idle");
      this.after("idle", 4000, () => { if (this.state === "live" && !this.video.paused) this.host.setAttribute("data-idle", ""); });
    }

    shape(width, height) {
      if (width > 0 && height > 0) this.host.style.aspectRatio = `${width} / ${height}`;
    }

    // after and every keep one timer of each kind.
    after(kind, ms, f) {
      clearTimeout(this.timers.get(kind));
      this.timers.set(kind, setTimeout(f, ms));
    }

    every(kind, ms, f) {
      this.timers.set(kind, setInterval(f, ms));
    }

    cancel(kind) {
      clearTimeout(this.timers.get(kind));
    }

    // show says what is going on. Without a text the picture is seen. The video shows by
    // itself that it loads.
    show(state, text, busy = !this.source && (state === "loading" || state === "reconnecting")) {
      this.cancel("stalled");
      this.video.controls = this.options.controls && this.source !== "";
      const names = { live: "LIVE", offline: "OFFLINE", error: "ERROR", reconnecting: "RECONNECTING", loading: "", ready: "LIVE" };
      if (this.state !== state) this.host.dataset.state = state;
      this.state = state;
      this.badge.textContent = names[state];
      this.badge.hidden = !names[state];
      this.message.hidden = !text;
      this.label.hidden = Boolean(text) || !this.label.textContent;
      this.spinner.hidden = !busy;
      if (this.text.textContent !== text) this.text.textContent = text;
      const poster = state === "offline" && (this.options.poster || this.info?.poster);
      this.message.style.background = poster ? `linear-gradient(rgb(0 0 0 / 55%), rgb(0 0 0 / 55%)), center / contain no-repeat url(${JSON.stringify(new URL(poster, base).href)}) #000` : "";
      if (text) this.awake();
    }

    // follow hears by WebSocket when something changes. Where there is none, it asks.
    follow() {
      if (this.closed) return;
      const url = streamURL(this.name, "json_", ".js", this.params);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      let heard = false;
      let socket;
      try {
        socket = this.socket = new WebSocket(url);
      } catch {
        this.poll();
        return;
      }
      socket.onmessage = (e) => {
        heard = true;
        this.cancel("poll");
        this.update(JSON.parse(e.data));
      };
      socket.onclose = () => {
        if (this.closed) return;
        if (!heard) this.poll();
        // Not all at the same moment: a server that was restarted has much to do.
        this.after("follow", heard ? 500 + 2000 * Math.random() : 60000, () => this.follow());
      };
    }

    async poll() {
      if (this.closed) return;
      this.after("poll", this.source ? 15000 : 4000, () => this.poll());
      try {
        const answer = await fetch(streamURL(this.name, "json_", ".js", this.params), { cache: "no-store" });
        if (answer.ok) this.update(await answer.json());
        else if (!this.source) this.show("error", answer.status === 404 ? "There is no such stream here." : this.refused(answer.status));
      } catch {
        if (!this.source) this.show("reconnecting", "The server can't be reached. Trying again…");
      }
    }

    refused(status) {
      switch (status) {
        case 401: case 403: return "You may not watch this stream.";
        case 404: return "The stream is not there yet.";
        case 503: return "The stream has as many viewers as it can take. Trying again…";
      }
      return `The server answers ${status}. Trying again…`;
    }

    // update takes what the server says.
    update(info) {
      this.info = info;
      const title = info.title || this.name;
      this.host.setAttribute("aria-label", `Player: ${title}`);
      this.video.setAttribute("aria-label", title);
      this.host.dispatchEvent(new CustomEvent("rtmpd:state", { detail: info, bubbles: true, composed: true }));
      if (this.closed) return;
      const tracks = Object.values(info.meta?.tracks || {});
      if (tracks.length > 0) this.label.textContent = tracks.some((t) => t.type === "video") ? "" : `♪ ${title}`;
      const sources = this.sources();
      if (sources.length === 0) {
        if (!this.source) this.offline();
        else if (this.state === "reconnecting") this.ended();
        return; // else what is left is shown
      }
      const now = this.source || this.retried || this.state === "error" && this.failed;
      if (sources.some((s) => s.url === now)) return;
      this.restart();
      this.low = false;
      this.shape(info.width, info.height);
      if (this.wanted) this.load();
      else this.offer(info);
    }

    // sources returns what there is to play.
    sources() {
      const found = [];
      for (const s of this.info?.source || []) {
        const kind = s.type.includes(HLS) ? "hls" : s.type.startsWith("dash/") ? "dash" : "";
        if (!kind) continue;
        const url = new URL(s.relurl, base);
        for (const [key, value] of this.params) url.searchParams.append(key, value);
        found.push({ kind, url: url.href });
      }
      return found;
    }

    // ways returns how this browser can play it, the best way first: url is that of the
    // source, from what is asked for.
    ways() {
      const sources = this.sources();
      const ways = [];
      for (const engine of engines(this.video)) {
        const s = sources.find((s) => s.kind === (engine === "dash.js" ? "dash" : "hls"));
        if (!s) continue;
        ways.push({ engine, url: s.url, from: s.url, low: engine === "hls.js" && this.low });
        if (engine === "hls.js" && this.low) { // without parts a line may be slower
          const plain = new URL(s.url);
          plain.searchParams.set("_ll", "0");
          ways.push({ engine, url: s.url, from: plain.href });
        }
      }
      return ways;
    }

    // restart forgets what went wrong.
    restart() {
      this.way = this.failures = this.unplayable = 0;
      this.troubles = [];
    }

    // trouble takes the next way after the third one within three minutes, and says so. With
    // low latency the second is enough: without it a player has more in store.
    trouble() {
      if (this.info?.state !== "live") return false; // then it is the publisher's
      const now = performance.now();
      this.troubles = [...this.troubles.filter((t) => now - t < 180000), now];
      const ways = this.ways();
      if (ways.length < 2 || this.troubles.length < (ways[this.way % ways.length].low ? 2 : 3)) return false;
      this.troubles = [];
      this.way++;
      return true;
    }

    offline() {
      this.cancel("retry");
      this.restart();
      this.retried = "";
      this.playButton.hidden = this.still.hidden = true;
      if (this.info?.state === "waiting") this.show("offline", "The stream is about to begin…", true);
      else this.show("offline", this.info?.on_error || "The stream is offline. It starts here by itself.");
    }

    // offer waits for somebody to press play.
    offer(info) {
      this.show("ready", "");
      const poster = this.options.poster || info.poster;
      if (poster) this.video.poster = new URL(poster, base).href;
      else if (info.picture) {
        const url = new URL(info.picture, base).href;
        if (this.still.src !== url) this.still.src = url;
        this.still.hidden = false;
      }
      this.video.style.visibility = this.still.hidden ? "" : "hidden";
      this.playButton.hidden = false;
    }

    play() {
      this.wanted = true;
      this.playButton.hidden = true;
      if (this.source) this.start();
      else if (this.sources().length > 0) this.load();
    }

    async load() {
      const ways = this.ways();
      const way = ways[this.way % ways.length];
      const source = way?.url || this.sources()[0].url;
      this.stop();
      this.source = source;
      this.video.style.visibility = "";
      this.show("loading", "Loading…");
      if (!way) {
        this.fail("This browser can't play the stream. ");
        return;
      }
      if (way.engine === "native") {
        this.video.src = way.from;
        this.start();
        return;
      }
      const hls = way.engine === "hls.js";
      let engine;
      try {
        engine = await library(hls ? "Hls" : "dashjs");
      } catch {
        this.retry("The player could not be loaded. Trying again…");
        return;
      }
      if (this.closed || this.source !== source || this.hls || this.dash) return;
      if (hls) this.loadHls(engine, way.from);
      else this.loadDash(engine, way.from);
    }

    loadHls(Hls, source) {
      if (!Hls.isSupported()) {
        this.cannot();
        return;
      }
      this.part = this.spare = 0;
      this.lowest = [];
      this.dry = false;
      const hls = this.hls = new Hls({ liveDurationInfinity: true, backBufferLength: 30 });
      hls.on(Hls.Events.MANIFEST_PARSED, () => {
        this.menu();
        this.start();
      });
      hls.on(Hls.Events.LEVEL_SWITCHED, () => this.menu());
      hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
        this.low ||= details.partTarget > 0;
        this.part = details.live && details.partTarget || 0;
        if (this.part > 0) hls.config.liveSyncOnStallIncrease = 0; // see keepUp
      });
      hls.on(Hls.Events.ERROR, (_, data) => {
        if (data.fatal && this.hls === hls) this.hlsError(Hls, data);
      });
      hls.loadSource(source);
      hls.attachMedia(this.video);
    }

    // keepUp holds the distance to the newest part that the playlist asks for
    // (PART-HOLD-BACK), with low latency: who began late, or was interrupted, plays a
    // tenth faster. hls.js does that only as long as a second is in the buffer, which is
    // more than there is at that distance. Somebody may have chosen another speed, or to
    // watch what was before.
    keepUp() {
      const v = this.video;
      if (!this.hls || v.paused || v.seeking || v.playbackRate !== this.rate && v.playbackRate !== 1) return;
      const ahead = this.ahead();
      const now = performance.now();
      this.lowest = [...this.lowest.filter((s) => now - s.at < 2000), { at: now, ahead }];
      const least = Math.min(...this.lowest.map((s) => s.ahead)); // just before a part comes
      const late = this.late();
      let rate = 1;
      if (this.part === 0 || late > 5) rate = 1;
      else if (late > (this.rate > 1 ? 0.02 : 0.08)) rate = least > this.part ? 1.1 : 1;
      else if (late < (this.rate < 1 ? -0.02 : -0.08)) rate = 0.95;
      this.rate = rate;
      if (v.playbackRate !== rate) v.playbackRate = rate;
    }

    // late is by how much it plays later than it should, in seconds.
    late() {
      return this.hls.latency - this.hls.targetLatency - this.spare;
    }

    // ahead is how much there is to play, in seconds.
    ahead() {
      const { buffered, currentTime } = this.video;
      for (let i = 0; i < buffered.length; i++) {
        if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
      }
      return 0;
    }

    // ranDry keeps a part more in the buffer after it was empty. Who missed much of a stream
    // with low latency goes on where it is now.
    ranDry() {
      if (this.part === 0 || !this.hls || this.video.seeking || this.ahead() > this.part) return;
      this.dry = true;
      this.spare = Math.min(this.spare + this.part, 2);
      this.after("spare", 30000, () => this.spareLess());
    }

    spareLess() {
      this.spare = Math.max(this.spare - this.part / 2, 0);
      if (this.spare > 0) this.after("spare", 10000, () => this.spareLess());
    }

    hlsError(Hls, data) {
      const now = performance.now();
      const unplayable = [Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR, Hls.ErrorDetails.BUFFER_ADD_CODEC_ERROR, Hls.ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR];
      if (unplayable.includes(data.details)) {
        this.cannot();
      } else if (data.type === Hls.ErrorTypes.MEDIA_ERROR && now - this.repairedAt > 5000) {
        this.repairedAt = now;
        this.hls.recoverMediaError();
      } else if (data.response?.code >= 400) {
        this.retry(this.refused(data.response.code), data.response.code);
      } else {
        this.retry("The connection was lost. Trying again…");
      }
    }

    loadDash(dashjs, source) {
      const { MediaPlayer } = dashjs;
      const dash = this.dash = MediaPlayer().create();
      const clock = new URL(source);
      clock.search = "utc";
      // Where the MPD has no clock, it is the server's, not one somewhere on the Internet.
      dash.updateSettings({
        debug: { logLevel: 0 },
        streaming: {
          utcSynchronization: { defaultTimingSource: { scheme: "urn:mpeg:dash:utc:http-iso:2014", value: clock.href } },
          text: { defaultEnabled: false },
        },
      });
      dash.on(MediaPlayer.events.STREAM_INITIALIZED, () => {
        if (this.dash !== dash) return;
        this.menu();
        this.start();
      });
      dash.on(MediaPlayer.events.QUALITY_CHANGE_RENDERED, () => { if (this.dash === dash) this.menu(); });
      dash.on(MediaPlayer.events.ERROR, ({ error }) => {
        if (this.dash !== dash) return;
        const { MANIFEST_ERROR_ID_NOSTREAMS_CODE, CAPABILITY_MEDIASOURCE_ERROR_CODE, MEDIASOURCE_TYPE_UNSUPPORTED_CODE } = MediaPlayer.errors;
        if ([MANIFEST_ERROR_ID_NOSTREAMS_CODE, CAPABILITY_MEDIASOURCE_ERROR_CODE, MEDIASOURCE_TYPE_UNSUPPORTED_CODE].includes(error?.code)) this.cannot();
        else this.retry("The connection was lost. Trying again…");
      });
      dash.initialize(this.video, source, false);
    }

    codecs() {
      const tracks = Object.values(this.info?.meta?.tracks || {});
      return tracks.map((t) => t.codec).join(" with ") || "this stream";
    }

    // start plays, without sound if the browser allows no other way, or waits for a click.
    async start() {
      const v = this.video;
      try {
        await v.play();
      } catch (err) {
        if (err.name !== "NotAllowedError" || this.closed) return; // AbortError: something else is loaded
        if (!v.muted) {
          v.muted = true;
          try {
            await v.play();
            this.sound.hidden = false;
            return;
          } catch { // not even so
            v.muted = false;
          }
        }
        this.show("ready", "");
        this.playButton.hidden = false;
      }
    }

    playing() {
      this.failures = this.decodeErrors = this.unplayable = 0;
      this.playButton.hidden = this.still.hidden = true;
      this.show("live", "");
      if (this.dry && this.hls && this.late() > 3) this.seekLive();
      this.dry = false;
    }

    // stalled speaks of a pause that lasts.
    stalled() {
      this.after("stalled", 1500, () => {
        if (this.state !== "live" || this.video.paused) return;
        if (this.sources().length === 0) {
          this.ended();
          return;
        }
        const interrupted = this.info?.state === "interrupted";
        this.show("reconnecting", interrupted ? "The stream was interrupted. It goes on by itself." : "Waiting for the stream…");
      });
    }

    ended() {
      this.stop();
      if (this.sources().length > 0) this.retry("");
      else this.offline();
    }

    videoError() {
      if (this.hls || this.dash || !this.video.hasAttribute("src")) return;
      if (this.video.error?.code === MediaError.MEDIA_ERR_DECODE && ++this.decodeErrors > 3) this.cannot();
      else this.retry("The connection was lost. Trying again…");
    }

    // cannot is for codecs that the browser has not: of another source they may be others.
    cannot() {
      if (++this.unplayable >= this.ways().length) {
        this.fail(`This browser can't play ${this.codecs()}. `);
        return;
      }
      this.way++;
      this.load();
    }

    // fail gives up on a source, and links to it.
    fail(why) {
      const source = this.failed = this.source;
      const link = "The playlist";
      const behind = " opens in VLC and other players.";
      this.stop();
      this.show("error", why + link + behind);
      this.text.replaceChildren(why, element("a", { href: source, target: "_blank", rel: "noopener" }, link), behind);
    }

    // retry plays again in a while: after 1, 2, 4, 8, 10 … seconds.
    retry(text, status) {
      const source = this.source;
      this.stop();
      this.retried = source; // until then the server's news about it change nothing
      const wait = Math.min(status === 403 ? 30 : 10, 2 ** this.failures++) * 1000 * (0.75 + Math.random() / 2);
      this.trouble();
      if (this.sources().length === 0) {
        this.offline();
        return;
      }
      this.show(status === 403 || status === 401 ? "error" : "reconnecting", text || "Waiting for the stream…");
      this.after("retry", wait, () => {
        if (this.closed || this.source) return;
        this.retried = "";
        if (this.sources().length > 0) this.load();
        else this.offline();
      });
    }

    stop() {
      this.cancel("retry");
      this.retried = "";
      this.hls?.destroy();
      this.dash?.destroy();
      this.hls = this.dash = null;
      this.source = "";
      this.samples = [];
      this.quality.hidden = this.goLive.hidden = this.captions.hidden = this.sound.hidden = true;
      if (this.video.hasAttribute("src")) {
        this.video.removeAttribute("src");
        this.video.load();
      }
    }

    // levels are the renditions; auto says whether the player chooses, now which one is
    // shown, both by id.
    levels() {
      if (this.hls) return this.hls.levels.map((l, id) => ({ id: String(id), height: l.height, frameRate: l.frameRate, bitrate: l.bitrate }));
      const all = this.dash?.getActiveStream() ? this.dash.getRepresentationsByType("video") : [];
      return all.map((r) => ({ id: r.id, height: r.height, frameRate: Number(r.frameRate), bitrate: r.bandwidth }));
    }

    get auto() {
      return this.hls ? this.hls.autoLevelEnabled : this.dash?.getSettings().streaming.abr.autoSwitchBitrate.video ?? true;
    }

    get now() {
      return this.hls ? String(this.hls.currentLevel) : this.dash?.getCurrentRepresentationForType("video")?.id;
    }

    // choose plays a rendition; -1: the one that the line allows.
    choose(id) {
      if (this.hls) {
        this.hls.currentLevel = Number(id);
      } else if (this.dash) {
        this.dash.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: id === "-1" } } } });
        if (id !== "-1") this.dash.setRepresentationForTypeById("video", id, true);
      }
      this.menu(id);
    }

    // menu fills the list of qualities. chosen is one that is yet to be shown.
    menu(chosen = this.hls ? String(this.hls.manualLevel) : this.now) {
      const levels = this.levels();
      this.quality.hidden = levels.length < 2;
      if (this.quality.hidden) return;
      const label = (l) => (l.height ? `${l.height}p` : "Sound") + (l.frameRate > 31 ? ` ${Math.round(l.frameRate)}` : "") + ` · ${(l.bitrate / 1e6).toFixed(1)} Mb/s`;
      const auto = this.auto;
      const now = levels.find((l) => l.id === this.now);
      const options = [element("option", { value: -1, selected: auto }, auto && now ? `Auto (${now.height ? `${now.height}p` : "sound"})` : "Auto")];
      for (const l of levels.sort((a, b) => b.bitrate - a.bitrate)) options.push(element("option", { value: l.id, selected: !auto && l.id === chosen }, label(l)));
      this.quality.replaceChildren(...options);
    }

    // captionTracks are the captions and subtitles that the stream has.
    captionTracks() {
      return [...this.video.textTracks].filter((t) => t.kind === "captions" || t.kind === "subtitles");
    }

    listCaptions() {
      const tracks = this.captionTracks();
      this.captions.hidden = tracks.length === 0 || !this.source;
      this.captions.setAttribute("aria-pressed", String(tracks.some((t) => t.mode === "showing")));
    }

    toggleCaptions() {
      const tracks = this.captionTracks();
      const shown = tracks.some((t) => t.mode === "showing");
      if (this.dash) this.dash.setTextTrack(shown ? -1 : 0);
      else tracks.forEach((t, i) => (t.mode = i === 0 && !shown ? "showing" : "hidden"));
      this.listCaptions();
    }

    seekLive() {
      const v = this.video;
      const end = v.seekable.length ? v.seekable.end(v.seekable.length - 1) : v.currentTime;
      if (this.dash) this.dash.seekToOriginalLive();
      else v.currentTime = this.hls?.liveSyncPosition ?? Math.max(0, end - 6);
      this.goLive.hidden = true;
      this.start();
    }

    // watch looks once a second at how well it plays.
    watch() {
      const v = this.video;
      if (!this.source || v.paused || document.hidden) {
        this.samples = [];
        return;
      }
      this.samples.push(v.currentTime);
      if (this.samples.length > 21) this.samples.shift();
      const late = this.dash ? this.dash.getCurrentLiveLatency() : this.hls?.latency;
      const usual = this.dash ? this.dash.getTargetLiveDelay() : this.hls?.targetLatency;
      const behind = (late || 0) - Math.max(this.low ? 5 : 15, 3 * (usual || 0));
      this.goLive.hidden = !(behind > 0);
      const n = this.samples.length;
      if (this.info?.state !== "live") this.samples = [];
      else if (n > 15 && this.samples[n - 1] === this.samples[n - 16]) {
        this.retry("Waiting for the stream…"); // the server has more, and the player is stuck
      }
      if (this.samples.length < 21) return;
      const played = (this.samples[20] - this.samples[0]) / 20;
      if (played < 0 || played > 0.75) return;
      this.samples = [];
      if (!this.auto && this.levels().length > 1) this.choose("-1"); // the chosen quality is too much
      if (this.trouble()) {
        this.load();
      } else if (this.state === "reconnecting") {
        this.show("reconnecting", "The connection is too slow for this stream…");
      }
    }

    destroy() {
      this.closed = true;
      this.stop();
      for (const t of this.timers.values()) clearTimeout(t);
      if (this.socket) {
        this.socket.onclose = this.socket.onmessage = null;
        this.socket.close();
      }
      this.host.remove();
    }
  }

  // rtmpdPlay puts a player for the stream NAME or APP/NAME into the target; without one
  // it stands where the script does.
  function rtmpdPlay(name, options = {}) {
    let target = options.target;
    if (typeof target === "string") target = document.querySelector(target);
    if (!target) {
      target = element("div");
      const at = document.currentScript;
      if (at?.parentElement && at.parentElement !== document.head) at.before(target);
      else document.body.append(target);
    }
    const p = new Player(String(name), target, {
      ...options,
      autoplay: options.autoplay ?? true,
      muted: options.muted ?? false,
      controls: options.controls ?? true,
      fill: options.fill ?? options.fillSpace ?? false,
      params: options.params ?? options.urlappend ?? "",
    });
    return { video: p.video, play: () => p.play(), destroy: () => p.destroy() };
  }
  window.rtmpdPlay = rtmpdPlay;
  window.mistPlay ??= rtmpdPlay;
  window.mistplayers ??= {}; // by this MistServer's embed code knows that player.js is there

  // scan starts the players that stand in the page as elements.
  function scan() {
    for (const target of document.querySelectorAll("[data-rtmpd]:not([data-rtmpd-on])")) {
      const d = target.dataset;
      d.rtmpdOn = "";
      const yes = (value) => (value === undefined ? undefined : value !== "false");
      rtmpdPlay(d.rtmpd, {
        target, autoplay: yes(d.autoplay), muted: yes(d.muted), controls: yes(d.controls), fill: yes(d.fill),
        poster: d.poster, width: d.width, height: d.height, params: d.params, info: d.info && JSON.parse(d.info),
      });
    }
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", scan);
  else scan();
})();
