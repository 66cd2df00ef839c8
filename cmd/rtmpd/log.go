package main

import (
	"fmt"
	"os"
	"sync"

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
	out := &logOutput{path: c.File, f: os.Stderr, level: zap.NewAtomicLevel()}
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
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.f.Write(p)
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
