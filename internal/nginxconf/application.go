package nginxconf

import (
	"slices"
	"strings"
	"time"
)

// application is what the http servers need to know of one that was mapped.
type application struct {
	name string
	hls  string // its directory; empty: none
	dash string
	keys string

	movedKeys bool // they lay beside the fragments
	keysBlock *item
	keysFrom  *directive
}

// applicationAttributes are directives that an application or defaults says.
var applicationAttributes = map[string]attribute{
	"wait_key": {"wait_key", onOff, 0}, "wait_video": {"wait_video", onOff, 0}, "idle_streams": {"idle_streams", onOff, 0}, "gop_cache": {"gop_cache", onOff, 0},
	"publish_notify": {"publish_notify", onOff, 0}, "play_restart": {"play_restart", onOff, 0}, "drop_idle_publisher": {"drop_idle_publisher", timer, 0},
	"meta":       {"meta", word1, 0},
	"on_publish": {"on_publish", hook, 0}, "on_play": {"on_play", hook, 0}, "on_done": {"on_done", hook, 0}, "on_play_done": {"on_play_done", hook, 0},
	"on_publish_done": {"on_publish_done", hook, 0}, "on_update": {"on_update", hook, 0}, "on_record_started": {"on_record_started", hook, 0},
	"on_record_done": {"on_record_done", hook, 0}, "on_playlist": {"on_playlist", hook, 0},
}

var applicationNames = strings.Fields("wait_key wait_video idle_streams gop_cache publish_notify play_restart drop_idle_publisher meta " +
	"on_publish on_play on_done on_play_done on_publish_done on_update on_record_started on_record_done on_playlist")

// shared maps what rtmp and server say for all applications.
func (im *importer) shared(b *item, s *scope) {
	im.simple(b, s)
	im.accessRules(b, s.all("allow", "deny"))
	im.execs(b, s, true)
}

// simple maps the plain attributes and hooks that s has or inherits.
func (im *importer) simple(b *item, s *scope) {
	for _, name := range applicationNames {
		d := s.get(name)
		if d == nil {
			continue
		}
		if a := strings.ToLower(d.arg(0)); name == "drop_idle_publisher" && a == "off" {
			b.set(d, name, quote("off"))
			continue
		}
		if v, err := readDuration(d.arg(0)); name == "drop_idle_publisher" && err == nil && v < 5*time.Second && v > 0 {
			im.note(d, changed, "it counts from the publish on, not from the first frame: give an encoder time to begin")
		}
		im.set(b, d, applicationAttributes[name])
		if name == "on_play" && b.has("on_play") {
			b.set(nil, "on_play_http", "false") // nginx-rtmp asks no hook about HTTP viewers
		}
	}
}

// application maps one, and what it inherits where it can't stand in defaults.
func (im *importer) application(rtmp *item, d *directive, s *scope) {
	b := rtmp.block(d, "application", d.arg(0))
	own := &scope{block: d.block}
	app := &application{name: d.arg(0)}
	im.applied = append(im.applied, app)

	im.simple(b, own)
	for _, name := range []string{"notify_method", "notify_update_timeout", "notify_update_strict", "notify_relay_redirect"} {
		im.set(b, own.get(name), serverAttributes[name])
	}
	if len(own.nearest("allow", "deny")) > 0 {
		im.accessRules(b, s.all("allow", "deny"))
	}
	for _, l := range own.own("access_log") {
		im.note(l, lost, "the access log is that of the rtmp block; its lines have $app")
	}
	for _, m := range own.own("max_connections") {
		im.maxConnections(rtmp, m)
	}
	im.hls(b, d, s, app)
	im.dash(b, d, s, app)
	im.records(b, d, s)
	im.relays(b, s)
	im.execs(b, s, false)
	im.vod(b, s)
	im.live(b, d, s)
	leftover(b, d.block, d.tail)
}

// maxConnections: nginx-rtmp counts the connections of all applications together.
func (im *importer) maxConnections(rtmp *item, m *directive) {
	if !rtmp.has("max_connections") {
		im.set(rtmp, m, serverAttributes["max_connections"])
		im.note(m, changed, "it counts for the whole rtmp block, as in nginx-rtmp; an application has max_publishers and max_players")
		return
	}
	im.note(m, lost, "it counts for the whole rtmp block, which has one already; an application has max_publishers and max_players")
}

// live maps live off. nginx-rtmp gives no answer to publishers without live on, but
// its outputs work.
func (im *importer) live(b *item, d *directive, s *scope) {
	l := s.get("live")
	on := s.on("live")
	if l != nil {
		b.take(l)
	}
	if on {
		return
	}
	outputs := slices.ContainsFunc(b.items, func(i *item) bool {
		return i.isBlock && !strings.HasPrefix(i.head, "vod") && !strings.HasPrefix(i.head, "access")
	})
	if outputs {
		if l == nil {
			l = d
		}
		im.note(l, better, "without live on nginx-rtmp lets publishers of %s wait for an answer; rtmpd answers", d.arg(0))
		return
	}
	b.items = slices.Insert(b.items, 0, &item{head: "live", value: "false", from: l})
}

// accessRules maps allow and deny, in the order in which they are asked.
func (im *importer) accessRules(b *item, entries []*directive) {
	if len(entries) == 0 {
		return
	}
	var publish, play []string
	for _, d := range entries {
		args := d.strings()
		for _, a := range args {
			if a == "publish" || a == "play" {
				continue
			}
			addr := address(a)
			if addr == "" {
				im.note(d, lost, "%q is no address: a name has to be looked up by hand", a)
				continue
			}
			rule := d.name + " " + addr
			asked := slices.Contains(args, "publish") || slices.Contains(args, "play")
			if !asked || slices.Contains(args, "publish") {
				publish = append(publish, rule)
			}
			if !asked || slices.Contains(args, "play") {
				play = append(play, rule)
			}
		}
	}
	access := newBlock(nil, "access")
	if r := rules(publish); r != nil {
		access.set(nil, "publish", list(r...))
	}
	if r := rules(play); r != nil {
		access.set(nil, "play", list(r...))
	}
	for _, d := range entries {
		access.take(d)
	}
	if len(access.items) > 0 {
		b.items = append(b.items, access)
		return
	}
	if len(access.comments) > 0 {
		b.comments = append(b.comments, access.comments...)
	}
}

// vod maps play.
func (im *importer) vod(b *item, s *scope) {
	plays := s.all("play")
	if len(plays) == 0 {
		return
	}
	v := b.block(plays[0], "vod")
	var paths []string
	for _, p := range plays {
		v.take(p)
		paths = append(paths, p.strings()...)
	}
	v.set(nil, "path", list(paths...))
	im.set(v, s.get("play_temp_path"), attribute{"temp_path", file, 0})
	im.set(v, s.get("play_local_path"), attribute{"local_path", file, 0})
}

// forget marks everything in a block as done: a note speaks for all of it.
func (im *importer) forget(d *directive) {
	d.done = true
	for _, c := range d.block {
		im.forget(c)
	}
}
