package config

import (
	"fmt"

	"github.com/rtmpd/rtmpd/config/value"
)

// dash checks a dash block.
func (c *checker) dash(n *node, app *Application, d *DASH) {
	c.claim(app.Name, d.Path, false, n.at("path"))
	if app.OneSetOfSegments() {
		c.sharedDASH(n, app.HLS, d)
	}
	if d.PlaylistLength < d.Fragment && !n.bad("fragment") {
		c.errorAt(n.at("playlist_length"), "playlist_length is shorter than a fragment", "it is at least "+value.FormatDuration(d.Fragment))
	}
	if d.Clock == "ntp" && d.ClockURI == "" && !n.said("clock_uri") {
		c.errorAt(n.at("clock"), "this clock needs clock_uri", "write the name of an NTP server; with http_iso players ask rtmpd")
	}
}

// sharedDASH takes what hls and dash can't say differently from hls: they name the same
// files.
func (c *checker) sharedDASH(n *node, h *HLS, d *DASH) {
	for _, a := range [...]struct {
		name string
		same bool
		want string
	}{
		{"fragment", d.Fragment == h.Fragment, value.FormatDuration(h.Fragment)},
		{"playlist_length", d.PlaylistLength == h.PlaylistLength, value.FormatDuration(h.PlaylistLength)},
		{"nested", d.Nested == h.Nested, fmt.Sprint(h.Nested)},
		{"cleanup", d.Cleanup == h.Cleanup, fmt.Sprint(h.Cleanup)},
	} {
		if !a.same && n.said(a.name) && !n.bad(a.name) {
			c.errorAt(n.at(a.name), fmt.Sprintf("hls names the same fragments, and has %s = %s", a.name, a.want), "leave it out here, or give dash a path of its own")
		}
	}
	d.Fragment, d.PlaylistLength, d.Nested, d.Cleanup = h.Fragment, h.PlaylistLength, h.Nested, h.Cleanup
	if h.Keys != nil {
		c.errorAt(n.at("path"), "hls encrypts these fragments", "players of DASH can't decrypt AES-128: give dash a path of its own, or leave out keys")
	}
}
