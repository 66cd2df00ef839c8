package nginxconf

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// hour is the longest fragment that rtmpd takes.
const hour = int64(time.Hour)

var hlsAttributes = map[string]attribute{
	"hls_fragment": {"fragment", duration, hour}, "hls_playlist_length": {"playlist_length", duration, 0}, "hls_max_fragment": {"max_fragment", duration, 0},
	"hls_nested": {"nested", onOff, 0}, "hls_fragment_naming": {"fragment_naming", word1, 0},
	"hls_fragment_naming_granularity": {"fragment_naming_granularity", count, 0}, "hls_fragment_slicing": {"fragment_slicing", word1, 0},
	"hls_type": {"type", word1, 0}, "hls_continuous": {"continuous", onOff, 0}, "hls_cleanup": {"cleanup", onOff, 0}, "hls_base_url": {"base_url", text, 0},
	"hls_sync": {"sync", timer, 0}, "hls_max_audio_delay": {"max_audio_delay", timer, 0},
}

var hlsNames = strings.Fields("hls_fragment hls_playlist_length hls_max_fragment hls_nested hls_fragment_naming hls_fragment_naming_granularity " +
	"hls_fragment_slicing hls_type hls_continuous hls_cleanup hls_base_url hls_sync hls_max_audio_delay")

// hls maps the HLS directives that are in force in an application.
func (im *importer) hls(b *item, app *directive, s *scope, known *application) {
	on := s.get("hls")
	if !s.on("hls") {
		if on != nil {
			b.take(on)
		}
		return
	}
	h := b.block(on, "hls")
	known.hls = im.directory(h, s.get("hls_path"), app, "hls_path", "/var/lib/rtmpd/hls")
	im.copied(h, s, hlsNames, hlsAttributes)
	im.lengths(h, s, "hls")
	if d := s.get("hls_datetime"); d != nil {
		if d.arg(0) == "none" {
			h.set(d, "datetime", "false")
		} else {
			im.note(d, unneeded, "playlists have EXT-X-PROGRAM-DATE-TIME")
		}
	}
	im.variants(h, &scope{block: s.block})
	if s.on("hls_keys") {
		h.take(s.get("hls_keys"))
		k := h.block(nil, "keys")
		known.keysBlock, known.keysFrom = k, s.get("hls_keys")
		im.keys(k, s, app, known)
		im.set(k, s.get("hls_key_url"), attribute{"url", text, 0})
		im.set(k, s.get("hls_fragments_per_key"), attribute{"fragments_per_key", count, 0})
	}
}

// keys maps the directory of the keys: never that of the fragments.
func (im *importer) keys(k *item, s *scope, app *directive, known *application) {
	d := s.get("hls_key_path")
	if d != nil && filepath.Clean(d.arg(0)) != known.hls {
		known.keys = im.directory(k, d, app, "hls_key_path", "")
		return
	}
	known.keys, known.movedKeys = known.hls+"-keys", true
	im.note(known.keysFrom, changed, "keys lie in %s now, not beside the fragments that they encrypt, and have a location of their own", known.keys)
	k.set(d, "path", quote(template(known.keys)))
	im.claim(known.keys, app.arg(0))
}

// directory maps the directory of an output. Two applications can't share one.
func (im *importer) directory(i *item, d *directive, app *directive, name, fallback string) string {
	if d == nil || len(d.args) == 0 {
		im.note(app, changed, "it has no %s: rtmpd writes to %s", name, fallback+"/"+app.arg(0))
		i.set(nil, "path", quote(fallback+"/"+app.arg(0)))
		return fallback + "/" + app.arg(0)
	}
	dir := filepath.Clean(d.arg(0))
	if fromEnvironment.MatchString(dir) {
		im.note(d, changed, "the environment says it: env()")
		i.set(d, "path", expression(dir, template))
		return dir
	}
	if other := im.claim(dir, app.arg(0)); other != "" {
		taken := dir
		dir = filepath.Join(dir, app.arg(0))
		im.claim(dir, app.arg(0))
		im.note(d, changed, "application %s writes to %s, and two can't share a directory: %s writes to %s now, and the URLs of its streams have one more part", other, taken, app.arg(0), dir)
	}
	im.pathNote(d)
	im.literal(d, dir)
	i.set(d, "path", quote(template(dir)))
	return dir
}

// claim notes who writes to a directory. It returns another application that does.
func (im *importer) claim(dir, app string) string {
	key := value.Resolve(dir)
	if other, ok := im.claimed[key]; ok && other != app {
		return other
	}
	im.claimed[key] = app
	return ""
}

// literal speaks of variables where nginx-rtmp knows none: it takes them for a name.
func (im *importer) literal(d *directive, dir string) {
	if strings.Contains(dir, "$") {
		im.note(d, changed, "nginx-rtmp knows no variables here: the directory is called that, as before; nested = true gives each stream a directory, filename in record may hold $name")
	}
}

// template is s in an attribute with placeholders: a $ is the character.
func template(s string) string { return strings.ReplaceAll(s, "$", "$$") }

