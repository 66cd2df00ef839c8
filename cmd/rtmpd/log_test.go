package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func openLog(t *testing.T, level, format string) (*logOutput, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rtmpd.log")
	out, err := newLog(config.Log{Level: level, Format: format, File: value.Path(path)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	return out, path
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestLogFollowsItsLevel(t *testing.T) {
	t.Parallel()
	out, path := openLog(t, "warn", "text")
	out.logger.Info("not shown")
	out.logger.Warn("shown")
	out.level.SetLevel(zapcore.DebugLevel)
	out.logger.Debug("shown too", zap.String("app", "live"))
	got := lines(t, path)
	if len(got) != 2 || !strings.HasSuffix(got[0], " warn shown") || !strings.HasSuffix(got[1], ` debug shown too {"app": "live"}`) {
		t.Errorf("the log is %q", got)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("anybody may read the log: %v, %v", fi.Mode(), err)
	}
}

func TestJSONLogIsALinePerEntry(t *testing.T) {
	t.Parallel()
	out, path := openLog(t, "info", "json")
	out.logger.Info("publish started", zap.String("stream", "a\nb\"ü\xff"))
	out.logger.Error("second")
	got := lines(t, path)
	if len(got) != 2 {
		t.Fatalf("the log is %q", got)
	}
	var entry map[string]string
	if err := json.Unmarshal([]byte(got[0]), &entry); err != nil {
		t.Fatal(err)
	}
	if entry["msg"] != "publish started" || entry["level"] != "info" || entry["stream"] != "a\nb\"ü\ufffd" || entry["time"] == "" {
		t.Errorf("entry %q", entry)
	}
}

func TestLogIsReopenedAfterARotation(t *testing.T) {
	t.Parallel()
	out, path := openLog(t, "info", "json")
	const writers, each = 4, 200
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				out.logger.Info("line")
			}
		})
	}
	var rotated []string
	for _, suffix := range []string{".1", ".2", ".3"} {
		if err := os.Rename(path, path+suffix); err != nil {
			t.Fatal(err)
		}
		rotated = append(rotated, path+suffix)
		if err := out.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	out.logger.Info("last")
	n := 0
	for _, p := range append(rotated, path) {
		for _, l := range lines(t, p) {
			if l == "" {
				continue
			}
			if !json.Valid([]byte(l)) {
				t.Errorf("torn line %q", l)
			}
			n++
		}
	}
	if n != writers*each+1 {
		t.Errorf("%d lines, want %d", n, writers*each+1)
	}
	if got := lines(t, path); !strings.Contains(got[len(got)-1], "last") {
		t.Errorf("the new file ends in %q", got[len(got)-1])
	}

	// A directory that is gone: the old file stays.
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := out.Reopen(); err == nil || !strings.Contains(err.Error(), "log file") {
		t.Errorf("reopen without a directory: %v", err)
	}
	if _, err := out.Write([]byte("x\n")); err != nil {
		t.Errorf("the old file is closed: %v", err)
	}
}

// The server starts even if the disk of its log is missing.
func TestLogWhoseDiskIsNotThereBeginsLater(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log") // where not even root may write
	if err := os.Symlink("/sys/kernel", dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rtmpd.log")
	out, err := newLog(config.Log{Level: "info", Format: "text", File: value.Path(path)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	out.logger.Info("to standard error")
	if err := errors.Join(os.Remove(dir), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	out.mu.Lock()
	out.tried = out.tried.Add(-retryLog)
	out.mu.Unlock()
	out.logger.Info("to the file")
	if got := lines(t, path); len(got) != 1 || !strings.Contains(got[0], "to the file") {
		t.Errorf("the log is %q", got)
	}
}

func TestLogWithoutAFileIsStandardErrorAndStaysOpen(t *testing.T) {
	t.Parallel()
	out, err := newLog(config.Log{Level: "error", Format: "text"})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Reopen(); err != nil {
		t.Error(err)
	}
	out.Close()
	if _, err := os.Stderr.Stat(); err != nil || out.f != os.Stderr {
		t.Errorf("standard error was closed: %v", err)
	}
	for _, c := range []config.Log{
		{Level: "loud", Format: "text"},
		{Level: "info", Format: "text", File: value.Path(filepath.Join(t.TempDir(), "missing", "x.log"))},
	} {
		if out, err := newLog(c); err == nil {
			out.Close()
			t.Errorf("%+v was accepted", c)
		}
	}
}

// Whatever a client calls itself, a log line is one line and moves no cursor.
func TestNamesCannotDriveATerminal(t *testing.T) {
	t.Parallel()
	const hostile = "a\r\n2026-01-01 error forged \x1b[2J\x00\t\x7f\u0085\u009b31m\u2028\u2029\u202eevil\u2066\xff\"}\\é"
	want := strings.ToValidUTF8(hostile, "\ufffd")
	for _, format := range []string{"text", "json"} {
		out, path := openLog(t, "debug", format)
		log := out.logger.With(zap.String("remote", hostile))
		log.Info("session refused", zap.String("stream", hostile), zap.Error(errors.New(hostile)), zap.Strings("exists", []string{hostile}))
		got := lines(t, path)
		if len(got) != 1 {
			t.Fatalf("%s: the log is %d lines: %q", format, len(got), got)
		}
		for _, r := range got[0] {
			if unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e || r == 0x2066 {
				t.Errorf("%s: %U stands in the log: %q", format, r, got[0])
			}
		}
		var entry map[string]any
		if err := json.Unmarshal([]byte(got[0][strings.IndexByte(got[0], '{'):]), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["stream"] != want || entry["remote"] != want || entry["error"] != want {
			t.Errorf("%s: what is read back is %q, want %q", format, entry["stream"], want)
		}
	}
}
