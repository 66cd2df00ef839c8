package nginxconf

import (
	"slices"
	"strings"
)

var recordAttributes = map[string]attribute{
	"record_unique": {"unique", onOff, 0}, "record_append": {"append", onOff, 0}, "record_lock": {"lock", onOff, 0},
	"record_max_size": {"max_size", size, 0}, "record_max_frames": {"max_frames", count, 0}, "record_notify": {"notify", onOff, 0},
}

var recordNames = strings.Fields("record_unique record_append record_lock record_max_size record_max_frames record_notify")

// records maps the recorders of an application: the named ones, and the one that its
// own record directives make.
func (im *importer) records(b *item, app *directive, s *scope) {
	names := make(map[string]bool)
	for _, r := range app.block {
		if r.name != "recorder" || !r.isBlock {
			continue
		}
		name := r.arg(0)
		if name == "" || names[name] {
			im.note(r, lost, "a recorder %q stands here already, or it has no name", name)
			im.forget(r)
			continue
		}
		names[name] = true
		im.record(b, r, name, &scope{block: r.block, parent: s})
	}
	if d := s.get("record"); d != nil {
		b.take(d)
		name := "default"
		for names[name] {
			name += "_"
		}
		im.record(b, d, name, s)
	}
}

// record maps one recorder with all that it inherits.
func (im *importer) record(b *item, from *directive, name string, s *scope) {
	d := s.get("record")
	if d == nil {
		im.note(from, lost, "it records nothing: it has no record")
		im.forget(from)
		return
	}
	tracks, manual, off := im.tracks(d)
	if off {
		b.take(d)
		im.drop(from)
		return
	}
	r := b.block(from, "record", name)
	r.take(d)
	if !slices.Equal(tracks, []string{"audio", "video"}) {
		r.set(nil, "tracks", list(tracks...))
	}
	if manual {
		r.set(nil, "manual", "true")
	}
	if p := s.get("record_path"); p != nil && len(p.args) == 1 {
		im.pathNote(p)
		if variable(p) {
			im.literal(p, p.arg(0))
		}
		r.set(p, "path", expression(p.arg(0), template))
	} else {
		im.note(d, changed, "it has no record_path: nginx-rtmp writes to /, rtmpd to /var/lib/rtmpd/recordings")
		r.set(nil, "path", quote("/var/lib/rtmpd/recordings"))
	}
	suffix := s.get("record_suffix")
	if suffix != nil {
		im.set(r, suffix, attribute{"suffix", text, 0})
		if s := strings.ToLower(suffix.arg(0)); strings.HasSuffix(s, ".mp4") {
			im.note(suffix, changed, "the files are FLV whatever they are called, as before; format = \"mp4\" makes MP4 of them")
		}
	}
	im.copied(r, s, recordNames, recordAttributes)
	if i := s.get("record_interval"); i != nil {
		if v, err := readDuration(i.arg(0)); err == nil && v == 0 && !strings.EqualFold(i.arg(0), "off") {
			im.note(i, lost, "a file for each keyframe is no recording: left out; max_frames = 1 says the same")
		} else {
			im.set(r, i, attribute{"interval", timer, 0})
		}
	}
	on := func(name string) bool { return s.on(name) }
	if !on("record_unique") && !on("record_append") && (suffix == nil || !strings.Contains(suffix.arg(0), "%")) {
		r.set(nil, "overwrite", "true")
		if r.has("interval") || r.has("max_size") || r.has("max_frames") {
			im.note(d, changed, "nginx-rtmp begins each next file over the last one; rtmpd overwrites nothing within a publish: NAME+1.flv and so on; keep_size bounds what they take")
		}
	}
	own := &scope{block: s.block}
	if from.isBlock {
		im.set(r, own.get("on_record_done"), applicationAttributes["on_record_done"])
		im.set(r, own.get("on_record_started"), applicationAttributes["on_record_started"])
		im.recorderExecs(r, own)
		leftover(r, from.block, from.tail)
	}
}

// tracks are what the words of record say.
func (im *importer) tracks(d *directive) (tracks []string, manual, off bool) {
	add := func(names ...string) {
		for _, n := range names {
			if !slices.Contains(tracks, n) {
				tracks = append(tracks, n)
			}
		}
	}
	for _, w := range d.strings() {
		switch strings.ToLower(w) {
		case "off":
			return nil, false, true
		case "all", "av":
			add("audio", "video")
		case "audio", "video", "keyframes", "data":
			add(strings.ToLower(w))
		case "manual":
			manual = true
		default:
			im.note(d, lost, "%q is nothing that can be recorded", w)
		}
	}
	if len(tracks) == 0 {
		add("audio", "video")
		if manual {
			im.note(d, better, "record manual alone records nothing in nginx-rtmp; rtmpd records what control starts")
		}
	}
	slices.Sort(tracks)
	return tracks, manual, false
}

// drop marks a recorder that is off as done.
func (im *importer) drop(d *directive) {
	d.done = true
	for _, c := range d.block {
		if !c.done {
			im.note(c, unneeded, "the recorder is off")
		}
	}
}
