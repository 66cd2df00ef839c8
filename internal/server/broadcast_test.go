package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// follow opens an answer that goes on, which the caller closes.
func (w watcher) follow(ctx context.Context, path string) *http.Response {
	w.rig.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", w.rig.web()+path, nil)
	if err != nil {
		w.rig.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", w.addr)
	req.Header.Set("User-Agent", w.agent)
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.rig.Fatal(err)
	}
	return resp
}

// tagsOf counts the tags of an FLV stream until it ends; the error is io.EOF after a whole
// one.
func tagsOf(r io.Reader) (n int, err error) {
	f, err := flv.NewReader(bufio.NewReader(r))
	if err != nil {
		return 0, err
	}
	for {
		if _, err := f.Next(); err != nil {
			return n, err
		}
		n++
	}
}

// Every output is there with the stream, begins as its format does, and ends with the
// stream.
func TestAStreamIsOneAnswer(t *testing.T) {
	t.Parallel()
	r := start(t, watched(`handover_grace = "0s"`))
	p := r.publish("live", "cam")
	p.seconds(2.5)
	type followed struct {
		ext  string
		body *http.Response
	}
	var all []followed
	for ext, c := range map[string]struct{ ctype, begins string }{
		".flv":  {"video/x-flv", "FLV\x01\x05"},
		".ts":   {"video/mp2t", "\x47\x40\x00"},
		".mp4":  {"video/mp4", "\x00\x00\x00\x20ftyp"},
		".mkv":  {"video/x-matroska", "\x1a\x45\xdf\xa3"},
		".aac":  {"audio/aac", "\xff\xf1"},
		".json": {"application/x-ndjson; charset=utf-8", `{"time":`},
	} {
		resp := r.watcher("203.0.113.7").follow(t.Context(), "/live/cam"+ext)
		head := make([]byte, len(c.begins))
		if _, err := io.ReadFull(resp.Body, head); err != nil || resp.StatusCode != 200 || string(head) != c.begins {
			t.Errorf("%s: %d, %q (%v), want %q", ext, resp.StatusCode, head, err, c.begins)
		}
		if got := resp.Header.Get("Content-Type"); got != c.ctype {
			t.Errorf("%s is %s", ext, got)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Accept-Ranges": "none", "Access-Control-Allow-Origin": "*", "Content-Disposition": ""} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", ext, name, got, want)
			}
		}
		all = append(all, followed{ext, resp})
	}
	r.eventually("a viewer is counted once, whatever it watches", func() bool { return r.counts("cam") == [3]int{1, 1, 1} })
	for _, path := range []string{"/live/cam.mp3", "/live/cam.webm"} {
		r.watcher("203.0.113.8").gets(path, 415, "has no place for the")
	}
	r.counted("cam", 1, 1, 1)
	r.watcher("203.0.113.8").gets("/live/none.flv", 404, "")
	r.watcher("203.0.113.8").gets("/live/sub/cam.flv", 404, "")
	if head := r.watcher("203.0.113.8").ask("HEAD", "/live/cam.mp4"); head.status != 200 || head.header.Get("Content-Type") != "video/mp4" || head.header.Get("Content-Length") != "" {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	p.seconds(1)
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if _, err := io.Copy(io.Discard, f.body.Body); err != nil {
			t.Errorf("%s ends with %v", f.ext, err)
		}
		_ = f.body.Body.Close()
	}
}

// A file of that name is served as before, and dl names what a browser saves.
func TestAFileComesBeforeTheStream(t *testing.T) {
	t.Parallel()
	r := start(t, watched(""))
	p := r.publish("live", "cam")
	p.seconds(2.5)
	w := r.watcher("203.0.113.7")
	if err := os.WriteFile(filepath.Join(r.dir, "www/live/cam.mkv"), []byte("a film"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := w.gets("/live/cam.mkv", 200, "a film"); got.header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("the file: %v", got.header)
	}
	for query, want := range map[string]string{
		"?dl=show": `attachment; filename=show.flv`, "?dl=show.FLV": `attachment; filename=show.FLV`, "?dl=": `attachment; filename=cam.flv`, "?dl=1": `attachment; filename=cam.flv`,
		"?dl=../../a%0d%0ab": `attachment; filename=_.._a__b.flv`, "?dl=" + url.QueryEscape("größe"): `attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.flv`,
		"?dl=" + strings.Repeat("x", 300): `attachment; filename=cam.flv`,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		resp := w.follow(ctx, "/live/cam.flv"+query)
		if got := resp.Header.Get("Content-Disposition"); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		cancel()
		_ = resp.Body.Close()
	}
	r.eventually("nobody reads", func() bool { return r.app("live").Stream("cam").Live().Snapshot().Cursors == 1 })
}

// Fragments that are encrypted are not to be had in the clear.
func TestNoOutputOfWhatIsEncrypted(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(watched(""), "hls {", "hls {\nkeys {\npath = \"$DIR/keys\"\n}", 1))
	p := r.publish("live", "cam")
	p.seconds(2.5)
	r.watcher("203.0.113.7").gets("/live/cam.flv", 404, "")
	r.watcher("203.0.113.7").gets("/live/cam.mp4", 404, "")
}

