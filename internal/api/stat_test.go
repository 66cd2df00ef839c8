package api

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestWhatAStatLocationAnswers(t *testing.T) {
	taken := 0
	take := func() *Snapshot { taken++; return snapshot() }
	for _, c := range []struct {
		href, what string
		kind       string
		begin      string
		taken      int
	}{
		{"", "GET /stat", "text/xml", "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<?xml-stylesheet type=\"text/xsl\" href=\"?stylesheet\" ?>\r\n<rtmp>", 1},
		{"/my.xsl", "GET /stat?x=1", "text/xml", "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<?xml-stylesheet type=\"text/xsl\" href=\"/my.xsl\" ?>", 1},
		{"", "GET /stat?format=json", "application/json", `{"rtmp":{"nginx_version":"rtmpd/1.2.3",`, 1},
		{"", "GET /stat?format=xml", "text/xml", "<?xml ", 1},
		{"", "GET /stat?stylesheet", "text/xsl; charset=utf-8", "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n", 0},
		{"", "HEAD /stat", "text/xml", "", 0},
		{"", "HEAD /stat?format=json", "application/json", "", 0},
	} {
		taken = 0
		method, target, _ := strings.Cut(c.what, " ")
		w := httptest.NewRecorder()
		Stat(take, c.href).ServeHTTP(w, httptest.NewRequest(method, target, nil))
		if got := w.Header().Get("Content-Type"); got != c.kind || w.Code != 200 || taken != c.taken || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %s, %d snapshots", c.what, w.Code, got, taken)
		}
		body := w.Body.String()
		if !strings.HasPrefix(body, c.begin) || method == "HEAD" && body != "" {
			t.Errorf("%s begins with %.120q, want %q", c.what, body, c.begin)
		}
	}
}

func TestTheStylesheetIsWellFormedAndHasNoScript(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(stylesheet))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && (e.Name.Local == "script" || e.Name.Local == "a") {
			t.Errorf("the stylesheet makes a %s: a client's words could become one", e.Name.Local)
		}
	}
	if strings.Contains(stylesheet, "disable-output-escaping") {
		t.Error("the stylesheet trusts what clients say")
	}
}

func TestWriteJSONIsTheGoldenPage(t *testing.T) {
	const golden = "testdata/stat.golden.json"
	var b strings.Builder
	if err := WriteJSON(&b, snapshot()); err != nil {
		t.Fatal(err)
	}
	var tree map[string]map[string]any
	if err := json.Unmarshal([]byte(b.String()), &tree); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(tree["rtmp"]["pid"]), fmt.Sprint(float64(os.Getpid())); got != want {
		t.Errorf("pid %s, want %s", got, want)
	}
	tree["rtmp"]["pid"], tree["rtmp"]["compiler"] = 1, "go"
	pretty, err := json.MarshalIndent(tree, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got := string(pretty) + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.ContainsAny(b.String(), "<>\x00\x1b\u2028") {
		t.Error("a page that takes the JSON for HTML or a script would misread it")
	}
}

func TestListsAreListsWhenTheyAreEmpty(t *testing.T) {
	var b strings.Builder
	s := &Snapshot{Servers: []Server{{}, {Applications: []Application{{Live: true}, {Live: true, Streams: []Stream{{}}}}}}}
	if err := WriteJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"servers":[[],[`, `"streams":[]`, `"clients":[]`, `"findings":[]`} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %s in %s", part, b.String())
		}
	}
	if b.Reset(); WriteJSON(&b, &Snapshot{}) != nil || !strings.Contains(b.String(), `"servers":[]`) {
		t.Errorf("an empty server: %s", b.String())
	}
}

// crowd is 1000 streams with 5 players each.
func crowd() *Snapshot {
	one := snapshot().Servers[0].Applications[2].Streams[0]
	c := one.Clients[1]
	c.PageURL = "https://chat.example/room?of=many"
	one.Clients = []Client{one.Clients[0], c, c, c, c, c}
	app := Application{Name: "live", Live: true}
	for i := range 1000 {
		one.Name = fmt.Sprintf("stream%d", i)
		app.Streams = append(app.Streams, one)
	}
	return &Snapshot{Servers: []Server{{Applications: []Application{app}}}}
}

func BenchmarkStatXML(b *testing.B) {
	s := crowd()
	for b.Loop() {
		if err := WriteXML(io.Discard, s, "?stylesheet"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStatJSON(b *testing.B) {
	s := crowd()
	for b.Loop() {
		if err := WriteJSON(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
}
