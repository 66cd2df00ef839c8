package apiserver

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
)

var totalFields = []string{"clients", "inputs", "outputs", "downbps", "upbps", "perc_lost", "perc_retrans"}

// totals are sums over streams, one for each second: bytes a second, not bits.
func (s *Server) totals(_ *api.Caller, arg json.RawMessage) (any, error) {
	var answers []any
	list, err := each(arg, func(one json.RawMessage) error {
		var want totalsQuestion
		if strings.HasPrefix(strings.TrimSpace(string(one)), "{") && json.Unmarshal(one, &want) != nil {
			return refusal(http.StatusBadRequest, "streams, protocols and fields are lists of names, start and end are numbers")
		}
		if len(want.Fields) == 0 {
			want.Fields = totalFields
		}
		if err := checkFields(want.Fields, totalFields); err != nil {
			return err
		}
		answers = append(answers, s.history.totals(&want, seconds(time.Now())))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if list {
		return answers, nil
	}
	return answers[0], nil
}

type totalsQuestion struct {
	Streams, Protocols, Fields []string
	Start, End                 int64 // Unix seconds; negative: before now; 0: all there is
}

// A totalsAnswer is null throughout where there is nothing.
type totalsAnswer struct {
	Fields   []string   `json:"fields"`
	Start    *int64     `json:"start"`
	End      *int64     `json:"end"`
	Data     [][]uint64 `json:"data"`
	Interval [][2]int64 `json:"interval"` // how often, and how many seconds between two rows
}

func (h *history) totals(q *totalsQuestion, now int64) totalsAnswer {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := totalsAnswer{Fields: q.Fields}
	from := []*series{&h.all}
	if len(q.Streams) > 0 {
		from = nil
		filters := newFilters(q.Streams)
		for key, s := range h.of {
			if selected(filters, key.app, key.name) {
				from = append(from, s)
			}
		}
	}
	start, end := q.Start, q.End
	if start < 0 {
		start += now
	}
	if end <= 0 {
		end += now
	}
	end = min(end, h.all.end)
	if q.Start < 0 && start > end && end > start-kept { // a machine that is too busy to take samples: the newest one
		start = end
	}
	start = max(start, end-kept+1)
	for at := start; at <= end; at++ {
		var sum sample
		there := false
		for _, s := range from {
			if v, ok := s.at(at); ok {
				sum.add(v)
				there = true
			}
		}
		switch {
		case there && out.Start == nil:
			out.Start = new(at)
		case !there && out.Start == nil:
			continue
		}
		row := make([]uint64, len(q.Fields))
		for i, f := range q.Fields {
			row[i] = sum.total(f, q.Protocols)
		}
		out.Data = append(out.Data, row)
		out.End = new(at)
	}
	if n := len(out.Data); n > 1 {
		out.Interval = [][2]int64{{int64(n - 1), 1}}
	} else if n == 1 {
		out.Interval = [][2]int64{}
	}
	return out
}

// total is a field of a sample, over the protocols; none: all.
func (v *sample) total(field string, protocols []string) uint64 {
	rtmp, http := len(protocols) == 0, len(protocols) == 0
	if !rtmp {
		rtmp = slices.ContainsFunc(protocols, func(p string) bool { return strings.EqualFold(p, "RTMP") })
		http = slices.ContainsFunc(protocols, func(p string) bool {
			return slices.Contains([]string{"HLS", "DASH", "CMAF", "HTTP"}, strings.ToUpper(p))
		})
	}
	var out uint64
	add := func(yes bool, n uint32) {
		if yes {
			out += uint64(n)
		}
	}
	switch field {
	case "clients":
		add(rtmp, v.Players)
		add(http, v.Viewers)
	case "inputs":
		add(rtmp, v.Inputs)
	case "outputs":
		add(rtmp, v.Outputs)
	case "downbps":
		add(rtmp, v.Down)
	case "upbps":
		add(rtmp, v.UpRTMP)
		add(http, v.UpHTTP)
	}
	return out // perc_lost, perc_retrans: TCP has none
}
