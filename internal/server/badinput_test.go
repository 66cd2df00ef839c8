package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// chunk is one type 0 chunk that claims a message of length bytes, whatever
// data is.
//
//	fmt(2)=0 csid | timestamp 3 | length 3 | type 1 | stream id 4 | data
func chunk(csid uint32, t rtmp.MessageType, length int, data []byte) []byte {
	var b []byte
	switch {
	case csid < 64:
		b = []byte{byte(csid)}
	case csid < 320:
		b = []byte{0, byte(csid - 64)}
	default:
		b = []byte{1, byte(csid - 64), byte((csid - 64) >> 8)}
	}
	b = append(b, 0, 0, 0, byte(length>>16), byte(length>>8), byte(length), byte(t), 0, 0, 0, 0)
	return append(b, data...)
}

// whole is a message in chunks of 128 bytes, as before any SetChunkSize.
func whole(csid uint32, t rtmp.MessageType, payload []byte) []byte {
	return rtmp.AppendMessage(nil, rtmp.Message{Type: t, ChunkStreamID: csid, Payload: payload}, 128)
}

func uint32Message(t rtmp.MessageType, n uint32) []byte {
	return whole(2, t, binary.BigEndian.AppendUint32(nil, n))
}

func commandBytes(name string, rest ...byte) []byte {
	return append(amf.Append(amf.Append(nil, name), 1.0), rest...)
}

// nested is AMF0 objects within each other, n bytes of them:
// each is marker 3, a property name of length 1.
func nested(n int) []byte { return bytes.Repeat([]byte{3, 0, 1, 'x'}, n/4) }

const strictArray2G = "\x0a\x80\x00\x00\x00" // AMF0 §2.12: 2^31 elements follow

