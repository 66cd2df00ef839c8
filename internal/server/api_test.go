package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const apiSecret = "a-token-for-the-api-0123456789"

// apis are the api locations of a rig.
const apis = `
  location "/api2" {
    api {
      token "reader" {
        secret = "reader-0123456789abcdef"
      }
      token "door" {
        secret = "door-0123456789abcdef"
        scopes = ["sessions"]
      }
    }
    token = "` + apiSecret + `"
  }
  location "/api" {
    api {}
    access = ["allow 127.0.0.1", "deny all"]
  }
}`

// withAPI is a configuration with api locations.
func withAPI(hcl string) string { return strings.TrimSuffix(strings.TrimSpace(hcl), "}") + apis }

// An apiCall is a request to an api location.
type apiCall struct {
	method, path, body, token string
	form                      bool
	headers                   map[string]string
}

// do sends the request and returns the status and the answer.
func (c apiCall) do(r *rig) (int, string) {
	r.Helper()
	if c.method == "" {
		c.method = "POST"
	}
	req, err := http.NewRequest(c.method, r.web()+c.path, strings.NewReader(c.body))
	if err != nil {
		r.Fatal(err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.form {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, text := range c.headers {
		req.Header.Set(name, text)
	}
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(b))
}

// mist sends a command as the holder of the location's token, and returns the answer.
func (r *rig) mist(command string) string {
	r.Helper()
	status, answer := apiCall{path: "/api2", body: command, token: apiSecret}.do(r)
	if status != 200 {
		r.Errorf("%s: %d %s", command, status, answer)
	}
	return answer
}

// mists sends a command and wants this answer.
func (r *rig) mists(command, want string) {
	r.Helper()
	if got := r.mist(command); got != want {
		r.Errorf("%s:\n got %s\nwant %s", command, got, want)
	}
}

func TestTheAPIListsWhatCanBeWatched(t *testing.T) {
	t.Parallel()
	r := start(t, withAPI(watched("")))
	r.mists(`{"active_streams":true}`, `{"active_streams":[]}`)
	r.show(t, "cam")
	r.publish("live", "cam+anna").seconds(4.2)
	began := r.publish("live", "begins")
	began.seconds(0.2)
	r.eventually("the third has media", func() bool { return r.packets("live", "begins") > 0 })
	r.eventually("the second can be watched", func() bool { return r.mist(`{"active_streams":true}`) == `{"active_streams":["cam","cam+anna"]}` })
	r.mists(`{"active_streams":["viewers","inputs"]}`, `{"active_streams":{"cam":[0,1],"cam+anna":[0,1]}}`)
	r.mists(`{"active_streams":{"streams":"cam+","fields":["viewers","status"],"longform":true}}`, `{"active_streams":{"cam+anna":{"status":"Online","viewers":0}}}`)
	r.mists(`{"active_streams":{"stream":"cam","fields":["tracks"]}}`, `{"active_streams":{"data":{"cam":[2]},"fields":["tracks"]}}`)
	r.mists(`{"active_streams":{"all":true,"stream":["begins"],"fields":["status"]}}`, `{"active_streams":{"data":{"begins":["Initializing"]},"fields":["status"]}}`)
	r.mists(`{"stats_streams":["inputs"]}`, `{"stats_streams":{"begins":[1],"cam":[1],"cam+anna":[1]}}`)
	r.watcher("198.51.100.1").gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.mists(`{"active_streams":{"stream":"cam","fields":["viewers","clients","views","downbytes","packsent"],"longform":true},"version":true}`,
		strings.Replace(`{"active_streams":{"cam":{"clients":2,"downbytes":$N,"packsent":0,"viewers":1,"views":1}},"version":{"release":"rtmpd","version":"test"}}`,
			"$N", r.received("cam"), 1))
	answer := r.mist(`{"active_streams":{"stream":"cam","longform":true}}`)
	for _, word := range []string{`"health":{`, `"lastms":4`, `"status":"Online"`, `"viewseconds":`, `video_H264_`} {
		if !strings.Contains(answer, word) {
			t.Errorf("%s: no %s", answer, word)
		}
	}
}

// received is how many bytes a stream has received.
func (r *rig) received(name string) string {
	b, _ := json.Marshal(r.stream("live", name).Live().Snapshot().BytesIn)
	return string(b)
}

func TestHowTheAPIIsCalled(t *testing.T) {
	t.Parallel()
	r := start(t, withAPI(watched("")))
	const list = `{"active_streams":true}`
	query := "/api2?command=" + url.QueryEscape(list)
	for name, c := range map[string]struct {
		call   apiCall
		status int
		want   string
	}{
		"GET":                {apiCall{method: "GET", path: query, token: apiSecret}, 200, `{"active_streams":[]}`},
		"a form":             {apiCall{path: "/api2", body: "command=" + url.QueryEscape(list), form: true, token: apiSecret}, 200, `{"active_streams":[]}`},
		"curl -d":            {apiCall{path: "/api2", body: list, form: true, token: apiSecret}, 200, `{"active_streams":[]}`},
		"a byte order mark":  {apiCall{path: "/api2", body: "\xef\xbb\xbf" + list, token: apiSecret}, 200, `{"active_streams":[]}`},
		"a slash":            {apiCall{path: "/api2/", body: list, token: apiSecret}, 200, `{"active_streams":[]}`},
		"nothing":            {apiCall{path: "/api2", token: apiSecret}, 200, `{"authorize":{"scopes":["read","sessions","push","keys"],"status":"OK"}}`},
		"the older form":     {apiCall{path: "/api", body: list}, 200, `{"active_streams":[],"authorize":{"scopes":["read","sessions","push","keys"],"status":"OK"}}`},
		"a reader":           {apiCall{path: "/api2", body: list, token: "reader-0123456789abcdef"}, 200, `{"active_streams":[]}`},
		"a reader that acts": {apiCall{path: "/api2", body: `{"stop_sessid":"1"}`, token: "reader-0123456789abcdef"}, 403, "its scopes lack sessions"},
		"a doorman":          {apiCall{path: "/api2", body: `{"stop_sessid":"1"}`, token: "door-0123456789abcdef"}, 200, `{"stop_sessid":{"sessions":0}}`},
		"a doorman that reads": {
			apiCall{path: "/api2", body: `{"stop_sessid":"1","version":1}`, token: "door-0123456789abcdef"},
			200,
			`{"stop_sessid":{"sessions":0},"version":{"error":"this token may not: its scopes lack read"}}`,
		},
		"no token":           {apiCall{path: "/api2", body: list}, 401, ""},
		"a forged token":     {apiCall{path: "/api2", body: list, token: "reader-0123456789abcdeg"}, 401, ""},
		"JSONP":              {apiCall{method: "GET", path: query + "&callback=f", token: apiSecret}, 400, "no JSONP"},
		"an unknown command": {apiCall{path: "/api2", body: `{"fly":1}`, token: apiSecret}, 404, `{"fly":{"error":"rtmpd has no such call"}}`},
		"browsing":           {apiCall{path: "/api2", body: `{"browse":"/etc"}`, token: apiSecret}, 404, "nobody sees the server's files"},
		"an unknown field":   {apiCall{path: "/api2", body: `{"active_streams":["x"]}`, token: apiSecret}, 400, "there is no field x"},
		"no JSON":            {apiCall{path: "/api2", body: `{"active_streams":`, token: apiSecret}, 400, "no JSON"},
		"a list":             {apiCall{method: "GET", path: "/api2?command=[]", token: apiSecret}, 400, "an object"},
		"too long":           {apiCall{path: "/api2", body: `{"x":"` + strings.Repeat("x", 65<<10) + `"}`, token: apiSecret}, 413, "65536"},
		"too many":           {apiCall{path: "/api2", body: `{` + strings.Repeat(`"x":1,`, 1) + manyCommands() + `}`, token: apiSecret}, 400, "at most 64"},
		"DELETE":             {apiCall{method: "DELETE", path: "/api2", token: apiSecret}, 405, "GET or POST"},
		"PUT":                {apiCall{method: "PUT", path: "/api2", token: apiSecret}, 405, ""},
		"another path":       {apiCall{path: "/api2/x", body: list, token: apiSecret}, 404, "no such call"},
		"another site's page": {
			apiCall{path: "/api", body: list, headers: map[string]string{"Origin": "https://evil.example"}}, 403, "another origin",
		},
		"a page that has the token": {
			apiCall{path: "/api2", body: list, token: apiSecret, headers: map[string]string{"Sec-Fetch-Site": "cross-site"}}, 403, "another origin",
		},
		"a name that leads here": {apiCall{path: "/api", body: list, headers: map[string]string{"User-Agent": "curl"}}, 200, ""},
	} {
		status, got := c.call.do(r)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %s, want %d %s", name, status, got, c.status, c.want)
		}
	}
}

func manyCommands() string {
	var b strings.Builder
	for i := range 70 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"c` + string(rune('A'+i%26)) + string(rune('a'+i/26)) + `":1`)
	}
	return b.String()
}

// TestWrongTokensOfTheAPIAreBraked as elsewhere.
func TestWrongTokensOfTheAPIAreBraked(t *testing.T) {
	t.Parallel()
	r := start(t, withAPI(watched("")))
	for range 10 {
		if status, _ := (apiCall{path: "/api2", token: "x"}).do(r); status != 401 {
			t.Fatalf("a wrong token gets %d", status)
		}
	}
	if status, _ := (apiCall{path: "/api2", token: apiSecret}).do(r); status != 429 {
		t.Errorf("after ten wrong ones the right one gets %d, want 429", status)
	}
}

func TestTheAPIEndsAndTagsSessions(t *testing.T) {
	t.Parallel()
	r := start(t, withAPI(watched("sessions {\ntimeout = \"1h\"\n}")))
	r.show(t, "cam")
	a, b := r.watcher("198.51.100.1"), r.watcher("198.51.100.2")
	a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	b.gets("/live/cam.m3u8", 200, "#EXTM3U")
	var table struct {
		Clients struct {
			Fields []string
			Data   [][]any
		}
	}
	if err := json.Unmarshal([]byte(r.mist(`{"clients":{"streams":["cam"],"fields":["sessid","host","stream","protocol"]}}`)), &table); err != nil || len(table.Clients.Data) != 2 {
		t.Fatalf("clients: %v, %v", table, err)
	}
	id := make(map[string]string)
	for _, row := range table.Clients.Data {
		if row[2] != "cam" || row[3] != "HLS" {
			t.Errorf("a row says %v", row)
		}
		id[row[1].(string)] = row[0].(string)
	}
	r.mists(`{"tag_sessid":{"`+id["198.51.100.1"]+`":"loud"}}`, `{"tag_sessid":{"sessions":1}}`)
	r.mists(`{"stop_tag":"loud"}`, `{"stop_tag":{"sessions":1}}`)
	r.mists(`{"stop_sessid":["`+id["198.51.100.1"]+`"]}`, `{"stop_sessid":{"sessions":0}}`)
	r.mists(`{"stop_sessid":"`+id["198.51.100.2"]+`"}`, `{"stop_sessid":{"sessions":1}}`)
	a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.mists(`{"stop_sessions":{"cam":"dash"}}`, `{"stop_sessions":{"sessions":0}}`)
	r.mists(`{"invalidate_sessions":"cam"}`, `{"invalidate_sessions":{"sessions":1}}`)
	r.mists(`{"invalidate_sessions":["other","live/cam"]}`, `{"invalidate_sessions":{"sessions":1}}`)
	answer := r.mist(`{"stop_sessions":"cam","clients":{"fields":["host"]},"active_streams":["viewers"]}`)
	if !strings.HasPrefix(answer, `{"active_streams":{"cam":[0]},"clients":{"data":[],"fields":["host"],"time":`) || !strings.HasSuffix(answer, `},"stop_sessions":{"sessions":1}}`) {
		t.Errorf("several commands: %s", answer)
	}
	r.mists(`{"nuke_stream":"cam"}`, `{"nuke_stream":{"streams":1}}`)
	r.eventually("the stream is gone", func() bool { return r.mist(`{"active_streams":true}`) == `{"active_streams":[]}` })
}

func TestTheAPISumsUpTheLastSeconds(t *testing.T) {
	t.Parallel()
	r := start(t, withAPI(watched("sessions {}")))
	r.mists(`{"totals":{"streams":["other"],"fields":["upbps"],"start":-5}}`, `{"totals":{"fields":["upbps"],"start":null,"end":null,"data":null,"interval":null}}`)
	r.show(t, "cam")
	type totals struct {
		Totals struct {
			Fields     []string
			Start, End int64
			Data       [][]uint64
			Interval   [][2]int64
		}
	}
	ask := func(question string) (out totals) {
		t.Helper()
		if err := json.Unmarshal([]byte(r.mist(question)), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	sent := uint64(0)
	w := r.watcher("198.51.100.1")
	w.plain = true
	w.gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.eventually("a sample of the viewer", func() bool {
		rows := ask(`{"totals":{"streams":["cam"],"fields":["clients","inputs"]}}`).Totals.Data
		return len(rows) > 0 && rows[len(rows)-1][0] == 1 && rows[len(rows)-1][1] == 1
	})
	sent = uint64(len(w.gets("/live/cam-0.ts", 200, "").body))
	r.eventually("a sample with what was sent", func() bool {
		var sum uint64
		a := ask(`{"totals":{"streams":["cam"],"fields":["upbps"],"protocols":["HLS"]}}`).Totals
		for _, row := range a.Data {
			sum += row[0]
		}
		if n := int64(len(a.Data)); n > 1 && (a.Interval[0] != [2]int64{n - 1, 1} || a.End-a.Start != n-1) {
			t.Fatalf("%d rows: %+v", n, a)
		}
		return sum >= sent
	})
	if a := ask(`{"totals":{"streams":["cam"],"fields":["upbps"],"start":-5}}`).Totals; len(a.Data) > 6 || len(a.Data) == 0 {
		t.Errorf("start -5 has %d rows", len(a.Data))
	}
	if a := ask(`{"totals":{"fields":["clients"],"start":-1,"protocols":["RTMP"]}}`).Totals; len(a.Data) == 0 || a.Data[0][0] != 0 {
		t.Errorf("RTMP has %v", a.Data)
	}
}

func TestATokenOfTheAPIMayBeAHash(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(withAPI(watched("")), `secret = "reader-0123456789abcdef"`,
		`secret_sha256 = "141b7f7299bdf1316de325d8b738aa325ce9978304788867a7e066de2309c17c"`, 1))
	if status, answer := (apiCall{path: "/api2", body: `{"version":true}`, token: "reader-0123456789abcdef"}).do(r); status != 200 || strings.Contains(answer, "error") {
		t.Errorf("%d %s", status, answer)
	}
}
