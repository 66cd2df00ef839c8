package interop

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A hookScenario is one thing that happens to two servers that are set up alike.
// The script must be asked the same, in the same words and order, and the
// clients must fare the same. What is deliberately otherwise stands in only,
// calls and outcomes, with why: each of these is in docs/nginx-rtmp.md.
type hookScenario struct {
	name  string
	nginx string // in the server block
	hcl   string // in the rtmp block
	reply func(hookCall) reply
	drive func(s *side) (outcomes []string)

	method   string // rtmpd's for on_connect, where nginx-rtmp's is another
	calls    string // what nginx-rtmp asks, in order
	own      string // what rtmpd asks, where that is another story
	outcomes string // how rtmpd's clients fare, where that is another story
	why      string
}

// fieldDifferences are the deliberate ones, in any call.
//
//  1. The client's own arguments come first, not last, so that they can't
//     override a field where the last one wins; those with the name of a field,
//     key and stream are left out; their unsafe bytes are encoded.
//
//  2. After a rename the later calls have stream, the public name, as their last.
//
//  3. flashver is not cut after 31 bytes, tcurl, swfurl and pageurl not after 255.
//
//  4. epoch counts from rtmpd's start, clientid rtmpd's own connections.
//
//  5. HTTP/1.1 with keep-alive (HTTP/2 over TLS), User-Agent: rtmpd.
//
//  6. notify_method counts for the block it stands in; nginx-rtmp calls on_connect
//     with that of the application that was read last.
//
//  7. A GET to a URL with a query goes on with &, not with a second ?.
//
// And in what is asked and how clients fare:
//
//  8. The good-byes of a session are made one after the other, publish_done or
//     play_done, done, disconnect, and again if the hook is down.
//  9. on_disconnect is told of whom on_connect let in; nginx-rtmp tells of every
//     connection, and of those others with empty fields.
//
// 10. Who is refused is told why with an onStatus; nginx-rtmp hangs up.
func compareFields(t *testing.T, theirs, ours hookCall) {
	t.Helper()
	call := theirs.call()
	if ours.method != theirs.method || ours.path != theirs.path || ours.query != theirs.query {
		t.Errorf("%s: rtmpd asks %s %s, nginx-rtmp %s %s", call, ours.method, ours.path, theirs.method, theirs.path)
	}
	// Tests begin their arguments with tok; rtmpd's fields begin with app.
	theirFields, theirArgs := theirs.cut(slices.Index(theirs.names, "tok"))
	ourArgs, ourFields := ours.cut(slices.Index(ours.names, "app"))
	if n := len(ourFields.names) - 1; n > 0 && ourFields.names[n] == "stream" && call != "publish" && call != "play" {
		ourFields.names, ourFields.values = ourFields.names[:n], ourFields.values[:n]
	}
	if !slices.Equal(ourFields.names, theirFields.names) {
		t.Errorf("%s: rtmpd's fields are\n%q, nginx-rtmp's\n%q", call, ourFields.names, theirFields.names)
		return
	}
	for i, name := range theirFields.names {
		mine, his := ourFields.values[i], theirFields.values[i]
		plain, _ := url.QueryUnescape(his)
		switch name {
		case "epoch", "clientid", "timestamp":
			if strings.Trim(mine, "0123456789") != "" || mine == "" {
				t.Errorf("%s: %s is %q, want a number", call, name, mine)
			}
		case "time": // whole seconds since the session began; a busy machine is late with either
			m, mineErr := strconv.Atoi(mine)
			h, hisErr := strconv.Atoi(his)
			if mineErr != nil || hisErr != nil || max(m, h)-min(m, h) > 5 {
				t.Errorf("%s: time is %q, nginx-rtmp's %q", call, mine, his)
			}
		case "flashver", "swfurl", "tcurl", "pageurl":
			limit := 255
			if name == "flashver" {
				limit = 31
			}
			if mine != his && (len(plain) != limit || !strings.HasPrefix(mine, his)) {
				t.Errorf("%s: %s is %q, nginx-rtmp's %q", call, name, mine, his)
			}
		default:
			if mine != his {
				t.Errorf("%s: %s is %q, nginx-rtmp's %q", call, name, mine, his)
			}
		}
	}
	var want, got []string
	for i, name := range theirArgs.names {
		if !slices.Contains(fieldsOf(call), name) && name != "key" && name != "stream" && name != "" {
			want = append(want, decoded(name)+"="+decoded(theirArgs.values[i]))
		}
	}
	for i, name := range ourArgs.names {
		got = append(got, decoded(name)+"="+decoded(ourArgs.values[i]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: rtmpd's arguments are %q, nginx-rtmp's %q", call, got, want)
	}
}

// cut takes a call apart before its i-th field; -1 is its end.
func (c *hookCall) cut(i int) (a, b hookCall) {
	if i < 0 {
		i = len(c.names)
	}
	return hookCall{names: c.names[:i], values: c.values[:i]}, hookCall{names: c.names[i:], values: c.values[i:]}
}

func decoded(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// fieldsOf are the names of a call's fields in nginx-rtmp.
func fieldsOf(call string) []string {
	fields := []string{"app", "flashver", "swfurl", "tcurl", "pageurl", "addr", "clientid", "call"}
	switch call {
	case "connect":
		return append(fields, "epoch")
	case "publish":
		return append(fields, "name", "type")
	case "play":
		return append(fields, "name", "start", "duration", "reset")
	case "update_publish", "update_play":
		return append(fields, "time", "timestamp", "name")
	case "disconnect":
		return fields
	case "record_done":
		return append(fields, "recorder", "name", "path")
	}
	return append(fields, "name")
}

func callNames(calls []hookCall) string {
	var out []string
	for _, c := range calls {
		out = append(out, c.call())
	}
	return strings.Join(out, " ")
}

func TestHooksAreAskedAsNginxRTMPAsksThem(t *testing.T) {
	t.Parallel()
	beside := together(t)
	defer beside.Wait()
	for _, sc := range hookScenarios() {
		beside.Run(sc.name, func(t *testing.T) {
			nginx, rtmpd := startNginx(t, sc.nginx, sc.reply), startHooked(t, sc.hcl, sc.reply)
			theirs, their := runScenario(nginx, sc, sc.calls)
			own := sc.calls
			if sc.own != "" {
				own = strings.TrimSpace(sc.own)
			}
			ours, our := runScenario(rtmpd, sc, own)
			if (sc.own != "" || sc.outcomes != "") && sc.why == "" {
				t.Error("a difference without a reason")
			}
			want := their
			if sc.outcomes != "" {
				want = sc.outcomes
				if want == their {
					t.Errorf("both fare %q: there is no difference", their)
				}
			}
			if our != want {
				t.Errorf("rtmpd's clients fare %q, want %q; nginx-rtmp's %q", our, want, their)
			}
			for _, c := range ours {
				d := counterpart(c, theirs)
				if sc.method != "" && c.call() == "connect" {
					if d.method == sc.method {
						t.Errorf("nginx-rtmp uses %s, too: there is no difference", d.method)
					}
					d.method = sc.method // difference 6
				}
				compareFields(t, d, c)
			}
			if t.Failed() {
				t.Logf("nginx-rtmp: %v\n%s", nginx.script.seen(), tail(nginx.log(), 30))
				t.Logf("rtmpd: %v\n%s", rtmpd.script.seen(), tail(rtmpd.log(), 30))
			}
		})
	}
}

// counterpart is the call of theirs that c is: with two sessions at a time, the
// one of the same client.
func counterpart(c hookCall, theirs []hookCall) (d hookCall) {
	for _, o := range slices.Backward(theirs) {
		if o.call() == c.call() && o.get("name") == c.get("name") && o.get("recorder") == c.get("recorder") && (d.names == nil || o.get("pageurl") == c.get("pageurl")) {
			d = o
		}
	}
	return d
}

// runScenario plays sc on one side until the script has been asked want.
func runScenario(s *side, sc hookScenario, want string) (calls []hookCall, outcomes string) {
	s.t.Helper()
	outcomes = strings.Join(sc.drive(s), ", ")
	var got string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		calls = s.script.story()
		if got = callNames(calls); got == want || time.Now().After(deadline) {
			break
		}
	}
	time.Sleep(200 * time.Millisecond) // one call too many would come now
	if calls = s.script.story(); callNames(calls) != want {
		s.t.Errorf("%s asks %q, want %q", s.name(), callNames(calls), want)
	}
	return calls, outcomes
}

// answering makes a reply to one kind of call.
func answering(call string, a reply) func(hookCall) reply {
	return func(c hookCall) reply {
		if c.call() == call {
			return a
		}
		return reply{}
	}
}
