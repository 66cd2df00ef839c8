package acme

import (
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// hush is for the logger certmagic and acmez get: what they tell of every step
// is a developer's, and what fails is logged by us, with advice. Only trouble
// that nobody else would report stays: of the background maintenance.
func hush(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return hushed{core, log.Name()} }))
}

type hushed struct {
	zapcore.Core
	name string // of the logger
}

func (h hushed) With(fields []zap.Field) zapcore.Core { return hushed{h.Core.With(fields), h.name} }

// Enabled is the core's, for the levels that entries may come out with.
func (h hushed) Enabled(l zapcore.Level) bool {
	return h.Core.Enabled(zapcore.DebugLevel) || l >= zapcore.ErrorLevel && h.Core.Enabled(zapcore.WarnLevel)
}

func (h hushed) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	level := zapcore.DebugLevel
	own := strings.TrimPrefix(strings.TrimPrefix(e.LoggerName, h.name), ".")
	if e.Level >= zapcore.ErrorLevel && (own == "" || own == "maintenance") {
		level = zapcore.WarnLevel
	}
	e.Level = level
	return h.Core.Check(e, ce)
}
