package acme

import (
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// quiet returns the logger for certmagic and acmez. Their messages become debug messages:
// this package logs failures itself, with advice. Errors of the background maintenance,
// which only certmagic reports, become warnings.
func quiet(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return quietCore{core, log.Name()} }))
}

type quietCore struct {
	zapcore.Core
	name string // of the logger
}

func (h quietCore) With(fields []zap.Field) zapcore.Core {
	return quietCore{h.Core.With(fields), h.name}
}

// Enabled reports whether the core logs the level that an entry of level l gets.
func (h quietCore) Enabled(l zapcore.Level) bool {
	return h.Core.Enabled(zapcore.DebugLevel) || l >= zapcore.ErrorLevel && h.Core.Enabled(zapcore.WarnLevel)
}

func (h quietCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	level := zapcore.DebugLevel
	own := strings.TrimPrefix(strings.TrimPrefix(e.LoggerName, h.name), ".")
	if e.Level >= zapcore.ErrorLevel && (own == "" || own == "maintenance") {
		level = zapcore.WarnLevel
	}
	e.Level = level
	return h.Core.Check(e, ce)
}
