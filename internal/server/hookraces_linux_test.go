package server

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAReloadWhileTheHookIsAsked: a key that is taken away meanwhile lets nobody in.
func TestAReloadWhileTheHookIsAsked(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	r, h := startHooked(t, allHooks+`stream_key "cam" { secret = "the-first-secret" }`, func(form url.Values, _ http.ResponseWriter, _ *http.Request) {
		if c := form.Get("call"); c == "publish" || c == "play" {
			asked <- struct{}{}
			<-answer
		}
	})
	refused := make(chan error, 1)
	go func() {
		_, err := r.tryPublish("live", "the-first-secret", dialling{})
		refused <- err
	}()
	<-asked
	s := r.spectate("live", "cam", dialling{})
	<-asked
	r.reload(hooked(h, allHooks+`stream_key "cam" { secret = "the-second-secret" }
    access { play = ["deny all"] }`))
	close(answer)
	if err := <-refused; err == nil || !strings.Contains(err.Error(), "not valid any more") {
		t.Errorf("the publisher gets %v", err)
	}
	if st := s.told(); !strings.Contains(st.Description, "not allowed any more") {
		t.Errorf("the player is told %+v", st)
	}
	r.eventually("good-byes, for the hook had agreed", func() bool { return h.last("publish_done") != nil && h.last("play_done") != nil })
	r.logged("play started", "cam")
	r.logged("play stopped", "cam")
}

// tcpFinWait2 is the state of that name (include/net/tcp_states.h).
const tcpFinWait2 = 5

// TestAClientThatLeavesWhileTheHookIsAsked: the answer is of no use, and must not
// take the stream from its publisher.
func TestAClientThatLeavesWhileTheHookIsAsked(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	r, h := startHooked(t, allHooks+`on_conflict = "replace"`, func(form url.Values, _ http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "publish" && form.Get("late") == "1" {
			asked <- struct{}{}
			<-answer
		}
	})
	first := r.publish("live", "cam")
	second := r.mustDial("live", dialling{})
	for _, err := range []error{
		second.WriteCommand(0, "createStream", 2, nil), second.WriteCommand(1, "publish", 3, nil, "cam?late=1", "live"),
		second.WriteMessage(card().frames[0]), second.Flush(), // what lies unread hides no good-bye
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	<-asked
	// The server's kernel has acknowledged the end: its socket has heard of it.
	raw, err := second.NetConn().(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := second.NetConn().(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the end is acknowledged", func() bool {
		var state uint8
		_ = raw.Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				state = info.State
			}
		})
		return state == tcpFinWait2
	})
	close(answer)
	r.eventually("good-byes, for the hook had agreed", func() bool { return h.last("disconnect") != nil })
	first.seconds(0.5)
	if !first.alive() || r.unpublished("live", "cam") {
		t.Error("the publisher lost its stream to a client that is gone")
	}
	if f := h.last("publish_done"); f == nil || f.Get("late") != "1" {
		t.Errorf("publish_done is called with %v", f)
	}
}

func TestAHookThatHangsHoldsUpNobodyElse(t *testing.T) {
	hang := make(chan struct{})
	r, _ := startHooked(t, allHooks+`notify_timeout = "1s"`, func(form url.Values, _ http.ResponseWriter, _ *http.Request) {
		if form.Get("name") == "stuck" {
			<-hang
		}
	})
	defer close(hang)
	type result struct {
		err  error
		took time.Duration
	}
	stuck := make(chan result, 1)
	go func() {
		from := time.Now()
		_, err := r.tryPublish("live", "stuck", dialling{})
		stuck <- result{err, time.Since(from)}
	}()
	for i := range 20 {
		c := r.publish("live", fmt.Sprintf("cam%d", i))
		c.seconds(0.2)
	}
	got := <-stuck
	if got.err == nil || !strings.Contains(got.err.Error(), "on_publish gave no answer in time") || got.took < time.Second || got.took > patience/2 {
		t.Errorf("the stuck one gets %v after %s", got.err, got.took)
	}
}

// TestWhoIsReplacedIsSaidGoodBye: one publisher takes over from another.
func TestWhoIsReplacedIsSaidGoodBye(t *testing.T) {
	r, h := startHooked(t, allHooks+`on_conflict = "replace"`, nil)
	old := r.publish("live", "cam?n=1")
	r.publish("live", "cam?n=2")
	old.ended()
	r.eventually("publish_done", func() bool { return h.last("publish_done") != nil })
	if f := h.last("publish_done"); f.Get("n") != "1" {
		t.Errorf("publish_done is called with %v", f)
	}
}

// TestANameThatIsTakenWhileTheHookIsAsked: two ask for the same name, and the
// hook agrees to both. Only one can have it; the other is said good-bye.
func TestANameThatIsTakenWhileTheHookIsAsked(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	r, h := startHooked(t, allHooks+`on_conflict = "reject"`, func(form url.Values, _ http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "publish" {
			both.Done()
			both.Wait()
		}
	})
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := r.tryPublish("live", "cam", dialling{})
			errs <- err
		}()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Errorf("the two get %v and %v", a, b)
	}
	r.eventually("publish_done of the other", func() bool { return h.last("publish_done") != nil })
}

func TestGoodByesAtAStop(t *testing.T) {
	r, h := startHooked(t, allHooks+`on_playlist = "$HOOK/playlist"
    hls { path = "$DIR/hls" }`, nil)
	for i := range 30 {
		name := fmt.Sprintf("cam%d", i)
		c := r.publish("live", name)
		c.seconds(0.5)
		r.eventually("its media", func() bool { return r.packets("live", name) == int(c.sent.Load()) })
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, call := range h.seen() {
		kind, _, _ := strings.Cut(call, ":")
		counts[kind]++
	}
	for _, kind := range []string{"publish_done", "done", "disconnect", "playlist"} {
		if counts[kind] != 30 {
			t.Errorf("%d of 30 calls of %s before the server has stopped", counts[kind], kind)
		}
	}
}
