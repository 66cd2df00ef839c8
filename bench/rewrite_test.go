//go:build linux

package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRewriterAnswersEachNameWithAnotherOne(t *testing.T) {
	r, err := listenRewriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for _, c := range []struct {
		trigger, body string
		status        int
		want          string
	}{
		{"PUSH_REWRITE", "rtmp://127.0.0.1/rewrite/typed7\n127.0.0.1\ntyped7", 200, "shown7"},
		{"STREAM_PUSH", "shown7\n127.0.0.1\nRTMP\nrtmp://x", 400, "no PUSH_REWRITE\n"},
		{"PUSH_REWRITE", "short", 400, "no PUSH_REWRITE\n"},
	} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url(), strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("X-Trigger", c.trigger)
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil || a.StatusCode != c.status || string(got) != c.want {
			t.Errorf("%s %q: got %d %q, %v", c.trigger, c.body, a.StatusCode, got, err)
		}
	}
	if r.asked.Load() != 3 {
		t.Errorf("asked %d times, want 3", r.asked.Load())
	}
}
