package server

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

// A wayOut is one way to have a stream in one answer.
type wayOut struct {
	path   string
	socket bool
}

var tokenOutputs = []wayOut{{"/live/cam.flv", false}, {"/live/cam.ts", false}, {"/live/cam.mp4", false}, {"/live/cam.json", false}, {"/live/cam.flv", true}, {"/live/cam.ts", true}}

func (o wayOut) String() string {
	if o.socket {
		return o.path + " over a WebSocket"
	}
	return o.path
}

// An ending is how an answer ended.
type ending struct {
	wayOut
	got  int // bytes
	why  string
	at   time.Time
	fail error
}

// begin opens an output, of which the first bytes must come, and tells how it ends.
func (o wayOut) begin(w watcher, query string, ended chan<- ending) {
	w.rig.Helper()
	e := ending{wayOut: o}
	if !o.socket {
		resp := w.follow(w.rig.Context(), o.path+query)
		first := make([]byte, 1)
		if _, err := io.ReadFull(resp.Body, first); err != nil || resp.StatusCode != 200 {
			w.rig.Errorf("%s: %d (%v)", o, resp.StatusCode, err)
		}
		go func() {
			defer resp.Body.Close()
			n, err := io.Copy(io.Discard, resp.Body)
			e.got, e.fail, e.at = 1+int(n), err, time.Now()
			ended <- e
		}()
		return
	}
	nc, next := w.openSocket(o.path + query)
	if nc == nil {
		_, _, err := next()
		w.rig.Fatalf("%s: %v", o, err)
	}
	go func() {
		defer nc.Close()
		for {
			op, message, err := next()
			if err == nil && op != 8 {
				e.got += len(message)
				continue
			}
			if e.fail = err; err == nil && len(message) >= 2 && binary.BigEndian.Uint16(message) == 1008 {
				e.why = string(message[2:])
			}
			e.at = time.Now()
			ended <- e
			return
		}
	}()
}

// refusal is how an output is refused.
func (o wayOut) refusal(w watcher, query string) string {
	w.rig.Helper()
	if o.socket {
		nc, next := w.openSocket(o.path + query)
		if nc != nil {
			nc.Close()
			return "open"
		}
		_, _, err := next()
		return err.Error()
	}
	ctx, cancel := context.WithCancel(w.rig.Context())
	defer cancel()
	resp := w.follow(ctx, o.path+query)
	defer resp.Body.Close()
	return resp.Status
}

// A link opens the outputs of its stream, over HTTP and WebSockets, no other link does; and
// what it has opened ends with it: when its time and overtime are over, or its key is taken
// out.
func TestOutputsNeedATokenForAsLongAsTheyLast(t *testing.T) {
	t.Parallel()
	const old = "\n      key \"old\" {\n        secret = \"" + newTokenKey + "\"\n      }"
	block := `sessions {}
    tokens {
      key "new" {
        secret = "` + tokenKey + `"
      }` + old + `
      overtime = 0
    }
    handover_grace = 0`
	r := start(t, watched(block))
	p := r.witness("live", "cam")
	w := r.watcher("198.51.100.1")
	token := func(secret, app, stream string, lasts time.Duration) string {
		return "?token=" + signed(t, "", secret, viewtoken.Claims{App: app, Streams: []string{stream}, Expires: time.Now().Add(lasts)})
	}
	good := token(tokenKey, "live", "cam", time.Hour)
	for _, o := range tokenOutputs {
		for what, query := range map[string]string{
			"no link":                 "",
			"an expired one":          token(tokenKey, "live", "cam", -time.Second),
			"one of another stream":   token(tokenKey, "live", "cam2", time.Hour),
			"of another application":  token(tokenKey, "show", "cam", time.Hour),
			"signed by somebody":      token("a key of somebody, with 32 bytes", "live", "cam", time.Hour),
			"with a wrong signature":  good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 43),
			"two different ones":      good + "&" + token(tokenKey, "live", "cam2", time.Hour)[1:],
			"one that is not for now": "?token=" + signed(t, "", tokenKey, viewtoken.Claims{App: "live", Streams: []string{"cam"}, NotBefore: time.Now().Add(time.Hour), Expires: time.Now().Add(2 * time.Hour)}),
		} {
			if got := o.refusal(r.watcher("198.51.100.9"), query); got != "403 Forbidden" {
				t.Errorf("%s with %s: %q", o, what, got)
			}
		}
	}
	if n := r.counts("cam")[0]; n != 0 {
		t.Errorf("%d viewers, though none was let in", n)
	}

	lasting, revoked, short := make(chan ending, len(tokenOutputs)), make(chan ending, len(tokenOutputs)), make(chan ending, len(tokenOutputs))
	stays := token(newTokenKey, "live", "cam", time.Hour)
	until := time.Now().Add(8 * time.Second) // all begin meanwhile, also beside much else
	brief := "?token=" + signed(t, "", tokenKey, viewtoken.Claims{App: "live", Streams: []string{"cam"}, Expires: until})
	for _, o := range tokenOutputs {
		o.begin(r.watcher("198.51.100.3"), brief, short)
	}
	for _, o := range tokenOutputs {
		o.begin(w, good, lasting)
		o.begin(r.watcher("198.51.100.2"), stays, revoked)
	}
	const needsLink = "this stream needs a valid link: ask whoever gave you this one for a new one"
	over := func(all <-chan ending, when, why string) (at time.Time) {
		t.Helper()
		for range tokenOutputs {
			e := <-all
			if e.fail != nil && !errors.Is(e.fail, net.ErrClosed) || e.got == 0 || e.socket && e.why != why {
				t.Errorf("%s, %s: %d bytes, %q (%v)", e, when, e.got, e.why, e.fail)
			}
			if at.IsZero() || e.at.Before(at) {
				at = e.at
			}
		}
		return at
	}
	if first := over(short, "at its time", needsLink); first.Before(until.Truncate(time.Second)) {
		t.Errorf("ended %s before the link", until.Sub(first))
	}
	if n := len(lasting) + len(revoked); n > 0 {
		t.Errorf("%d that have another link ended with it", n)
	}
	for _, o := range tokenOutputs {
		if got := o.refusal(r.watcher("198.51.100.3"), brief); got != "403 Forbidden" {
			t.Errorf("%s after that: %q", o, got)
		}
	}
	r.reload(watched(strings.Replace(block, old, "", 1)))
	over(revoked, "when the key is gone", needsLink)
	if n := len(lasting); n > 0 {
		t.Errorf("%d that have a link of the other key ended with it", n)
	}
	p.undisturbed()
	if err := p.Unpublish(); err != nil {
		t.Error(err)
	}
	over(lasting, "with the stream", "")
}
