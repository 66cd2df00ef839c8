package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// cmdRepublish has ffmpeg publish a file as it is, at the speed of time.
func cmdRepublish(ts *testscript.TestScript, neg bool, args []string) {
	args, url := args[:len(args)-1], args[len(args)-1]
	in := []string{"-nostdin", "-v", "warning", "-re", "-i", args[1], "-c", "copy"}
	in = append(in, args[2:]...)
	benchOf(ts).pubs[args[0]] = start(ts, "ffmpeg", append(in, "-f", "flv", url)...)
}

// cmdPush publishes FLV files one after the other on one connection, at the
// speed of time, with a timestamp at the begin that no other publisher gets to.
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
	done := make(chan error, 1)
	benchOf(ts).pushes[name] = done
	ts.Defer(func() { cancel(); c.Close(); <-read })
	var files []string
	for _, f := range args[3:] {
		files = append(files, ts.MkAbs(f))
	}
	go func() {
		err := push(ctx, c, uint32(from), files)
		done <- errors.Join(err, c.Unpublish())
	}()
}

func push(ctx context.Context, c *rtmp.Client, from uint32, files []string) error {
	began, at := time.Now(), uint32(0) // ms of media before the file
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r, err := flv.NewReader(bytes.NewReader(b))
		if err != nil {
			return err
		}
		last := uint32(0)
		for {
			tag, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			last = max(last, tag.Timestamp)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Until(began.Add(time.Duration(at+tag.Timestamp) * time.Millisecond))):
			}
			m := rtmp.Message{Type: rtmp.MessageType(tag.Type), ChunkStreamID: 6, StreamID: c.StreamID, Timestamp: from + at + tag.Timestamp, Payload: tag.Body}
			if err := c.WriteMessage(m); err != nil {
				return err
			}
			if err := c.Flush(); err != nil {
				return err
			}
		}
		at += last + 33
	}
	return nil
}

func cmdPushed(ts *testscript.TestScript, neg bool, args []string) {
	select {
	case err := <-benchOf(ts).pushes[args[0]]:
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

// cmdSuffix compares what a player has, decoded, with what was published: it
// begins at a keyframe, and from there on nothing is missing or damaged. The
// last LACKS pictures may be kept back by the player's own muxer.
func cmdSuffix(ts *testscript.TestScript, neg bool, args []string) {
	got, want := pictures(ts, args[0]), pictures(ts, args[1])
	gop, _ := strconv.Atoi(args[2])
	least, _ := strconv.Atoi(args[3])
	n := len(got) + lacking(args[4:], len(got), gop)
	if n < least || n > len(want) || n%gop != 0 {
		ts.Fatalf("%s has %d pictures, want %d or more of %d, and whole groups of %d", args[0], len(got), least, len(want), gop)
	}
	for i, hash := range got {
		if hash != want[len(want)-n+i] {
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