// lengths mends lengths that rtmpd refuses: nginx-rtmp writes empty playlists then.
func (im *importer) lengths(b *item, s *scope, prefix string) {
	get := func(name string, otherwise time.Duration) (time.Duration, *directive) {
		d := s.get(prefix + name)
		if d == nil {
			return otherwise, nil
		}
		v, err := readDuration(d.arg(0))
		if err != nil || v == 0 {
			v = otherwise
		}
		return v, d
	}
	fragment, from := get("_fragment", 5*time.Second)
	length, d := get("_playlist_length", 30*time.Second)
	if length < fragment {
		if d == nil {
			d = from
		}
		b.replace("playlist_length", quote(value.FormatDuration(3*fragment)), d)
		im.note(d, changed, "a playlist that is shorter than a fragment stays empty: playlist_length is %s now", value.FormatDuration(3*fragment))
	}
	if longest, d := get("_max_fragment", 0); d != nil && longest != 0 && longest < fragment {
		b.remove("max_fragment")
		im.note(d, changed, "it is shorter than a fragment: left out, rtmpd cuts at three times fragment")
	}
}

// replace sets an attribute anew.
func (i *item) replace(name, value string, from *directive) {
	for _, x := range i.items {
		if !x.isBlock && x.head == name {
			x.value = value
			return
		}
	}
	i.set(from, name, value)
}

func (i *item) remove(name string) {
	i.items = slices.DeleteFunc(i.items, func(x *item) bool { return !x.isBlock && x.head == name })
}

var (
	variantPart = regexp.MustCompile(`([A-Za-z-]+)=("[^"]*"|[^,]*)`)
	resolution  = regexp.MustCompile(`^\d{1,5}x\d{1,5}$`)
	bitrate     = regexp.MustCompile(`^\d{1,12}$`)
	rate        = regexp.MustCompile(`^\d{1,3}(\.\d{1,6})?$`)
)

// variants maps hls_variant, which counts in the application alone.
func (im *importer) variants(h *item, s *scope) {
	seen := make(map[string]bool)
	for _, d := range s.own("hls_variant") {
		suffix := d.arg(0)
		if seen[suffix] || suffix == "" {
			im.note(d, unneeded, "the suffix %q stands here already", suffix)
			continue
		}
		seen[suffix] = true
		v := h.block(d, "variant", suffix)
		var rest []string
		for _, part := range variantPart.FindAllStringSubmatch(strings.Join(d.strings()[1:], ","), -1) {
			x := strings.Trim(part[2], `" `)
			switch name := strings.ToUpper(part[1]); {
			case name == "BANDWIDTH" && bitrate.MatchString(x):
				v.replace("bandwidth", number(x), nil)
			case name == "AVERAGE-BANDWIDTH" && bitrate.MatchString(x):
				v.replace("average_bandwidth", number(x), nil)
			case name == "RESOLUTION" && resolution.MatchString(strings.ToLower(x)):
				v.replace("resolution", quote(strings.ToLower(x)), nil)
			case name == "CODECS" && x != "":
				v.replace("codecs", quote(x), nil)
			case name == "FRAME-RATE" && rate.MatchString(x):
				v.replace("frame_rate", number(x), nil)
			case name == "PROGRAM-ID" || name == "CLOSED-CAPTIONS":
			default:
				rest = append(rest, part[1])
			}
		}
		if len(rest) > 0 {
			im.note(d, lost, "a variant has no %s; what players need is measured", strings.Join(rest, ", "))
		}
	}
}

// number is digits without zeros before them, which HCL does not take for a number.
func number(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if rest = strings.TrimRight(rest, "0"); rest != "" {
		return whole + "." + rest
	}
	return whole
}

var dashAttributes = map[string]attribute{
	"dash_fragment": {"fragment", duration, hour}, "dash_playlist_length": {"playlist_length", duration, 0},
	"dash_nested": {"nested", onOff, 0}, "dash_cleanup": {"cleanup", onOff, 0},
}

// dash maps the DASH directives that are in force in an application.
func (im *importer) dash(b *item, app *directive, s *scope, known *application) {
	on := s.get("dash")
	if !s.on("dash") {
		if on != nil {
			b.take(on)
		}
		return
	}
	d := b.block(on, "dash")
	known.dash = im.directory(d, s.get("dash_path"), app, "dash_path", "/var/lib/rtmpd/dash")
	im.copied(d, s, strings.Fields("dash_fragment dash_playlist_length dash_nested dash_cleanup"), dashAttributes)
	im.lengths(d, s, "dash")
	clock, uri := s.get("dash_clock_compensation"), s.get("dash_clock_helper_uri")
	switch {
	case clock == nil || clock.arg(0) == "off":
		s.drop("dash_clock_compensation", "dash_clock_helper_uri")
	case uri == nil:
		im.note(clock, lost, "it needs dash_clock_helper_uri")
	case !strings.Contains(" ntp http_head http_iso ", " "+clock.arg(0)+" "):
		im.note(clock, lost, "%q is none of ntp, http_head, http_iso", clock.arg(0))
	default:
		d.set(clock, "clock", quote(clock.arg(0)))
		d.set(uri, "clock_uri", quote(uri.arg(0)))
	}
}