func TestBadInputClosesItsConnectionAndNothingElse(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen      = "127.0.0.1:0"
  max_message = "64k"
  application "live" {
    hls {
      path     = "$DIR/hls"
      fragment = "1s"
    }
  }
  application "keyed" {
    stream_key "a" {
      secret = "very-secret-key-1"
    }
  }
}`)
	w := r.witness("live", "beside")
	random := make([]byte, 4096)
	for i := range random {
		random[i] = byte(i*7 + 11)
	}

	handshakes := []struct {
		name  string
		send  []byte
		hangs bool // the client closes its side
		log   string
	}{
		{"random bytes instead of a handshake", random, false, "not RTMP"},
		{"an HTTP request instead of a handshake", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), false, "looks like HTTP"},
		{"TLS instead of a handshake", append([]byte{0x16, 3, 1, 2, 0}, random...), false, "looks like TLS"},
		{"RTMPE", append([]byte{6}, random...), false, "RTMPE"},
		{"half of C1 and gone", append([]byte{3}, random[:700]...), true, "C1"},
	}
	for _, c := range handshakes {
		t.Run(c.name, func(t *testing.T) {
			nc := r.rawConn(t)
			if _, err := nc.Write(c.send); err != nil {
				t.Fatal(err)
			}
			if c.hangs {
				_ = nc.(*net.TCPConn).CloseWrite()
			}
			answer := drain(t, nc)
			if len(answer) > 0 {
				t.Errorf("answered with %d bytes, want none", len(answer))
			}
			r.oneLine(t, nc.LocalAddr().String(), c.log)
		})
	}

	publish := func(name string) []byte {
		return whole(8, rtmp.TypeCommandAMF0, amf.Append(amf.Append(commandBytes("publish", 5), name), "live"))
	}
	flood := bytes.Repeat(whole(2, rtmp.TypeUserControl, []byte{0, 7, 0, 0, 0, 0}), 2500)
	var many []byte
	for csid := range uint32(60) {
		many = append(many, chunk(3+csid, rtmp.TypeVideo, 1<<24-1, random[:128])...)
	}
	var few []byte
	for csid := range uint32(5) {
		few = append(few, chunk(3+csid, rtmp.TypeVideo, 4000, random[:128])...)
	}
	connected := []struct {
		name   string
		app    string
		send   []byte
		status string // code of the last onStatus
		log    string
	}{
		{"chunk size 0", "live", uint32Message(rtmp.TypeSetChunkSize, 0), rtmp.StatusFailed, "chunk size 0"},
		{"chunk size 2^31", "live", uint32Message(rtmp.TypeSetChunkSize, 1<<31), rtmp.StatusFailed, "chunk size 2147483648"},
		{"type 3 chunk on the untouched chunk stream 65599", "live", []byte{0xc1, 0xff, 0xff, 1, 2, 3}, rtmp.StatusFailed, "chunk stream 65599"},
		{"a command of 10 MB of nested AMF", "live", chunk(3, rtmp.TypeCommandAMF0, 10<<20, commandBytes("x", nested(120)...)), rtmp.StatusFailed, "command message of 10485760 bytes"},
		{"a command of 40 KiB of nested AMF", "live", whole(3, rtmp.TypeCommandAMF0, commandBytes("x", nested(40<<10)...)), rtmp.StatusFailed, "nested deeper"},
		{"data of 10 MB of nested AMF", "live", chunk(3, rtmp.TypeDataAMF0, 10<<20, nested(128)), rtmp.StatusFailed, "data message of 10485760 bytes"},
		{"a 9-byte strict array of 2^31 elements", "live", whole(3, rtmp.TypeCommandAMF0, commandBytes("x", []byte(strictArray2G+"\x05\x05\x05\x05")...)), rtmp.StatusFailed, "amf"},
		{"a command without a name", "live", whole(3, rtmp.TypeCommandAMF0, []byte{5}), rtmp.StatusFailed, "command"},
		{"a message longer than max_message", "live", chunk(6, rtmp.TypeVideo, 65537, random[:128]), rtmp.StatusFailed, "video message of 65537 bytes"},
		{"60 chunk streams that claim 16 MB each", "live", many, rtmp.StatusFailed, "video message of 16777215 bytes"},
		{"five messages at once", "live", few, rtmp.StatusFailed, "more than 4 messages at once"},
		{"video before publish", "live", whole(6, rtmp.TypeVideo, random[:500]), rtmp.StatusFailed, "media before publish"},
		{"audio before publish", "live", whole(6, rtmp.TypeAudio, random[:50]), rtmp.StatusFailed, "media before publish"},
		{"2500 messages in one second", "live", flood, rtmp.StatusFailed, "more than 2000 messages a second"},
		{"connect twice", "live", whole(3, rtmp.TypeCommandAMF0, commandBytes("connect", 3, 0, 0, 9)), rtmp.StatusConnectRejected, "connect was sent twice"},

		{"publish of ../../etc/x", "live", publish("../../etc/x"), rtmp.StatusPublishBadName, "bad stream name"},
		{"publish of a/b/c", "live", publish("a/b/c"), rtmp.StatusPublishBadName, "bad stream name"},
		{"publish of an empty name", "live", publish(""), rtmp.StatusPublishBadName, "the stream name is empty"},
		{"publish of a name of 300 bytes", "live", publish(strings.Repeat("x", 300)), rtmp.StatusPublishBadName, "longer than 128 bytes"},
		{"publish of control bytes", "live", publish("a\x00\x1b[31m\r\nb"), rtmp.StatusPublishBadName, "bad stream name"},
		{"publish of %2e%2e", "live", publish("%2e%2e"), rtmp.StatusPublishBadName, "bad stream name"},
		{"publish of two dots", "live", publish(".."), rtmp.StatusPublishBadName, "bad stream name"},
		{"publish of bytes that are no UTF-8", "live", publish("a\xff\xfe"), rtmp.StatusPublishBadName, "not UTF-8"},
		{"publish without a name", "live", whole(8, rtmp.TypeCommandAMF0, commandBytes("publish", 5)), rtmp.StatusPublishBadName, "the stream name is empty"},
		{"publish of a number", "live", whole(8, rtmp.TypeCommandAMF0, amf.Append(commandBytes("publish", 5), 7.0)), rtmp.StatusPublishBadName, "the stream name is empty"},
		{"publish of ../../etc/x where keys are in force", "keyed", publish("../../etc/x"), rtmp.StatusPublishDenied, "wrong stream key"},
		{"publish of an empty name where keys are in force", "keyed", publish(""), rtmp.StatusPublishDenied, "wrong stream key"},
	}
	for _, c := range connected {
		t.Run(c.name, func(t *testing.T) {
			cl := r.rawClient(t, c.app)
			if _, err := cl.NetConn().Write(c.send); err != nil {
				t.Fatal(err)
			}
			last := cl.ended()
			if last.Level != "error" || last.Code != c.status || last.Description == "" {
				t.Errorf("told %q, want an error %s", last, c.status)
			}
			r.oneLine(t, cl.local(), c.log)
		})
	}
	w.undisturbed()
	for _, secret := range []string{"etc/x", "%2e%2e", "x1b[31m"} {
		if strings.Contains(r.allText(), secret) {
			t.Errorf("a refused name with %q stands in the log", secret)
		}
	}
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "rtmpd.hcl" || strings.HasPrefix(d.Name(), ".rtmpd-ledger") || strings.HasPrefix(d.Name(), ".beside") {
			return err
		}
		if !strings.HasPrefix(d.Name(), "beside") {
			t.Errorf("somebody left %s", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What a publisher may not do once it publishes closes it as well, and again
// only it.
func TestBadInputFromAPublisher(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen      = "127.0.0.1:0"
  max_message = "64k"
  application "live" {
    reconnect_grace = 0
  }
}`)
	w := r.witness("live", "beside")
	half := make([]byte, 32<<10)
	many := uint32Message(rtmp.TypeSetChunkSize, 4096)
	for csid := range uint32(60) {
		many = append(many, chunk(3+csid, rtmp.TypeVideo, 65536, half[:4096])...)
	}
	for i, c := range []struct {
		name string
		send []byte
		code string
		log  string
	}{
		{"a message longer than max_message", chunk(6, rtmp.TypeVideo, 65537, half), rtmp.StatusFailed, "video message of 65537 bytes"},
		{"60 chunk streams of max_message each", many, rtmp.StatusFailed, "incomplete messages hold too much memory"},
		{"a command of 10 MB of nested AMF", chunk(3, rtmp.TypeCommandAMF0, 10<<20, half), rtmp.StatusFailed, "command message of 10485760 bytes"},
		{"a command that is no AMF", rtmp.AppendMessage(nil, rtmp.Message{Type: rtmp.TypeCommandAMF0, ChunkStreamID: 3, Payload: []byte(strictArray2G)}, 65536), rtmp.StatusFailed, "command"},
		{"chunk size 0", uint32Message(rtmp.TypeSetChunkSize, 0), rtmp.StatusFailed, "chunk size 0"},
		{"a second publish", rtmp.AppendMessage(nil, rtmp.Message{Type: rtmp.TypeCommandAMF0, ChunkStreamID: 3, Payload: amf.Append(commandBytes("publish", 5), "other")}, 65536), rtmp.StatusPublishBadName, "publishes already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprint("s", i)
			p := r.publish("live", name)
			p.seconds(0.2)
			if _, err := p.NetConn().Write(c.send); err != nil {
				t.Fatal(err)
			}
			last := p.ended()
			if last.Code != c.code || last.Level != "error" {
				t.Errorf("told %q, want an error %s", last, c.code)
			}
			r.eventually("the stream ends", func() bool { return r.stream("live", name) == nil })
			n := 0
			r.eventually("the session's last line", func() bool {
				n = 0
				for _, e := range r.linesOf(p.local()) {
					if reason, _ := e.ContextMap()["reason"].(string); strings.Contains(reason, c.log) {
						n++
					}
				}
				return n > 0
			})
			if n != 1 {
				t.Errorf("%d log lines say %q, want 1", n, c.log)
			}
		})
	}

	t.Run("metadata that is no AMF is passed over", func(t *testing.T) {
		p := r.publish("live", "meta")
		bad := amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData")
		bad = append(bad, nested(60<<10)...)
		for _, payload := range [][]byte{bad, []byte(strictArray2G), nil} {
			if err := p.WriteMessage(rtmp.Message{Type: rtmp.TypeDataAMF0, ChunkStreamID: 5, StreamID: 1, Payload: payload}); err != nil {
				t.Fatal(err)
			}
		}
		p.seconds(1)
		r.eventually("the stream goes on", func() bool { return r.packets("live", "meta") == int(p.sent.Load()) })
	})
	t.Run("media that is none is passed over and said once", func(t *testing.T) {
		p := r.publish("live", "media")
		for range 10 {
			for _, m := range []rtmp.Message{
				{Type: rtmp.TypeVideo, Payload: []byte{0x17, 0, 0, 0, 0, 0xff}}, // AVC sequence header
				{Type: rtmp.TypeAudio, Payload: []byte{0xaf, 0}},                // AAC sequence header
				{Type: rtmp.TypeVideo},
				{Type: rtmp.TypeAudio},
			} {
				m.ChunkStreamID, m.StreamID = 6, 1
				if err := p.WriteMessage(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.seconds(1)
		r.eventually("the stream goes on", func() bool { return r.packets("live", "media") == int(p.sent.Load()) })
		if n := r.logs.FilterMessage("bad media message").Len(); n != 2 {
			t.Errorf("%d lines about bad media, want one about each header", n)
		}
	})
	w.undisturbed()
}

func TestAnHonestClientMayUseChunkStream65599AndTinyChunks(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	cl := r.rawClient(t, "live")
	send := uint32Message(rtmp.TypeSetChunkSize, 1)
	body := amf.Append(amf.Append(commandBytes("publish", 5), "cam"), "live")
	send = rtmp.AppendMessage(send, rtmp.Message{Type: rtmp.TypeCommandAMF0, ChunkStreamID: 65599, StreamID: 1, Payload: body}, 1)
	if _, err := cl.NetConn().Write(send); err != nil {
		t.Fatal(err)
	}
	r.eventually("the publisher is accepted", func() bool {
		h := cl.heard()
		return len(h) == 1 && h[0].Code == rtmp.StatusPublishStart
	})
}

func TestHalfAHandshakeIsClosedInTime(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen            = "127.0.0.1:0"
  handshake_timeout = "1s"
  application "live" {}
}`)
	w := r.witness("live", "beside")
	random := bytes.Repeat([]byte{0x5a}, 1536)
	var conns []net.Conn
	for _, send := range [][]byte{nil, {3}, append([]byte{3}, random[:900]...), append([]byte{3}, random...)} {
		nc := r.rawConn(t)
		if _, err := nc.Write(send); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	for i, nc := range conns {
		answer := drain(t, nc)
		if want := map[int]int{3: 3073}[i]; len(answer) != want {
			t.Errorf("connection %d was sent %d bytes, want %d", i, len(answer), want)
		}
		r.oneLine(t, nc.LocalAddr().String(), "incomplete in time")
	}
	w.undisturbed()
}

// A load balancer knocks every two seconds: that is nothing to write about.
func TestAHealthCheckLeavesNoLine(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	nc := r.rawConn(t)
	addr := nc.LocalAddr().String()
	_ = nc.(*net.TCPConn).CloseWrite()
	if answer := drain(t, nc); len(answer) > 0 {
		t.Errorf("answered with %d bytes", len(answer))
	}
	r.eventually("its end", func() bool { return len(r.linesOf(addr)) > 0 })
	if e := r.linesOf(addr)[0]; e.Level != zapcore.DebugLevel {
		t.Errorf("logged as %s: %s", e.Level, e.Message)
	}
}

// The commands before connect, and connects that are none.
func TestWhatComesBeforeConnect(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	for _, c := range []struct {
		name   string
		send   []byte
		status string
		log    string
	}{
		{"publish before connect", whole(3, rtmp.TypeCommandAMF0, amf.Append(commandBytes("publish", 5), "cam")), rtmp.StatusConnectRejected, "the first command must be connect"},
		{"media before connect", whole(6, rtmp.TypeVideo, make([]byte, 20)), rtmp.StatusFailed, "media before publish"},
		{"connect without an object", whole(3, rtmp.TypeCommandAMF0, commandBytes("connect", 5)), rtmp.StatusFailed, "connect carries no object"},
		{"connect without an app", whole(3, rtmp.TypeCommandAMF0, commandBytes("connect", 3, 0, 0, 9)), rtmp.StatusFailed, "connect names no app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc := r.rawConn(t)
			shake(t, nc)
			if _, err := nc.Write(c.send); err != nil {
				t.Fatal(err)
			}
			answer := string(drain(t, nc))
			nc.Close()
			if !strings.Contains(answer, c.status) {
				t.Errorf("answered %q, want a status %s", answer, c.status)
			}
			r.oneLine(t, nc.LocalAddr().String(), c.log)
		})
	}
}

// Strangers hold less than 64 KiB each, however many chunk streams they begin
// and whatever lengths they declare. It does not run beside other tests.
func TestAStrangerHoldsLittleMemory(t *testing.T) {
	const strangers = 200
	const bound = 64 << 10
	const own = 512 // bytes in this heap of the test's end of a connection
	r := start(t, oneApp)
	connect := whole(3, rtmp.TypeCommandAMF0, amf.Append(commandBytes("connect"), amf.Object{{Name: "app", Value: "live"}, {Name: "tcUrl", Value: "rtmp://x/live"}}))
	piece := make([]byte, 15<<10)
	var greedy []byte // three messages, all but the last chunk of each
	for csid := range uint32(3) {
		b := chunk(8+csid, rtmp.TypeDataAMF0, len(piece), piece[:128])
		for range len(piece)/128 - 2 {
			b = append(append(b, 0xc0|byte(8+csid)), piece[:128]...)
		}
		greedy = append(greedy, b...)
	}
	for _, c := range []struct {
		name string
		send []byte
		in   uint64 // bytes the server has read of each then
	}{
		{"half a handshake", append([]byte{3}, make([]byte, 1000)...), 0},
		{"a connect", connect, uint64(len(connect))},
		{"messages that never end", append(bytes.Clone(connect), greedy...), uint64(len(connect) + len(greedy))},
	} {
		before, was := heap(), r.srv.rtmp.Figures().BytesIn
		conns := make([]net.Conn, strangers)
		for i := range conns {
			conns[i] = r.rawConn(t)
			if c.in > 0 {
				shake(t, conns[i])
			}
			if _, err := conns[i].Write(c.send); err != nil {
				t.Fatal(err)
			}
		}
		r.eventually("the server has read it all", func() bool {
			f := r.srv.rtmp.Figures()
			return f.Connections == strangers && (c.in == 0 || f.BytesIn-was == strangers*(1+2*1536+uint64(c.in)))
		})
		each := int64(heap()-before)/strangers - own
		t.Logf("%s: %d bytes held for each of %d", c.name, each, strangers)
		if each > bound {
			t.Errorf("%s: a stranger holds %d bytes, want less than %d", c.name, each, bound)
		}
		for _, nc := range conns {
			nc.Close()
		}
		r.eventually("they are gone", func() bool {
			return r.connections() == 0
		})
	}
}

// heap is what is in use after collection, stacks included: a connection's
// goroutine is memory it holds.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// oneApp is the smallest configuration that takes publishers.
const oneApp = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {}
}`

// rawConn is a bare connection to the first rtmp block.
func (r *rig) rawConn(t *testing.T) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { nc.Close() })
	return nc
}