// Who may not have the playlist does not get the stream, and who may no longer is cut off.
func TestAnOutputNeedsTheAccessOfItsPlaylist(t *testing.T) {
	t.Parallel()
	h := newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "play" && form.Get("pass") == "" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	r := start(t, strings.ReplaceAll(watched(`on_play = "$HOOK/play"
    on_play_done = "$HOOK/done"
    sessions {
      identify = ["stream", "address", "token"]
      timeout  = "3s"
    }`), "$HOOK", h.url))
	h.rig = r
	p := r.publish("live", "cam")
	p.seconds(2.5)
	r.watcher("203.0.113.7").gets("/live/cam.flv", 403, "refused by on_play")
	resp := r.watcher("203.0.113.8").follow(t.Context(), "/live/cam.flv?pass=1")
	defer resp.Body.Close()
	if call := h.last("play"); call.Get("name") != "cam" || call.Get("pass") != "1" {
		t.Errorf("on_play is asked about %v", call)
	}
	var protocols []string
	r.eventually("there is a session", func() bool {
		all := r.srv.origin.Sessions(origin.SessionFilter{Stream: "cam"})
		if len(all) == 1 {
			protocols = all[0].Protocols
		}
		return len(all) == 1 && all[0].Sent > 0
	})
	if strings.Join(protocols, " ") != "FLV" {
		t.Errorf("it watches by %v", protocols)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := tagsOf(resp.Body)
		ended <- err
	}()
	if n := r.srv.origin.StopSessions(origin.SessionFilter{Stream: "cam"}); n != 1 {
		t.Errorf("%d sessions stopped", n)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("it ends with %v", err)
	}
}

// A location's own access counts, and its protection.
func TestAnOutputNeedsTheAccessOfItsLocation(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(watched(""), `root = "$DIR/www"`, "root = \"$DIR/www\"\naccess = [\"allow 203.0.113.0/24\", \"deny all\"]\ntoken = \"a-token-of-the-location\"", 1))
	p := r.publish("live", "cam")
	p.seconds(2.5)
	r.watcher("198.51.100.7").gets("/live/cam.flv", 403, "")
	w := r.watcher("203.0.113.7")
	w.gets("/live/cam.flv", 401, "")
	w.bearer = "a-token-of-the-location"
	if got := w.ask("HEAD", "/live/cam.flv"); got.status != 200 {
		t.Errorf("with the token: %d", got.status)
	}
}

