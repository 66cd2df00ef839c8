package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/config"
)

// logOutput is the process's log: its level follows the configuration, its file
// is opened anew at SIGUSR1.
type logOutput struct {
	logger *zap.Logger
	level  zap.AtomicLevel
	path   string

	mu sync.Mutex
	f  *os.File // guarded by mu
}

func newLog(c config.Log) (*logOutput, error) {
	out := &logOutput{path: string(c.File), f: os.Stderr, level: zap.NewAtomicLevel()}
	if err := out.Reopen(); err != nil {
		return nil, err
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
	f, err := os.OpenFile(o.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
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