// shake is the client's half of a simple handshake.
func shake(t *testing.T, nc net.Conn) {
	t.Helper()
	if _, err := nc.Write(append([]byte{3}, make([]byte, 1536)...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, make([]byte, 1+2*1536)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(make([]byte, 1536)); err != nil {
		t.Fatal(err)
	}
}

// rawClient is connected to app and has said nothing else: its chunks have 128
// bytes, and the test writes them itself.
func (r *rig) rawClient(t *testing.T, app string) *client {
	t.Helper()
	o := dialling{}
	o.ChunkSize = 128
	c := r.mustDial(app, o)
	c.listen()
	return c
}

// drain reads until the server closes.
func drain(t *testing.T, nc net.Conn) []byte {
	t.Helper()
	b, err := io.ReadAll(nc)
	if err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatal("the server does not close the connection")
		}
	}
	return b
}

// oneLine checks that a connection has left exactly one line in the log, a
// warning with the reason.
func (r *rig) oneLine(t *testing.T, addr, reason string) {
	t.Helper()
	r.eventually("a log line of "+addr, func() bool { return len(r.linesOf(addr)) > 0 })
	lines := r.linesOf(addr)
	if len(lines) != 1 {
		t.Errorf("%d log lines, want one: %v", len(lines), lines)
	}
	if got, _ := lines[0].ContextMap()["reason"].(string); !strings.Contains(got, reason) {
		t.Errorf("the log says %q, want something with %q", got, reason)
	}
}
