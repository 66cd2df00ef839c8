package server

import (
	"net/url"
	"strings"
	"testing"
)

// A name is one stream, in whatever Unicode form somebody types it: at publish,
// at play, in a key, a URL or a call of control.
func TestNamesInEveryScript(t *testing.T) {
	t.Parallel()
	const keyed = `
    stream_key "holder" {
      secret = "a-secret-of-somebody"
      stream = "cle\u0301"
    }`
	r := start(t, strings.Replace(watched(""), "application \"live\" {", "application \"keyed\" {"+keyed+`
  }
  application "live" {`, 1))
	for typed, name := range map[string]string{
		"cafe\u0301": "caf\u00e9",
		"हिन्दी":     "हिन्दी",
		"ที่นี่":     "ที่นี่",
		"தமிழ்":      "தமிழ்",
		"বাংলা":      "বাংলা",
	} {
		p := r.publish("live", typed)
		p.seconds(4.2)
		r.eventually("a playlist of "+name, func() bool {
			status, _ := r.call("/live/" + url.PathEscape(name) + ".m3u8")
			return status == 200
		})
		for _, form := range []string{typed, name} {
			status, body := r.call("/live/" + url.PathEscape(form) + ".m3u8")
			if status != 200 || !strings.Contains(body, url.PathEscape(name)+"-0.ts") {
				t.Errorf("%+q by HTTP: %d\n%s", form, status, body)
			}
			p := r.spectate("live", form, dialling{})
			r.fanOf("live", name, 1)
			p.Close()
			r.eventually("the player has left", func() bool { return r.stream("live", name).Fan() == nil })
		}
	}
	p := r.publish("live", "de\u0301compose\u0301")
	p.seconds(1)
	r.eventually("the stream has the composed name", func() bool { return r.packets("live", "d\u00e9compos\u00e9") > 0 })
	p = r.publish("keyed", "a-secret-of-somebody")
	p.seconds(1)
	r.eventually("the key has a composed name", func() bool { return r.packets("keyed", "cl\u00e9") > 0 })
	r.refused("live", "a-\u0301", dialling{}, statusBadName, "bad stream name")
}

func TestControlTakesEveryFormOfAName(t *testing.T) {
	r := start(t, steered)
	p := r.publish("live", "caf\u00e9")
	p.seconds(1)
	r.count(1, "/control/redirect/publisher?app=live&name="+url.QueryEscape("cafe\u0301")+"&newname="+url.QueryEscape("the\u0301"))
	r.eventually("the stream is moved", func() bool { return r.stream("live", "th\u00e9") != nil })
	r.count(1, "/control/drop/publisher?app=live&name="+url.QueryEscape("the\u0301"))
}
