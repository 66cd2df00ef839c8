package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// defaults checks what a defaults block may not say although an application may.
func (c *checker) defaults(n *node) {
	c.needsApp(n, "defaults")
	for _, b := range n.all("stream") {
		c.needsApp(b, "defaults")
	}
}

// needsApp demands $app in the paths of a block that stands for several
// applications.
func (c *checker) needsApp(n *node, where string) {
	check := func(b *node) {
		if b == nil {
			return
		}
		if a := b.attrs["path"]; a != nil && a.value != nil && !b.disabled() && !value.Template(a.value.(value.Path)).Holds("app") {
			c.errorAt(a.rng, "this path needs $app", fmt.Sprintf("%s serves several applications: write %q", where, a.value.(value.Path)+"/$app"))
		}
	}
	if h := n.one("hls"); h != nil {
		check(h)
		check(h.one("keys"))
	}
	check(n.one("dash"))
}

// application checks an application after inheritance. own has only what its block
// sets.
func (c *checker) application(full, own *node, app *Application) {
	if app.Name != "*" {
		if err := value.ValidStreamName(app.Name); err != nil {
			c.errorAt(own.rng, fmt.Sprintf("%q can't be an application: %s", app.Name, strings.Replace(err.Error(), "the stream name", "the name", 1)),
				"letters, digits and ._+~@=-, not starting with . or -; or \"*\" for all others")
		}
		c.expand(app)
	} else {
		c.needsApp(own, `application "*"`)
		c.noStatic(own, `application "*"`)
	}
	c.outputs(full, app)
	c.triggers(full, app.Triggers, true)
	c.keys(full, app)
}

// expand puts the name of an application into its paths. What was hidden stays so.
func (c *checker) expand(app *Application) {
	for path := range c.hidden {
		if value.Template(path).Holds("app") {
			c.hidden[string(expandApp(value.Path(path), app.Name))] = true
		}
	}
	app.expandApp()
}

// stream checks a stream block: own as it stands there, full merged with its application.
func (c *checker) stream(full, own *node, app, s *Application) {
	if err := value.CheckPattern(own.labels[0]); err != nil {
		c.errorAt(own.rng, err.Error(), "")
	}
	if app.Name == "*" {
		c.needsApp(own, `application "*"`)
	} else {
		c.expand(s)
	}
	s.StreamKeys, s.StreamKeysFile, s.FileKeys = app.StreamKeys, app.StreamKeysFile, app.FileKeys
	s.Streams, s.Triggers = nil, app.Triggers
	c.noStatic(own, "a stream block")
	c.outputs(full, s)
}

func (c *checker) outputs(n *node, app *Application) {
	c.fallback(n, app)
	c.execs(n)
	if h := app.HLS; h != nil {
		c.hls(n.one("hls"), app, h)
	}
	if d := app.DASH; d != nil {
		c.dash(n.one("dash"), app, d)
	}
	if t := app.Tokens; t != nil {
		c.tokens(n.one("tokens"), t)
	}
	if s, b := app.Sessions, n.one("sessions"); s != nil && !slices.Contains(s.Identify, "stream") && !b.bad("identify") {
		c.errorAt(b.at("identify"), "identify needs stream", "a session is of one stream: write \"stream\" first")
	}
	if s, b := app.Sessions, n.one("sessions"); s != nil && app.HLS != nil && s.Timeout < 3*app.HLS.Fragment {
		c.errorAt(b.at("timeout"), "a session must outlive three fragments", "write at least "+value.FormatDuration(3*app.HLS.Fragment))
	}
	for _, p := range n.all("push") {
		c.when(p)
	}
	for _, r := range n.all("record") {
		c.recordNames(r)
		c.recordLists(r)
		c.when(r)
		c.recordFormat(r)
		c.execs(r)
	}
}

// recordFormat checks what only FLV can do.
func (c *checker) recordFormat(r *node) {
	format := r.attrs["format"]
	if format == nil || format.value == nil || format.value == "flv" {
		return
	}
	if a := r.attrs["append"]; a != nil && a.value == true {
		c.errorAt(r.at("append"), "append needs format = \"flv\"", "a finished file of another format can't be gone on with: leave it out, and the next file gets a number")
	}
	a := r.attrs["tracks"]
	if a == nil {
		return
	}
	if tracks, _ := a.value.([]string); slices.Contains(tracks, "data") {
		c.errorAt(r.at("tracks"), "data needs format = \"flv\"", "AMF messages have no place in another format")
	}
}

// fallbackVars are the placeholders of fallback.
const fallbackVars = "app name stream base wildcard pluswildcard"

