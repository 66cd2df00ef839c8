package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/accesslog"
)

// logOutput is the process's log: its level follows the configuration, its file
// is opened anew at SIGUSR1. While that can't be opened, because its disk is
// read-only or not there, lines go to standard error.
type logOutput struct {
	logger *zap.Logger
	level  zap.AtomicLevel
	path   string

	mu    sync.Mutex
	f     io.WriteCloser // guarded by mu, as is tried
	tried time.Time      // to open path, while f is standard error in its place
}

func newLog(c config.Log) (*logOutput, error) {
	out := &logOutput{path: string(c.File), f: os.Stderr, level: zap.NewAtomicLevel()}
	if err := out.Reopen(); err != nil {
		if errors.Is(err, fs.ErrNotExist) || accesslog.Mistyped(err) {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%v; logging to standard error until it can be opened\n", err)
	}
	lvl, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	out.level.SetLevel(lvl)
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339TimeEncoder
	enc.TimeKey = "time"
	enc.ConsoleSeparator = " "
	encoder := zapcore.NewConsoleEncoder(enc)
	if c.Format == "json" {
		encoder = zapcore.NewJSONEncoder(enc)
	}
	out.logger = zap.New(zapcore.NewCore(encoder, out, out.level))
	return out, nil
}

// Write appends to the present file.
func (o *logOutput) Write(p []byte) (int, error) {
	n := len(p)
	p = escapeControls(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path != "" && o.f == os.Stderr && time.Since(o.tried) >= retryLog {
		_ = o.open()
	}
	if _, err := o.f.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}

// escapeControls writes as \uXXXX what zap's encoders let through and a terminal
// or an editor obeys: DEL, the C1 controls, line separators, and what turns the
// direction of writing. In both formats these only come within JSON strings.
func escapeControls(line []byte) []byte {
	if bytes.IndexFunc(line, obeyed) < 0 {
		return line
	}
	out := make([]byte, 0, len(line)+16)
	for _, r := range string(line) {
		if obeyed(r) {
			out = fmt.Appendf(out, "\\u%04x", r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func obeyed(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Sync implements zapcore.WriteSyncer; log lines need no fsync.
func (o *logOutput) Sync() error { return nil }

// Reopen opens the file anew, after a rotation.
func (o *logOutput) Reopen() error {
	if o.path == "" {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open()
}

const retryLog = 5 * time.Second

// open is Reopen; mu is held.
func (o *logOutput) open() error {
	o.tried = time.Now()
	if _, err := os.Stat(filepath.Dir(o.path)); err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	f, err := accesslog.OpenFile(o.path)
	if err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	if o.f != os.Stderr {
		o.f.Close()
	}
	o.f = f
	return nil
}

// Close closes the file.
func (o *logOutput) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.f != os.Stderr {
		o.f.Close()
		o.f = os.Stderr
	}
}
