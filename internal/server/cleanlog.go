package server

import (
	"fmt"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxField is how much of a text goes into a log line. A client writes some of
// them, and a line that it can make 64 KiB long fills a disk.
const maxField = 1 << 10

// A cleanCore is a log in which no field holds a stream key or is longer than
// maxField. Those who type a key know where it belongs less well than we do: it
// comes as the name of an application, or of a stream where there are no keys.
type cleanCore struct {
	zapcore.Core
	mask func(text string) string
}

// cleaned is log behind a cleanCore.
func cleaned(log *zap.Logger, mask func(string) string) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return cleanCore{c, mask} }))
}

// With implements zapcore.Core.
func (c cleanCore) With(fields []zapcore.Field) zapcore.Core {
	return cleanCore{c.Core.With(c.clean(fields)), c.mask}
}

// Check implements zapcore.Core.
func (c cleanCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c cleanCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return c.Core.Write(e, c.clean(fields))
}

// clean returns fields, which it does not change, as they may be written.
func (c cleanCore) clean(fields []zapcore.Field) []zapcore.Field {
	out := fields
	for i, f := range fields {
		text, ok := textOf(f)
		if !ok {
			continue
		}
		clean := c.mask(clipField(text))
		if clean == text {
			continue
		}
		if &out[0] == &fields[0] {
			out = append([]zapcore.Field(nil), fields...)
		}
		out[i] = zap.String(f.Key, clean)
	}
	return out
}

// textOf is what a client may have written of a field.
func textOf(f zapcore.Field) (string, bool) {
	switch f.Type {
	case zapcore.StringType:
		return f.String, true
	case zapcore.ByteStringType:
		b, ok := f.Interface.([]byte)
		return string(b), ok && f.Key != "stack" // of a panic: ours, and long
	case zapcore.ErrorType:
		if err, ok := f.Interface.(error); ok && err != nil {
			return err.Error(), true
		}
	}
	return "", false
}

// clipField shortens s to maxField, and says that it did.
func clipField(s string) string {
	if len(s) <= maxField {
		return s
	}
	return strings.ToValidUTF8(s[:maxField], "") + fmt.Sprintf("… (%d bytes)", len(s))
}
