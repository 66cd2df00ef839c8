package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// A document is an OpenAPI document, as far as the tests look into it.
type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]json.RawMessage }

	good map[string]bool // operations that were called with success
}

type operation struct {
	Scope       string `json:"x-scope"`
	RequestBody struct {
		Content map[string]struct{ Schema json.RawMessage }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema json.RawMessage }
	}
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Properties map[string]json.RawMessage
	Required   []string
	Items      json.RawMessage
}

// check says where v is not what a schema says.
func (d *document) check(at string, text json.RawMessage, v any) []string {
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		return []string{at + ": " + err.Error()}
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.check(at, d.Components.Schemas[name], v)
	}
	var wrong []string
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			return []string{at + " is an object, not " + s.Type}
		}
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				wrong = append(wrong, at+" has no "+name)
			}
		}
		for name, member := range v {
			if s.Properties != nil && s.Properties[name] == nil {
				wrong = append(wrong, at+" has "+name)
				continue
			}
			if s.Properties != nil {
				wrong = append(wrong, d.check(at+"."+name, s.Properties[name], member)...)
			}
		}
	case []any:
		if s.Type != "array" {
			return []string{at + " is a list, not " + s.Type}
		}
		for i, item := range v {
			wrong = append(wrong, d.check(fmt.Sprintf("%s[%d]", at, i), s.Items, item)...)
		}
	default:
		want := map[string][]string{"string": {"string"}, "float64": {"integer", "number"}, "bool": {"boolean"}}[fmt.Sprintf("%T", v)]
		if !slices.Contains(want, s.Type) {
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %s", at, v, s.Type))
		}
	}
	return wrong
}

// rest calls REST and checks the answer against the document.
func (r *rig) rest(d *document, method, path, body string, status int) string {
	r.Helper()
	got, answer := apiCall{method: method, path: "/api2/v1" + path, body: body, token: apiSecret}.do(r)
	if got != status {
		r.Errorf("%s %s: %d %s, want %d", method, path, got, answer, status)
		return answer
	}
	plain, _, _ := strings.Cut(path, "?")
	for pattern, item := range d.Paths {
		op, there := item[strings.ToLower(method)]
		if !there || !matches(pattern, plain) {
			continue
		}
		code := fmt.Sprint(status)
		if status >= 400 {
			code = "4XX"
		} else {
			d.good[method+" "+pattern] = true
		}
		response, there := op.Responses[code]
		if !there {
			r.Errorf("%s %s: openapi.json has no answer %s", method, pattern, code)
		}
		text := response.Content["application/json"].Schema
		if text == nil {
			if answer != "" {
				r.Errorf("%s %s answers %s, and openapi.json says nothing", method, path, answer)
			}
			return answer
		}
		var v any
		if err := json.Unmarshal([]byte(answer), &v); err != nil {
			r.Errorf("%s %s: %v", method, path, err)
		}
		for _, wrong := range d.check(pattern, text, v) {
			r.Errorf("%s %s: %s: %s", method, path, wrong, answer)
		}
		return answer
	}
	r.Errorf("%s %s is not in openapi.json", method, path)
	return answer
}

// matches reports whether a path is of a pattern.
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

var updateOpenAPI = flag.Bool("update-openapi", false, "write testdata/openapi.json")

