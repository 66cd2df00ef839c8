package pages

import (
	"net/url"
	"strings"
	"testing"
)

func TestOEmbedKnowsItsOwnPagesAlone(t *testing.T) {
	h, _ := handler(t, defaults(), live("test"))
	for target, status := range map[string]int{
		"https://tv.example/mist/watch/test.html":                   200,
		"http://tv.example/mist/watch/show/test.html":               200,
		"https://tv.example/mist/watch/embed/test":                  200,
		"https://other.example/mist/watch/test.html":                200, // it says only what stands on this server
		"https://tv.example/watch/test.html":                        404,
		"https://tv.example/mist/watch/json_test.js":                404,
		"https://tv.example/mist/watch/none/test.html":              404,
		"javascript:alert(1)//mist/watch/test.html":                 404,
		"https://tv.example/mist/watch/../../mist/watch/x%00y.html": 404,
		"https://tv.example/mist/watch/%3Cscript%3E.html":           404,
	} {
		resp, body := ask(t, h, "GET /oembed?url="+url.QueryEscape(target))
		differs(t, target, resp.StatusCode, status)
		if status == 200 && !strings.Contains(body, `src=\"https://tv.example/mist/watch/embed/test\"`) {
			t.Errorf("%s: %s", target, body)
		}
	}
	resp, _ := ask(t, h, "GET /oembed?format=xml&url=https://tv.example/mist/watch/test.html")
	differs(t, "as XML", resp.StatusCode, 501)
	for query, want := range map[string]string{
		"":                               `"width":1280,"height":720`,
		"&maxwidth=640":                  `"width":640,"height":360`,
		"&maxheight=90":                  `"width":160,"height":90`,
		"&maxwidth=640&maxheight=90":     `"width":160,"height":90`,
		"&maxwidth=-1&maxheight=x":       `"width":1280,"height":720`,
		"&maxwidth=99999999999999999999": `"width":1280,"height":720`,
		"&maxwidth=1&maxheight=1":        `"width":1,"height":1`,
	} {
		if _, body := ask(t, h, "GET /oembed?url=https://tv.example/mist/watch/test.html"+query); !strings.Contains(body, want) {
			t.Errorf("%s: %s", query, body)
		}
	}
}
