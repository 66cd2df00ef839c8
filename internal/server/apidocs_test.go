package server

import (
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// words splits a line as a shell does that knows quotes and one variable.
func words(line, token string) (out []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		quote := line[0]
		if quote != '\'' && quote != '"' {
			word, rest, _ := strings.Cut(line, " ")
			out, line = append(out, word), rest
			continue
		}
		word, rest, _ := strings.Cut(line[1:], string(quote))
		if quote == '"' {
			word = strings.ReplaceAll(word, "$TOKEN", token)
		}
		out, line = append(out, word), rest
	}
	return out
}

// curl sends what a line with curl does, to the rig.
func (r *rig) curl(line string) string {
	r.Helper()
	c := apiCall{method: "GET", headers: make(map[string]string)}
	all := words(line, apiSecret)
	for i := 1; i < len(all); i++ {
		switch all[i] {
		case "-H":
			i++
			name, text, _ := strings.Cut(all[i], ": ")
			c.headers[name] = text
		case "-X":
			i++
			c.method = all[i]
		case "-d":
			i++
			c.method, c.body, c.form = "POST", all[i], true
		default:
			u, err := url.Parse(all[i])
			if err != nil || u.Host == "" {
				r.Fatalf("%s: %q is no URL", line, all[i])
			}
			c.path = u.RequestURI()
		}
	}
	status, answer := c.do(r)
	if status != 200 {
		r.Errorf("%s: %d %s", line, status, answer)
	}
	return answer
}

// TestTheExamplesOfTheAPIsPageAnswerWhatItSays: each line with curl is sent, and the answer is
// the block behind it, where … is anything.
func TestTheExamplesOfTheAPIsPageAnswerWhatItSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, withAPI(watched("stream_key \"show\" {\nsecret = \"a-key-of-the-show\"\n}\nsessions {}")))
	r.publish("live", "a-key-of-the-show").seconds(4.2)
	r.eventually("the show can be watched", func() bool { return r.mist(`{"active_streams":true}`) == `{"active_streams":["show"]}` })
	r.eventually("the show has a history", func() bool {
		return !strings.Contains(r.mist(`{"totals":{"streams":["show"],"fields":["upbps"],"start":-5}}`), "null")
	})
	here := strings.NewReplacer("live.example.net", "127.0.0.1:1") // asks no name server
	examples := regexp.MustCompile("(?s)```sh\n(curl [^\n]*)\n```\n\n```json\n([^\n]*)\n```").FindAllStringSubmatch(string(page), -1)
	if len(examples) < 8 || len(examples) != strings.Count(string(page), "\ncurl ") {
		t.Fatalf("%d examples with an answer, %d lines with curl", len(examples), strings.Count(string(page), "\ncurl "))
	}
	for _, e := range examples {
		want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(here.Replace(e[2])), "…", ".*") + "$")
		if got := r.curl(here.Replace(e[1])); !want.MatchString(got) {
			t.Errorf("%s\n got %s\nwant %s", e[1], got, e[2])
		}
	}
}
