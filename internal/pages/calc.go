package pages

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/capacity"
)

// calcPath is where the page is that says what so many streams and viewers take. It is no
// page of a stream: those have .html.
const calcPath = "/calc"

// calcPage is what that page shows. It needs no script: the form asks for the page anew.
type calcPage struct {
	Root                            string
	Streams, Mbps, Viewers, Players string
	Hours                           string
	Error                           string
	Sentences                       []string
}

const maxHours = 10 * 365 * 24

func (h *Handler) serveCalc(w http.ResponseWriter, r *http.Request, v Visit) {
	q := r.URL.Query()
	page := calcPage{
		Root: v.root(), Streams: cmp.Or(q.Get("streams"), "50"), Mbps: cmp.Or(q.Get("mbps"), "2"),
		Viewers: cmp.Or(q.Get("viewers"), "600"), Players: cmp.Or(q.Get("players"), "0"), Hours: cmp.Or(q.Get("hours"), "0"),
	}
	p, err := page.plan()
	if err != nil {
		page.Error = err.Error()
	} else {
		page.Sentences = capacity.Sentences(p, &capacity.Shipped, false)
	}
	policy := strings.Replace(h.policyFor(nil), "form-action 'none'", "form-action 'self'", 1)
	h.render(w, r, &v, "calc.html", policy, page)
}

// plan reads the form.
func (c *calcPage) plan() (p capacity.Plan, err error) {
	number := func(what, text string) int {
		n, bad := strconv.Atoi(text)
		if bad != nil && err == nil {
			err = fmt.Errorf("%s: write a whole number", what)
		}
		return n
	}
	p = capacity.Plan{Streams: number("streams", c.Streams), Viewers: number("viewers", c.Viewers), Players: number("players", c.Players), Fragment: 5 * time.Second, Keyframe: 2 * time.Second}
	mbps, bad := strconv.ParseFloat(c.Mbps, 64)
	hours, worse := strconv.ParseFloat(c.Hours, 64)
	switch {
	case err != nil:
		return p, err
	case bad != nil:
		return p, fmt.Errorf("bit rate: write a number of Mb/s")
	case worse != nil || math.IsNaN(hours) || hours < 0 || hours > maxHours:
		return p, fmt.Errorf("hours: write a number up to %d", maxHours)
	}
	p.Mbps, p.Recorded = mbps, time.Duration(hours*float64(time.Hour)).Round(time.Second)
	return p, p.Check()
}