// fallback checks what a stream shows while its publisher is gone.
func (c *checker) fallback(n *node, app *Application) {
	f := app.Fallback
	switch {
	case f == "" || !n.said("fallback") || n.bad("fallback"):
	case f == LatestRecording:
		if !slices.ContainsFunc(app.Records, func(r Record) bool { return r.Format == "flv" || r.Format == "mp4" }) {
			c.errorAt(n.at("fallback"), "there is no recording that could be shown", "write a record block with format = \"flv\" or \"mp4\"")
		}
	case value.Template(f).Check(fallbackVars) != nil:
		c.errorAt(n.at("fallback"), "fallback: "+value.Template(f).Check(fallbackVars).Error(), "")
	case !strings.Contains(f, "/"):
		if err := value.ValidStreamName(value.Template(f).Expand(func(string) string { return "x" })); err != nil {
			c.errorAt(n.at("fallback"), "fallback is neither a stream nor a file: "+err.Error(), "write the name of a stream, or a path that begins with /")
		}
	case !strings.HasPrefix(f, "/"):
		c.errorAt(n.at("fallback"), "the path of a fallback begins with /", "write \"/srv/slate.flv\"")
	case !slices.Contains([]string{".flv", ".mp4"}, strings.ToLower(path.Ext(f))):
		c.errorAt(n.at("fallback"), "a fallback is an FLV or MP4 file", "make one: ffmpeg -i FILE -c:v libx264 -g 50 -c:a aac -f flv SLATE.flv")
	}
}

// when checks the times of an output.
func (c *checker) when(n *node) {
	if a := n.attrs["schedule"]; a != nil && !n.bad("schedule") {
		if s, ok := a.value.(value.Schedule); ok && s != nil && len(s) == 0 {
			c.errorAt(n.at("schedule"), "with an empty schedule it never runs", "leave it out: then it always does; or write enabled = false")
		}
	}
	before, after := n.attrs["not_before"], n.attrs["not_after"]
	if before == nil || after == nil || n.bad("not_before") || n.bad("not_after") {
		return
	}
	from, ok := before.value.(time.Time)
	until, also := after.value.(time.Time)
	if ok && also && !until.After(from) {
		c.errorAt(n.at("not_after"), "not_after is not after not_before: it never runs", "write a later time")
	}
}

// recordLists checks the names of what lists recordings.
func (c *checker) recordLists(r *node) {
	if name, ok := r.attrs["index"]; ok && !r.bad("index") && name.value != nil {
		if s := fmt.Sprint(name.value); s == "" || s[0] == '.' || strings.ContainsAny(s, "/\x00") {
			c.errorAt(r.at("index"), "index is the name of a file in path", "write \"recordings.json\"")
		}
	}
	list, ok := r.attrs["playlist"]
	if !ok || r.bad("playlist") || list.value == nil {
		return
	}
	s := fmt.Sprint(list.value)
	bad := !strings.HasSuffix(s, ".m3u8") || len(s) == len(".m3u8")
	for part := range strings.SplitSeq(s, "/") {
		bad = bad || part == "" || part[0] == '.' || strings.IndexByte(part, 0) >= 0
	}
	if bad {
		c.errorAt(r.at("playlist"), "playlist is the name of a playlist in path", "write \"$name.m3u8\"")
	}
	if format := r.attrs["format"]; format == nil || format.value != "ts" {
		c.errorAt(r.at("playlist"), "playlist needs format = \"ts\"", "files of the other formats are no segments of HLS")
	}
}

// recordNames checks what a record block makes file names of.
func (c *checker) recordNames(r *node) {
	const parts = "no part of a file's name may begin with a dot, be empty or hold a NUL"
	for _, name := range []string{"suffix", "filename"} {
		if !r.said(name) || r.bad(name) {
			continue
		}
		s := fmt.Sprint(r.attrs[name].value)
		if name == "suffix" {
			s = "x" + s
		}
		for part := range strings.SplitSeq(s, "/") {
			if part == "" || part[0] == '.' || strings.IndexByte(part, 0) >= 0 {
				c.errorAt(r.at(name), name+" makes a bad name for a file", parts)
				break
			}
		}
	}
	if !r.said("filename") {
		return
	}
	for _, name := range []string{"suffix", "unique"} {
		if r.said(name) {
			c.errorAt(r.at(name), name+" is not used with filename", "filename is the whole name: say it there ($unix, $datetime)")
		}
	}
}