func TestWhatRESTAnswersIsWhatItsDocumentSays(t *testing.T) {
	t.Parallel()
	hcl := withAPI(strings.Replace(pushing, "$PUSHES", "record \"tape\" {\npath = \"$DIR/tapes\"\n}", 1))
	r := start(t, hcl)
	status, text := apiCall{method: "GET", path: "/api2/v1/openapi.json", token: apiSecret}.do(r)
	d := document{good: make(map[string]bool)}
	if err := json.Unmarshal([]byte(text), &d); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(text+"\n"), "", "  "); err != nil {
		t.Fatal(err)
	}
	if *updateOpenAPI {
		if err := os.WriteFile("testdata/openapi.json", pretty.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if golden, err := os.ReadFile("testdata/openapi.json"); err != nil || !bytes.Equal(golden, pretty.Bytes()) {
		t.Errorf("the document differs from testdata/openapi.json (-update-openapi writes it): %v", err)
	}

	r.rest(&d, "GET", "/openapi.json", "", 200)
	r.rest(&d, "GET", "/version", "", 200)
	r.rest(&d, "GET", "/health", "", 200)
	r.rest(&d, "GET", "/streams", "", 200)
	cam := r.publish("live", "annas-secret-key")
	cam.seconds(2.2)
	r.eventually("anna can be watched", func() bool {
		return strings.Contains(r.rest(&d, "GET", "/streams?ready=true", "", 200), `"name":"anna","state":"ready"`)
	})
	r.rest(&d, "GET", "/streams/live/anna", "", 200)
	r.rest(&d, "GET", "/streams/live/nobody", "", 404)
	r.rest(&d, "GET", "/streams?fly=1", "", 400)
	r.rest(&d, "GET", "/streams?ready=perhaps", "", 400)
	r.playing(r.mustDial("live", dialling{}).Client, "anna")
	r.eventually("a session", func() bool {
		return strings.Contains(r.rest(&d, "GET", "/sessions?stream=anna", "", 200), `"protocols":["RTMP"]`)
	})
	var sessions struct{ Sessions []struct{ ID uint64 } }
	_ = json.Unmarshal([]byte(r.rest(&d, "GET", "/sessions", "", 200)), &sessions)
	id := fmt.Sprint(sessions.Sessions[0].ID)
	r.rest(&d, "POST", "/sessions/"+id+"/tags", `{"tag":"loud"}`, 204)
	r.rest(&d, "POST", "/sessions/"+id+"/tags", `{"tag":"[x]"}`, 400)
	r.rest(&d, "POST", "/sessions/"+id+"/tags", `{"label":"x"}`, 400)
	if got := r.rest(&d, "GET", "/sessions?tag=loud", "", 200); !strings.Contains(got, `"tags":["loud"]`) {
		t.Errorf("the tag: %s", got)
	}
	r.rest(&d, "POST", "/sessions/invalidate", `{"stream":"anna"}`, 200)
	r.rest(&d, "POST", "/sessions/invalidate", `{}`, 400)
	r.rest(&d, "DELETE", "/sessions", "", 400)
	r.rest(&d, "DELETE", "/sessions?tag=quiet", "", 200)
	r.rest(&d, "DELETE", "/sessions/"+id, "", 204)
	r.rest(&d, "DELETE", "/sessions/999999999", "", 404)

	target := "rtmp://" + r.addr(0) + "/copy/once-secret"
	r.rest(&d, "POST", "/pushes", `{"stream":"live/anna","target":"`+target+`","once":true}`, 201)
	var pushes struct{ Running, Kept []struct{ ID any } }
	list := r.rest(&d, "GET", "/pushes", "", 200)
	if err := json.Unmarshal([]byte(list), &pushes); err != nil || len(pushes.Running) != 1 || strings.Contains(list, "once-secret") {
		t.Fatalf("pushes: %s", list)
	}
	r.rest(&d, "DELETE", fmt.Sprintf("/pushes/%v", pushes.Running[0].ID), "", 204)
	kept := r.rest(&d, "POST", "/pushes", `{"stream":"live/anna+","target":"`+target+`","inhibit":["anna+x"],"not_before":"2026-01-01T20:00:00Z","not_after":"2099-01-01T00:00:00Z"}`, 201)
	r.rest(&d, "POST", "/pushes", `{"stream":"live/anna","target":"/etc/passwd"}`, 400)
	r.rest(&d, "GET", "/pushes", "", 200)
	_ = json.Unmarshal([]byte(r.rest(&d, "GET", "/pushes", "", 200)), &pushes)
	if len(pushes.Kept) != 1 || !strings.Contains(kept, fmt.Sprint(pushes.Kept[0].ID)) {
		t.Fatalf("kept: %s, %v", kept, pushes.Kept)
	}
	r.rest(&d, "DELETE", fmt.Sprintf("/pushes/%v", pushes.Kept[0].ID), "", 204)
	r.rest(&d, "DELETE", "/pushes/none", "", 404)

	var key struct{ ID string }
	_ = json.Unmarshal([]byte(r.rest(&d, "POST", "/keys", `{"key":"bens-secret-key","stream":"live/ben"}`, 201)), &key)
	r.rest(&d, "POST", "/keys", `{"key":"annas-secret-key","stream":"ben"}`, 409)
	if got := r.rest(&d, "GET", "/keys", "", 200); !strings.Contains(got, `"stream":"ben"`) || strings.Contains(got, "bens-secret") {
		t.Errorf("keys: %s", got)
	}
	r.rest(&d, "DELETE", "/keys/"+key.ID, "", 204)
	r.rest(&d, "DELETE", "/keys/"+key.ID, "", 404)

	r.eventually("a recording", func() bool {
		got := r.rest(&d, "GET", "/recordings?stream=anna", "", 200)
		return strings.Contains(got, `"file":"anna`) && !strings.Contains(got, r.dir)
	})
	r.rest(&d, "DELETE", "/streams/live/anna", "", 204)
	cam.ended()
	r.rest(&d, "DELETE", "/streams/live/nobody", "", 404)

	for path, item := range d.Paths {
		for method, op := range item {
			if op.Scope == "" && path != "/openapi.json" {
				t.Errorf("%s %s has no scope", method, path)
			}
			if !d.good[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s was not tried", method, path)
			}
		}
	}
	for _, c := range []struct {
		call   apiCall
		status int
	}{
		{apiCall{method: "GET", path: "/api2/v1/nothing", token: apiSecret}, 404},
		{apiCall{method: "GET", path: "/api2/v1", token: apiSecret}, 404},
		{apiCall{method: "POST", path: "/api2/v1/streams", token: apiSecret}, 405},
		{apiCall{method: "GET", path: "/api2/v1/keys", token: "reader-0123456789abcdef"}, 403},
		{apiCall{method: "GET", path: "/api2/v1/streams", token: "door-0123456789abcdef"}, 403},
		{apiCall{method: "GET", path: "/api2/v1/openapi.json", token: "door-0123456789abcdef"}, 200},
		{apiCall{method: "GET", path: "/api2/v1/streams"}, 401},
		{apiCall{path: "/api2/v1/keys", body: `{"key":"` + strings.Repeat("x", 70000) + `"}`, token: apiSecret}, 413},
		{apiCall{path: "/api2/v1/keys", body: `{"key":"a"}{"key":"b"}`, token: apiSecret}, 400},
		{apiCall{method: "DELETE", path: "/api/v1/sessions?stream=x", headers: map[string]string{"Origin": "https://evil.example"}}, 403},
	} {
		if status, answer := c.call.do(r); status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.call.method, c.call.path, status, answer, c.status)
		}
	}
}

