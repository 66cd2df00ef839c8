package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func callControl(method, target string, allow []string, do func(Command) (Outcome, error)) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	Control(allow, do).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

var allSections = []string{"record", "drop", "redirect", "push"}

func TestWhatACallMeans(t *testing.T) {
	for _, c := range []struct {
		target string
		want   Command
	}{
		{"/control/drop/publisher", Command{Section: "drop", Method: "publisher"}},
		{"/control/any/thing/drop/client?app=live", Command{Section: "drop", Method: "client", App: "live"}},
		{"/c/record/start?srv=1&app=a%20b&name=x%2By&rec=r+1", Command{Section: "record", Method: "start", Server: 1, App: "a b", Name: "x+y", Rec: "r 1"}},
		{"/c/drop/subscriber?addr=2001:DB8::1&clientid=18446744073709551615", Command{Section: "drop", Method: "subscriber", Addr: netip.MustParseAddr("2001:db8::1"), ClientID: 1<<64 - 1}},
		{"/c/drop/subscriber?addr=::ffff:192.0.2.1", Command{Section: "drop", Method: "subscriber", Addr: netip.MustParseAddr("192.0.2.1")}},
		{"/c/push/start?app=live&name=cam&push=yt", Command{Section: "push", Method: "start", App: "live", Name: "cam", Push: "yt"}},
		{"/c/redirect/client?newname=y%3Fa=b&other=1&other=2", Command{Section: "redirect", Method: "client", NewName: "y?a=b"}},
	} {
		for _, method := range []string{"GET", "POST"} {
			var got Command
			w := callControl(method, c.target, allSections, func(cmd Command) (Outcome, error) {
				got = cmd
				return Outcome{Count: 3, Path: "/rec/x.flv"}, nil
			})
			body := "3"
			if c.want.Section == "record" {
				body = "/rec/x.flv"
			}
			if got != c.want || w.Code != 200 || w.Body.String() != body {
				t.Errorf("%s %s is %+v, want %+v; answered %d %q", method, c.target, got, c.want, w.Code, w.Body)
			}
		}
	}
}

func TestCallsThatAreNotMade(t *testing.T) {
	for _, c := range []struct {
		name, call string
		allow      []string
		status     int
		words      string
	}{
		{"no section", "GET /control", allSections, 404, "/record/start /record/stop /drop/publisher"},
		{"no method", "GET /drop/", allSections, 400, "publisher, subscriber, client"},
		{"unknown section", "GET /control/kill/client", allSections, 404, "/redirect/client"},
		{"unknown method", "GET /control/drop/everybody", allSections, 400, `drop has no "everybody"`},
		{"a method of another section", "GET /control/record/client", allSections, 400, "start, stop"},
		{"section not allowed", "GET /control/drop/client", []string{"record"}, 404, "/record/start /record/stop\n"},
		{"HEAD", "HEAD /control/drop/client", allSections, 405, ""},
		{"DELETE", "DELETE /control/drop/client", allSections, 405, "GET or POST"},
		{"doubled argument", "GET /c/drop/client?app=a&app=b", allSections, 400, "app is there 2 times"},
		{"doubled, one spelled otherwise", "GET /c/drop/client?name=a&n%61me=b", allSections, 400, "name is there 2 times"},
		{"empty argument", "GET /c/drop/client?app=live&name=", allSections, 400, "name is empty"},
		{"argument without a value", "GET /c/drop/client?name", allSections, 400, "name is empty"},
		{"broken escape", "GET /c/drop/client?name=%zz", allSections, 400, "query"},
		{"semicolons", "GET /c/drop/client?app=live;name=x", allSections, 400, "query"},
		{"srv is no number", "GET /c/drop/client?srv=x", allSections, 400, "srv is the number"},
		{"srv below 0", "GET /c/drop/client?srv=-1", allSections, 400, "srv is the number"},
		{"addr is no address", "GET /c/drop/client?addr=localhost", allSections, 400, "IP address"},
		{"addr with a port", "GET /c/drop/client?addr=127.0.0.1:80", allSections, 400, "IP address"},
		{"clientid is no number", "GET /c/drop/client?clientid=abc", allSections, 400, "clientid is a number"},
		{"clientid 0", "GET /c/drop/client?clientid=0", allSections, 400, "clientid is a number"},
		{"newname missing", "GET /c/redirect/client?name=x", allSections, 400, "newname is missing"},
	} {
		method, target, _ := strings.Cut(c.call, " ")
		w := callControl(method, target, c.allow, func(cmd Command) (Outcome, error) {
			t.Errorf("%s: %+v was obeyed", c.name, cmd)
			return Outcome{}, nil
		})
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.words) {
			t.Errorf("%s: %d %q, want %d with %q", c.name, w.Code, w.Body, c.status, c.words)
		}
	}
	w := httptest.NewRecorder()
	Control(allSections, func(Command) (Outcome, error) { t.Error("obeyed without its arguments"); return Outcome{}, nil }).
		ServeHTTP(w, httptest.NewRequest("POST", "/c/drop/client", strings.NewReader("app=live&name=x")))
	if w.Code != 400 || !strings.Contains(w.Body.String(), "in the query") {
		t.Errorf("arguments in a body: %d %q", w.Code, w.Body)
	}
}

func TestWhatComesOfACall(t *testing.T) {
	for _, c := range []struct {
		call   string
		out    Outcome
		err    error
		status int
		body   string
	}{
		{"/drop/client", Outcome{}, nil, 200, "0"},
		{"/record/start", Outcome{}, nil, 204, ""},
		{"/record/stop", Outcome{Path: "/x"}, nil, 200, "/x"},
		{"/drop/client", Outcome{}, &ControlError{http.StatusConflict, "busy <b>"}, 409, "busy <b>\n"},
		{"/drop/client", Outcome{}, errors.New("disk"), 500, "disk\n"},
	} {
		w := callControl("GET", c.call, allSections, func(Command) (Outcome, error) { return c.out, c.err })
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.call, w.Code, w.Body, c.status, c.body)
		}
		if kind := w.Header().Get("Content-Type"); w.Code != 204 && kind != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", c.call, kind)
		}
	}
}

func FuzzControl(f *testing.F) {
	for _, seed := range []string{"app=live&name=cam", "app=a&app=b", "newname=%zz", "addr=::ffff:1.2.3.4&clientid=7", "srv=99999999999999999999;x", "name=%00%0d%0a"} {
		f.Add("drop/client", seed)
		f.Add("redirect/publisher", seed)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		fuzztime.Bound(t)
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path, r.URL.RawQuery = "/control/"+path, query
		w := httptest.NewRecorder()
		obeyed := false
		Control(allSections, func(c Command) (Outcome, error) {
			obeyed = true
			if c.Section == "redirect" && c.NewName == "" || c.Server < 0 {
				t.Errorf("%q %q is obeyed as %+v", path, query, c)
			}
			return Outcome{Path: "/x"}, nil
		}).ServeHTTP(w, r)
		if obeyed != (w.Code == 200) {
			t.Errorf("%q %q: obeyed %t, answered %d", path, query, obeyed, w.Code)
		}
	})
}
