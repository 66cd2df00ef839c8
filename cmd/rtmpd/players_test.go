package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// What scripts do with RTMP players; see TestScripts.

// cmdPlayer starts a player. With -nobody it is not root, which VLC refuses to
// be: then it runs in a directory of its own, which is copied back.
func cmdPlayer(ts *testscript.TestScript, neg bool, args []string) {
	b := benchOf(ts)
	if args[0] != "-nobody" || os.Getuid() != 0 {
		args = slices.DeleteFunc(args, func(a string) bool { return a == "-nobody" })
		b.players[args[0]] = &watcher{process: start(ts, args[1], args[2:]...)}
		return
	}
	home, err := os.MkdirTemp("", "rtmpd-player-")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(home) })
	const nobody = "65534"
	ts.Check(os.Chown(home, 65534, 65534))
	as := []string{"setpriv", "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", "env", "-C", home, "HOME=" + home, "XDG_RUNTIME_DIR=" + home}
	as = append(as, args[2:]...)
	b.players[args[1]] = &watcher{process: start(ts, as[0], as[1:]...), home: home}
}

// A watcher is a real client that plays.
type watcher struct {
	*process
	home string // whose files belong to the script; empty: it has none of its own
}

// cmdPlayed waits for players' own ends.
func cmdPlayed(ts *testscript.TestScript, neg bool, args []string) {
	b := benchOf(ts)
	for _, name := range args {
		p := b.players[name]
		select {
		case <-p.done:
		case <-time.After(patience):
			_ = p.cmd.Process.Signal(syscall.SIGKILL)
			ts.Fatalf("player %s does not end:\n%s\n%s", name, p.text(), b.rtmpd.text())
		}
		if p.err != nil {
			ts.Fatalf("player %s: %v\n%s\n%s", name, p.err, p.text(), b.rtmpd.text())
		}
		if p.home != "" {
			ts.Check(os.CopyFS(ts.Getenv("WORK"), os.DirFS(p.home)))
		}
	}
}

// cmdRepublish has ffmpeg publish a file as it is, at the speed of time, again and again
// until unpublish, which it ends with: players may take long to begin.
func cmdRepublish(ts *testscript.TestScript, neg bool, args []string) {
	args, url := args[:len(args)-1], args[len(args)-1]
	in := []string{"-v", "warning", "-f", "flv", "-i", "pipe:0", "-c", "copy"}
	r, w, err := os.Pipe()
	ts.Check(err)
	p := startWith(ts, r, "ffmpeg", append(append(in, args[2:]...), "-f", "flv", url)...)
	ts.Check(r.Close())
	files, enough := []string{ts.MkAbs(args[1])}, make(chan struct{})
	p.enough = sync.OnceFunc(func() { close(enough) })
	go func() {
		defer w.Close()
		_, _ = w.Write([]byte{'F', 'L', 'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0})
		_ = play(context.Background(), files, enough, func(t flv.FileTag, at uint32) error {
			head := binary.BigEndian.AppendUint32(nil, uint32(t.Type)<<24|uint32(len(t.Body)))
			head = append(head, byte(at>>16), byte(at>>8), byte(at), byte(at>>24), 0, 0, 0)
			_, err := w.Write(binary.BigEndian.AppendUint32(append(head, t.Body...), uint32(len(t.Body)+len(head))))
			return err // ffmpeg has ended
		})
	}()
	benchOf(ts).pubs[args[0]] = p
}

// A pushed publisher is one that cmdPush began.
type pushed struct {
	done   chan error
	enough func() // it may end
}

// cmdPush publishes FLV files one after the other on one connection, at the speed of time,
// with a timestamp at the begin that no other publisher gets to; all of them again and again
// until pushed.
func cmdPush(ts *testscript.TestScript, neg bool, args []string) {
	name, url := args[0], args[2]
	from, err := strconv.ParseUint(args[1], 10, 32)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	app, stream := url[:strings.LastIndex(url, "/")], url[strings.LastIndex(url, "/")+1:]
	c, err := rtmp.Dial(ctx, app, rtmp.ClientOptions{})
	ts.Check(err)
	ts.Check(c.Publish(ctx, stream))
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}()
	enough := make(chan struct{})
	p := &pushed{done: make(chan error, 1), enough: sync.OnceFunc(func() { close(enough) })}
	benchOf(ts).pushes[name] = p
	ts.Defer(func() { cancel(); c.Close(); <-read })
	var files []string
	for _, f := range args[3:] {
		files = append(files, ts.MkAbs(f))
	}
	go func() {
		err := play(ctx, files, enough, func(t flv.FileTag, at uint32) error {
			m := rtmp.Message{Type: rtmp.MessageType(t.Type), ChunkStreamID: 6, StreamID: c.StreamID, Timestamp: uint32(from) + at, Payload: t.Body}
			if err := c.WriteMessage(m); err != nil {
				return err
			}
			return c.Flush()
		})
		p.done <- errors.Join(err, c.Unpublish())
	}()
}

// play sends the tags of FLV files, each at its time in ms: all files, again and again, and
// once more when it is enough, so that a player which began just then has all of them.
func play(ctx context.Context, files []string, enough <-chan struct{}, send func(t flv.FileTag, at uint32) error) error {
	began, at := time.Now(), uint32(0) // ms of media before the file
	for last := false; !last; {
		select {
		case <-enough:
			last = true
		default:
		}
		for _, name := range files {
			lasts, err := playFile(ctx, name, began, at, send)
			if err != nil {
				return err
			}
			at += lasts + 33
		}
	}
	return nil
}

// playFile is play for one file, which begins at a time; last is that of its newest tag.
func playFile(ctx context.Context, name string, began time.Time, at uint32, send func(t flv.FileTag, at uint32) error) (last uint32, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	r, err := flv.NewReader(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	for {
		tag, err := r.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return last, err
		}
		last = max(last, tag.Timestamp)
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(time.Until(began.Add(time.Duration(at+tag.Timestamp) * time.Millisecond))):
		}
		if err := send(tag, at+tag.Timestamp); err != nil {
			return last, err
		}
	}
}