func TestAWebSocketOfTheAPIPushesWhatChanges(t *testing.T) {
	t.Parallel()
	r := start(t, withAPI(watched("")))
	bearer := "Authorization: Bearer " + apiSecret + "\r\n"
	if _, res := r.openSocket("/api2/ws", ""); res.StatusCode != 401 {
		t.Errorf("without a token: %d", res.StatusCode)
	}
	if _, res := r.openSocket("/api2/ws", "Authorization: Bearer door-0123456789abcdef\r\n"); res.StatusCode != 403 {
		t.Errorf("without the scope: %d", res.StatusCode)
	}
	if _, res := r.openSocket("/api/ws", "Origin: https://evil.example\r\n"); res.StatusCode != 403 {
		t.Errorf("from another site: %d", res.StatusCode)
	}
	if _, res := r.openSocket("/api2/socket", bearer); res.StatusCode != 404 {
		t.Errorf("elsewhere: %d", res.StatusCode)
	}
	s, res := r.openSocket("/api2/ws?logs=5&streams=1", bearer)
	if res.StatusCode != 101 {
		t.Fatalf("status %d", res.StatusCode)
	}
	expect := func(want string) {
		t.Helper()
		for {
			text, code := s.next(t)
			if code != 0 {
				t.Fatalf("closed with %d before %s", code, want)
			}
			if strings.HasPrefix(text, want) {
				return
			}
		}
	}
	expect(`["auth",true]`)
	p := r.publish("live", "cam")
	p.seconds(4.2)
	expect(`["stream",["cam","Online",0,1,0,[]]]`)
	p.cut()
	r.srv.Kick("live", "cam", 0)
	expect(`["stream",["cam","Offline",0,0,0,[]]]`)
	s, _ = r.openSocket("/api2/ws?logs=100", bearer)
	expect(`["log",[`)
	if lines := r.mist(`{"log":true}`); !strings.Contains(lines, `,"INFO","stream ended `) {
		t.Errorf("log: %s", lines)
	}
	r.reload(withAPI(watched("max_players = 7")))
	for {
		if _, code := s.next(t); code != 0 {
			if code != 1001 {
				t.Errorf("a reload closes with %d", code)
			}
			break
		}
	}
}