// A reload that changes nothing for a viewer keeps it; one that changes its location ends
// it, as the server's stop does.
func TestAReloadKeepsViewersOfOutputs(t *testing.T) {
	t.Parallel()
	hcl := watched("")
	r := start(t, hcl)
	p := r.publish("live", "cam")
	p.seconds(2.5)
	resp := r.watcher("203.0.113.7").follow(t.Context(), "/live/cam.flv")
	defer resp.Body.Close()
	f, err := flv.NewReader(bufio.NewReader(resp.Body))
	if err != nil {
		t.Fatal(err)
	}
	next := func() error { _, err := f.Next(); return err }
	for range 10 {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	r.reload(strings.Replace(hcl, `location "/live" {`, "location \"/more\" {\nhealth {}\n}\nlocation \"/live\" {", 1))
	read := make(chan error, 1)
	go func() {
		for range 400 {
			if err := next(); err != nil {
				read <- err
				return
			}
		}
		read <- nil
	}()
	p.seconds(6)
	if err := <-read; err != nil {
		t.Fatalf("after a reload: %v", err)
	}
	r.reload(strings.Replace(hcl, `root = "$DIR/www"`, "root = \"$DIR/www\"\naccess = [\"deny 203.0.113.7\", \"allow all\"]", 1))
	for err == nil {
		err = next()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("after a change of the location: %v", err)
	}
	other := r.watcher("203.0.113.8").follow(t.Context(), "/live/cam.flv")
	defer other.Body.Close()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := tagsOf(other.Body); !errors.Is(err, io.EOF) {
		t.Errorf("at the stop: %v", err)
	}
}

// openSocket opens a WebSocket and returns a reader of its messages: one by one, with
// their opcodes.
func (w watcher) openSocket(path string, headers ...string) (net.Conn, func() (op byte, message []byte, err error)) {
	w.rig.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(w.rig.web(), "http://"))
	if err != nil {
		w.rig.Fatal(err)
	}
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n",
		path, w.addr, base64.StdEncoding.EncodeToString(key), strings.Join(headers, ""))
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		w.rig.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = nc.Close()
		return nil, func() (byte, []byte, error) { return 0, nil, errors.New(resp.Status) }
	}
	return nc, func() (op byte, message []byte, err error) {
		var head [8]byte
		if _, err := io.ReadFull(br, head[:2]); err != nil {
			return 0, nil, err
		}
		op, n := head[0]&0xf, uint64(head[1])
		switch n {
		case 126:
			_, err = io.ReadFull(br, head[:2])
			n = uint64(binary.BigEndian.Uint16(head[:2]))
		case 127:
			_, err = io.ReadFull(br, head[:8])
			n = binary.BigEndian.Uint64(head[:8])
		}
		if err != nil || n > 1<<24 {
			return op, nil, fmt.Errorf("a frame of %d bytes: %w", n, err)
		}
		message = make([]byte, n)
		_, err = io.ReadFull(br, message)
		return op, message, err
	}
}

// FLV over a WebSocket is the same bytes as over HTTP, in binary messages; it ends with a
// close. Events are texts.
func TestAStreamOverAWebSocket(t *testing.T) {
	t.Parallel()
	r := start(t, watched(""))
	p := r.publish("live", "cam")
	p.seconds(2.5)
	w := r.watcher("203.0.113.7")
	nc, next := w.openSocket("/live/cam.flv")
	defer nc.Close()
	var media bytes.Buffer
	var closed []byte
	done := make(chan error, 1)
	go func() {
		for {
			op, message, err := next()
			switch {
			case err != nil:
				done <- err
				return
			case op == 2:
				media.Write(message)
			case op == 8:
				closed = message
				done <- nil
				return
			}
		}
	}()
	events, nextEvent := w.openSocket("/live/cam.json")
	defer events.Close()
	op, text, err := nextEvent()
	if err != nil || op != 1 || !bytes.HasPrefix(text, []byte(`{"time":`)) || !bytes.HasSuffix(text, []byte("}")) {
		t.Errorf("the first event: %d %q (%v)", op, text, err)
	}
	r.eventually("one viewer", func() bool { return r.counts("cam")[0] == 1 })
	p.seconds(1)
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if string(closed) != "\x03\xe8the stream has ended" {
		t.Errorf("closed with %q", closed)
	}
	if n, err := tagsOf(&media); n < 100 || !errors.Is(err, io.EOF) {
		t.Errorf("%d tags (%v)", n, err)
	}
	if c, ask := w.openSocket("/live/none.flv"); c != nil {
		t.Error("a stream that is not there")
	} else if _, _, err := ask(); !strings.HasPrefix(err.Error(), "404") {
		t.Error(err)
	}
}

// A page of another site gets the stream over a WebSocket where cors_origins names it.
func TestAStreamOverAWebSocketForOtherSites(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(watched(""), `root = "$DIR/www"`, "root = \"$DIR/www\"\ncors_origins = [\"https://one.example\"]", 1))
	p := r.publish("live", "cam")
	p.seconds(2.5)
	w := r.watcher("203.0.113.7")
	nc, _ := w.openSocket("/live/cam.flv", "Origin: https://one.example\r\n")
	if nc == nil {
		t.Fatal("the site that may is refused")
	}
	_ = nc.Close()
	if c, ask := w.openSocket("/live/cam.flv", "Origin: https://two.example\r\n", "Sec-Fetch-Site: cross-site\r\n"); c != nil {
		t.Error("another site gets it")
		_ = c.Close()
	} else if _, _, err := ask(); !strings.HasPrefix(err.Error(), "403") {
		t.Error(err)
	}
	r.eventually("both have ended", func() bool { return r.app("live").Stream("cam").Live().Snapshot().Cursors == 1 })
}
