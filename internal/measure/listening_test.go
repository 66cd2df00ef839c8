package measure

import (
	"strings"
	"testing"
)

// Where a server listens stands in its log, however that is cut into pieces.
func TestWhereAServerListens(t *testing.T) {
	t.Parallel()
	log := `{"level":"info","msg":"listening","for":"rtmp","listener":"127.0.0.1:45677"}
{"level":"info","msg":"listening","for":"http","listener":"127.0.0.1:33547"}
{"level":"info","msg":"publish started","for":"rtmp","listener":"127.0.0.1:1"}
no JSON
`
	for n := 1; n < len(log); n += 7 {
		l := new(listening)
		for rest := log; rest != ""; rest = rest[min(n, len(rest)):] {
			_, _ = l.Write([]byte(rest[:min(n, len(rest))]))
		}
		if rtmp, http := l.addresses(); rtmp != "127.0.0.1:45677" || http != "127.0.0.1:33547" || l.last() != "no JSON" {
			t.Errorf("in pieces of %d: %q, %q, last %q", n, rtmp, http, l.last())
		}
	}
	l := new(listening)
	_, _ = l.Write([]byte(strings.Repeat("x", 2*maxLine)))
	if len(l.rest) > maxLine {
		t.Errorf("%d bytes of a line are kept", len(l.rest))
	}
}
