package pages

import (
	"strings"
	"testing"
)

func TestTheCalculatorSaysWhatItTakes(t *testing.T) {
	t.Parallel()
	h, _ := handler(t, defaults(), live("calc")) // a stream of that name has its own page
	for query, words := range map[string]string{
		"":                                "50 streams of 2 Mb/s with 600 viewers over HTTP take:",
		"?streams=2&mbps=2.5&viewers=10":  "5 Mb/s in and 25 Mb/s out",
		"?hours=24":                       "24 h of recordings",
		"?streams=x":                      "streams: write a whole number",
		"?streams=0":                      "streams: from 1",
		"?mbps=NaN":                       "mbps: more than 0",
		"?mbps=1e999":                     "write a number of Mb/s",
		"?hours=NaN":                      "hours: write a number",
		"?viewers=99999999999999999999":   "viewers: write a whole number",
		"?players=%22%3E%3Cscript%3Ex%3C": "players: write a whole number",
	} {
		resp, body := ask(t, h, "GET /calc"+query)
		if resp.StatusCode != 200 || !strings.Contains(body, words) {
			t.Errorf("%s: %d, no %q in\n%s", query, resp.StatusCode, words, body)
		}
		if strings.Contains(body, "<script") || strings.Contains(body, "style=") {
			t.Errorf("%s: something stands in the page that the policy forbids:\n%s", query, body)
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self'") {
			t.Errorf("policy %q", policy)
		}
	}
	if _, body := ask(t, h, "GET /calc.html"); strings.Contains(body, "What does it take") {
		t.Error("the page of the stream calc is the calculator")
	}
}
