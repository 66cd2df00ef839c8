package cmcd

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

const ms = time.Millisecond

var texts = []struct {
	text string
	want Report
}{
	// As hls.js 1.6, dash.js 5 and Shaka 4 write it, and the examples of CTA-5004.
	{`bl=21300,br=3200,bs,cid="faec5fc2-ac30-11eabb37-0242ac130002",d=4004,dl=18500,mtp=48100,nor="..%2F300kbps%2Ftrack.m4v",nrr="12323-48763",ot=v,pr=1.08,rtp=12000,sf=d,sid="6e2fb550-c457-11e9-bb97-0800200c9a66",st=v,su,tb=6000`, Report{
		Session: "6e2fb550-c457-11e9-bb97-0800200c9a66", Buffer: 21300 * ms, Throughput: 48100e3, Starved: true, Startup: true,
	}},
	{`v=2,sid="a,b",bl=(4200;v 3800;a),ltc=5100,mtp=(4800),bsd=(350)`, Report{Session: "a,b", Buffer: 4200 * ms, Throughput: 4800e3, Latency: 5100 * ms, Waiting: 350 * ms}},
	{`bl=(3800;a 4200;v)`, Report{Buffer: 4200 * ms}},
	{`bs=?0, su=?1 ,bl=100;x=1`, Report{Startup: true, Buffer: 100 * ms}},
	{`bs;x,bl=1.5`, Report{Starved: true, Buffer: 1500 * time.Microsecond}},
	{`sid=token;p`, Report{Session: "token"}},
	{`sid="no end,bl=100`, Report{}},
	{`sid="` + strings.Repeat("x", 65) + `"`, Report{}},
	{`bl=-5,mtp=1e30,ltc=NaN,bsd=(,bl=`, Report{}},
	{`mtp=999999999999,ltc=86400001,bl=0x10`, Report{}},
	{`,,=,;,"",()`, Report{}},
	{"", Report{}},
}

func TestWhatPlayersSayIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range texts {
		var got Report
		if got.Add(c.text); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.text, got, c.want)
		}
		query := "a=1&CMCD=" + url.QueryEscape(c.text) + "&b"
		if got, ok := FromQuery(query); !ok || got != c.want {
			t.Errorf("%s: %+v (%t), want %+v", query, got, ok, c.want)
		}
		if got := Strip(query); got != "a=1&b" {
			t.Errorf("without it: %s", got)
		}
	}
	for _, query := range []string{"", "a=1", "cmcd=bs", "CMCD=%zz", "CMCD=" + strings.Repeat("x", 5000)} {
		if _, ok := FromQuery(query); ok {
			t.Errorf("%.20s has some", query)
		}
	}
	if got := Strip("a=1"); got != "a=1" {
		t.Error(got)
	}
}

func TestTheHealthOfAStreamsViewers(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1e9, 0)
	h := NewPool().NewHealth()
	for i := range 10 {
		r := Report{Session: fmt.Sprint(i), Buffer: time.Duration(i+1) * time.Second, Throughput: float64(i+1) * 1e6, Latency: time.Duration(i+1) * time.Second}
		h.Report(&r, 0, begin)
		h.Report(&r, 7, begin.Add(time.Second)) // the same session
	}
	h.Report(&Report{Session: "0", Starved: true, Waiting: time.Second}, 0, begin.Add(2*time.Second))
	h.Report(&Report{Session: "0", Buffer: time.Second}, 0, begin.Add(3*time.Second))
	want := Figures{
		Players: 10, Stalling: 1, Reports: 22, Sessions: 10, Stalls: 1, Waited: time.Second, Buffer: 6 * time.Second, BufferLow: 2 * time.Second,
		Throughput: 6e6, ThroughputLow: 2e6, Latency: 6 * time.Second, LatencyHigh: 9 * time.Second,
	}
	if got := h.Figures(begin.Add(4 * time.Second)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := h.Figures(begin.Add(32 * time.Second)); got.Players != 1 || got.Stalling != 1 || got.Reports != 22 || got.Buffer != time.Second {
		t.Errorf("after 30 s: %+v", got)
	}
	if got := h.Figures(begin.Add(time.Hour)); got.Players != 0 || got.Buffer != 0 || got.Stalls != 1 {
		t.Errorf("when all have gone: %+v", got)
	}
	h.Report(&Report{}, 1, begin)
	h.Report(&Report{}, 2, begin)
	if got := h.Figures(begin); got.Players != 2 {
		t.Errorf("without a session: %d players", got.Players)
	}
}

// Whoever invents sessions fills a table of a fixed size.
func TestInventedSessionsAreBounded(t *testing.T) {
	t.Parallel()
	pool, now := NewPool(), time.Unix(1e9, 0)
	var all []*Health
	for stream := range 60 {
		h := pool.NewHealth()
		all = append(all, h)
		for i := range 1100 {
			h.Report(&Report{Session: fmt.Sprint(i)}, 0, now)
		}
		if n := h.Figures(now).Players; n > 1000 || stream < 50 && n != 1000 {
			t.Fatalf("stream %d: %d players", stream, n)
		}
	}
	if n := pool.held.Load(); n != 50000 {
		t.Errorf("%d are kept of all", n)
	}
	later := now.Add(time.Minute)
	all[0].Report(&Report{Session: "new"}, 0, later)
	if f := all[0].Figures(later); f.Players != 1 {
		t.Errorf("who has gone does not make room: %+v", f)
	}
	for _, h := range all {
		h.Close()
	}
	if n := pool.held.Load(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestAReportAllocatesNothing(t *testing.T) {
	h, now := NewPool().NewHealth(), time.Unix(1e9, 0)
	if n := testing.AllocsPerRun(100, func() {
		var r Report
		r.Add(texts[0].text)
		h.Report(&r, 0, now)
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever is sent: no figure is beyond what is believed, and no text is long.
func FuzzParse(f *testing.F) {
	for _, c := range texts {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fuzztime.Bound(t)
		var r Report
		r.Add(text)
		if r.Buffer < 0 || r.Buffer > maxTime || r.Latency < 0 || r.Latency > maxTime || r.Waiting < 0 || r.Waiting > maxTime ||
			!(r.Throughput >= 0 && r.Throughput <= maxThroughput) || len(r.Session) > maxSession {
			t.Errorf("%+v", r)
		}
		if query := "CMCD=" + url.QueryEscape(text); len(query) < maxText {
			if got, ok := FromQuery(query); !ok || got != r {
				t.Errorf("in a query %+v, else %+v", got, r)
			}
		}
	})
}
