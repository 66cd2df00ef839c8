package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTriggerTestShowsPayloadAndAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/dead" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "streams+"+string(body[strings.LastIndexByte(string(body), '\n')+1:])+"\n")
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	hcl := `trigger "PUSH_REWRITE" {
  handler = "` + srv.URL + `/push.php?secret=x"
}
trigger "USER_NEW" {
  handler  = "` + srv.URL + `/dead"
  on_error = "allow"
}
rtmp {
  application "live" {}
}
`
	if err := os.WriteFile(path, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(args ...string) (string, error) {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(append([]string{"trigger", "test", "-c", path}, args...))
		err := root.Execute()
		return out.String(), err
	}
	host := strings.TrimPrefix(srv.URL, "http://")
	got, err := try("push_rewrite", "--stream", "john")
	want := host + " gets\n  rtmp://rtmpd.example/live/john\n  192.0.2.1\n  john\nand answers within "
	if err != nil || !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\n  \"streams+john\"\nwhich means: the value \"streams+john\"\n") || strings.Contains(got, "secret") {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = try("USER_NEW", "--stream", "john")
	if err == nil || !strings.Contains(got, "500 Internal Server Error") || !strings.Contains(got, "as if it were not there") {
		t.Errorf("got %q, %v", got, err)
	}
	for _, c := range []struct{ args, words string }{
		{"STREAM_END --stream x", "has no trigger"}, {"NOTHING --stream x", "there is no trigger"}, {"PUSH_REWRITE", "-stream"}, {"PUSH_REWRITE --stream x --app other", "no application"},
	} {
		if got, err := try(strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.words) || got != "" {
			t.Errorf("%s: got %q, %v", c.args, got, err)
		}
	}
}
