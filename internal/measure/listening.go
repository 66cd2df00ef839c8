package measure

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

// listening is the log of a server in JSON. It knows where the server listens, and the last
// line.
type listening struct {
	mu         sync.Mutex
	rest       []byte // a line that is not whole
	rtmp, http string
	line       string
}

// maxLine bounds a line that is kept.
const maxLine = 16 << 10

// Write implements io.Writer.
func (l *listening) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		l.take(line)
		l.rest = rest
	}
	if len(l.rest) > maxLine {
		l.rest = l.rest[:0]
	}
	return len(p), nil
}

func (l *listening) take(line []byte) {
	var e struct{ Msg, For, Listener string }
	if text := strings.TrimSpace(string(line)); text != "" {
		l.line = text
	}
	if json.Unmarshal(line, &e) != nil || e.Msg != "listening" {
		return
	}
	switch e.For {
	case "rtmp":
		l.rtmp = e.Listener
	case "http":
		l.http = e.Listener
	}
}

// addresses are where the server listens; empty: it does not so far.
func (l *listening) addresses() (rtmp, http string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rtmp, l.http
}

// last is the last line, which says why a server ended.
func (l *listening) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.line
}