func (c *checker) hls(n *node, app *Application, h *HLS) {
	if h.Path != "" {
		c.claim(app.Name, h.Path, false, n.at("path"))
	}
	if h.MaxFragment == 0 {
		h.MaxFragment = 3 * h.Fragment
	} else if h.MaxFragment < h.Fragment {
		c.errorAt(n.at("max_fragment"), "max_fragment is shorter than fragment", "it is at least "+value.FormatDuration(h.Fragment))
	}
	if h.PlaylistLength < h.Fragment && !n.bad("fragment") && !n.bad("playlist_length") {
		at := n.at("fragment")
		if n.said("playlist_length") {
			at = n.at("playlist_length")
		}
		c.errorAt(at, "playlist_length is shorter than a fragment", fmt.Sprintf("fragment is %s, playlist_length %s: a playlist needs room for some fragments", value.FormatDuration(h.Fragment), value.FormatDuration(h.PlaylistLength)))
	}
	if h.DVR > 0 && h.DVR < h.PlaylistLength && !n.bad("dvr") && !n.bad("playlist_length") {
		c.errorAt(n.at("dvr"), "dvr is shorter than playlist_length", "it is how far viewers can go back: "+value.FormatDuration(h.PlaylistLength)+" at least")
	}
	if h.LowLatency && h.Format != "fmp4" {
		c.errorAt(n.at("low_latency"), "low_latency needs format = \"fmp4\"", "players take low-latency HLS in that format only")
	}
	if k := n.one("keys"); k != nil && h.LowLatency {
		c.errorAt(k.at("path"), "low_latency and keys do not go together", "parts of a fragment are not encrypted")
	}
	if h.LowLatency && h.Part > h.Fragment {
		c.errorAt(n.at("part"), "part is longer than fragment", "it is some 200ms")
	}
	for _, v := range n.all("variant") {
		if suffix := v.labels[0]; value.ValidStreamName("x"+suffix) != nil {
			c.errorAt(v.rng, fmt.Sprintf("%q can't end a stream's name", suffix), "letters, digits and ._+~@=-")
		}
	}
	if k := n.one("keys"); k != nil && h.Keys != nil && h.Keys.Path != "" {
		c.claim(app.Name, h.Keys.Path, true, k.at("path"))
		if value.Resolve(string(h.Keys.Path)) == value.Resolve(string(h.Path)) {
			c.errorAt(k.at("path"), "keys must not lie beside the fragments they encrypt", "a directory of their own is not served by root")
		}
	}
}

// keys checks an application's stream keys and reads its stream_keys_file.
func (c *checker) keys(n *node, app *Application) {
	seen := make(map[string]string) // hash of the secret, where it stands
	blocks := n.all("stream_key")
	for i := range app.StreamKeys {
		k, b := &app.StreamKeys[i], blocks[i]
		if k.Stream == "" && !b.said("stream") {
			k.Stream = k.Holder
		}
		if err := value.ValidStreamName(k.Stream); err != nil && !b.bad("stream") {
			c.errorAt(b.at("stream"), err.Error(), "viewers see this name: letters, digits and ._+~@=-")
		}
		if !k.NotBefore.IsZero() && !k.NotAfter.IsZero() && k.NotAfter.Before(k.NotBefore) {
			c.errorAt(b.at("not_after"), "not_after is before not_before", "this key would never be valid")
		}
		secret, hash := b.said("secret"), b.said("secret_sha256")
		switch {
		case secret && hash:
			c.errorAt(b.attrs["secret_sha256"].nameRng, "a key has secret or secret_sha256, not both", "keep one")
			continue
		case !secret && !hash:
			k.Generated = true
			continue
		case b.bad("secret") || b.bad("secret_sha256"):
			continue
		case secret:
			if err := value.ValidSecret(k.Secret.Reveal()); err != nil {
				c.errorAt(b.at("secret"), err.Error(), "")
				continue
			}
		}
		at := b.at("secret")
		if hash {
			at = b.at("secret_sha256")
		}
		if first, dup := claimSecret(seen, k, place(at)); dup {
			c.errorAt(at, "this secret is taken", "every key of an application has its own; the same one stands at "+first)
		}
	}
	if app.StreamKeysFile != "" {
		app.FileKeys = c.keysFile(string(app.StreamKeysFile), n.at("stream_keys_file"), seen)
	}
}

// claimSecret records where a secret is used and reports a duplicate.
func claimSecret(seen map[string]string, k *StreamKey, at string) (first string, taken bool) {
	sum := k.SHA256
	if k.Secret != "" {
		s := sha256.Sum256([]byte(k.Secret.Reveal()))
		sum = s[:]
	}
	id := hex.EncodeToString(sum)
	if first, taken = seen[id]; !taken {
		seen[id] = at
	}
	return first, taken
}

// roundsAbove reports whether a fragment of length b rounds above the target
// duration that a makes.
func roundsAbove(b, a time.Duration) bool {
	return math.Ceil(b.Seconds()) > math.Ceil(a.Seconds())
}
