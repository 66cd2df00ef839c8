package apiserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/internal/api"
)

const (
	// maxLines is how many lines of the log are kept for those who ask.
	maxLines = 200
	// maxLine bounds the text of one, in bytes.
	maxLine = 1 << 10
)

// A logLine is a line of the log.
type logLine struct {
	at                 int64 // Unix seconds
	kind, text, stream string
}

// row is the line as MistServer has it: time, kind, text, stream, and the process, its
// program and the line of its source, which nobody needs.
func (l *logLine) row() []any {
	return []any{l.at, l.kind, l.text, l.stream, 0, "rtmpd", ""}
}

// Lines are the newest lines of the log. Its zero value is ready.
type Lines struct {
	mu    sync.Mutex
	total uint64 // written since the start
	ring  []logLine
}

// Core returns a core that writes to c and keeps the lines. Secrets must have been taken
// out of the fields before.
func (l *Lines) Core(c zapcore.Core) zapcore.Core { return lineCore{Core: c, lines: l} }

type lineCore struct {
	zapcore.Core
	lines  *Lines
	fields []zapcore.Field // of With
}

// With implements zapcore.Core.
func (c lineCore) With(fields []zapcore.Field) zapcore.Core {
	return lineCore{c.Core.With(fields), c.lines, slices.Concat(c.fields, fields)}
}

// Check implements zapcore.Core.
func (c lineCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c lineCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Level >= zapcore.InfoLevel {
		c.lines.add(e, slices.Concat(c.fields, fields))
	}
	return c.Core.Write(e, fields)
}

func (l *Lines) add(e zapcore.Entry, fields []zapcore.Field) {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	line := logLine{at: seconds(e.Time), kind: kindOf(e.Level)}
	line.stream, _ = enc.Fields["stream"].(string)
	var b strings.Builder
	b.WriteString(e.Message)
	for _, name := range slices.Sorted(maps.Keys(enc.Fields)) {
		if name != "stack" {
			fmt.Fprintf(&b, " %s=%v", name, enc.Fields[name])
		}
	}
	line.text = b.String()
	if len(line.text) > maxLine {
		line.text = strings.ToValidUTF8(line.text[:maxLine], "") + "…"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) == maxLines {
		l.ring = append(l.ring[:0], l.ring[1:]...)
	}
	l.ring = append(l.ring, line)
	l.total++
}

// kindOf is MistServer's word for a level.
func kindOf(l zapcore.Level) string {
	switch {
	case l >= zapcore.ErrorLevel:
		return "FAIL"
	case l == zapcore.WarnLevel:
		return "WARN"
	}
	return "INFO"
}

// before returns where the newest n lines begin.
func (l *Lines) before(n int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total - uint64(min(max(n, 0), len(l.ring)))
}

// since returns the lines from a place on, as far as they are kept, and where the next ones
// will begin.
func (l *Lines) since(from uint64) ([]logLine, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(l.total-min(from, l.total), uint64(len(l.ring)))
	return slices.Clone(l.ring[len(l.ring)-int(n):]), l.total
}

// logLines shows the newest lines of the log.
func (s *Server) logLines(*api.Caller, json.RawMessage) (any, error) {
	lines, _ := s.o.Lines.since(0)
	rows := [][]any{}
	for i := range lines {
		rows = append(rows, lines[i].row()[:4])
	}
	return rows, nil
}