func cmdPushed(ts *testscript.TestScript, neg bool, args []string) {
	p := benchOf(ts).pushes[args[0]]
	p.enough()
	select {
	case err := <-p.done:
		if (err != nil) != neg {
			ts.Fatalf("push %s: %v", args[0], err)
		}
	case <-time.After(2 * patience):
		ts.Fatalf("push %s does not end", args[0])
	}
}

// pictures are the hashes of the decoded frames of a file, in order.
func pictures(ts *testscript.TestScript, name string) (all []string) {
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", name, "-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-")
	cmd.Dir = ts.Getenv("WORK")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		ts.Fatalf("decode %s: %v\n%s", name, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			all = append(all, strings.TrimSpace(line[strings.LastIndex(line, ",")+1:]))
		}
	}
	return all
}

// cmdSuffix compares what a player has, decoded, with what was published, a file
// again and again: it begins at a keyframe, and from there on nothing is missing or
// damaged. The last LACKS pictures may be kept back by the player's own muxer.
func cmdSuffix(ts *testscript.TestScript, neg bool, args []string) {
	got, want := pictures(ts, args[0]), pictures(ts, args[1])
	gop, _ := strconv.Atoi(args[2])
	least, _ := strconv.Atoi(args[3])
	n := len(got) + lacking(args[4:], len(got), gop)
	if n < least || n%gop != 0 {
		ts.Fatalf("%s has %d pictures, want %d or more, and whole groups of %d", args[0], len(got), least, gop)
	}
	begins := len(want) - n%len(want)
	for i, hash := range got {
		if hash != want[(begins+i)%len(want)] {
			ts.Fatalf("%s: picture %d of %d is not the one published", args[0], i, n)
		}
	}
}

// lacking is how many of the last pictures a player may keep back that has got: LACKS, or
// with a question mark so many or none, so that groups are whole.
func lacking(args []string, got, gop int) (n int) {
	if len(args) == 0 {
		return 0
	}
	most, perhaps := strings.CutSuffix(args[0], "?")
	n, _ = strconv.Atoi(most)
	if perhaps {
		n = min(n, (gop-got%gop)%gop)
	}
	return n
}

// cmdWholes counts pictures that can't be compared, because the decoder scales them.
func cmdWholes(ts *testscript.TestScript, neg bool, args []string) {
	gop, _ := strconv.Atoi(args[1])
	least, _ := strconv.Atoi(args[2])
	if n := len(pictures(ts, args[0])); n < least || n%gop != 0 {
		ts.Fatalf("%s has %d pictures, want %d or more and whole groups of %d", args[0], n, least, gop)
	}
}

// cmdDecoded counts the pictures that a GStreamer pipeline's identity saw.
func cmdDecoded(ts *testscript.TestScript, neg bool, args []string) {
	gop, _ := strconv.Atoi(args[1])
	least, _ := strconv.Atoi(args[2])
	out := benchOf(ts).players[args[0]].text()
	n := strings.Count(out, "last-message = chain")
	if n += lacking(args[3:], n, gop); n < least || n%gop != 0 {
		ts.Fatalf("%s decoded %d pictures, want %d or more and whole groups of %d\n%s", args[0], n, least, gop, out)
	}
}

// cmdRising wants the timestamps of an FLV file never to fall, nor to leap.
func cmdRising(ts *testscript.TestScript, neg bool, args []string) {
	b, err := os.ReadFile(filepath.Join(ts.Getenv("WORK"), args[0]))
	ts.Check(err)
	r, err := flv.NewReader(bytes.NewReader(b))
	ts.Check(err)
	last := map[byte]uint32{}
	n := 0
	for {
		tag, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // rtmpdump was killed
			break
		}
		ts.Check(err)
		kind := byte(tag.Type)
		if old, ok := last[kind]; ok && int32(tag.Timestamp-old) < 0 || ok && tag.Timestamp-old > 1000 && tag.Type != flv.TagScript {
			ts.Fatalf("%s: tag %d of type %d is at %d, the one before at %d", args[0], n, kind, tag.Timestamp, old)
		}
		last[kind] = tag.Timestamp
		n++
	}
	if n < 100 {
		ts.Fatalf("%s has %d tags", args[0], n)
	}
}
