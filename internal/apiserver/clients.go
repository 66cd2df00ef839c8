package apiserver

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/origin"
)

var clientFields = []string{
	"host", "stream", "protocol", "conntime", "position", "down", "up", "downbps", "upbps",
	"sessid", "pktcount", "pktlost", "pktretransmit",
}

// maxRows bounds the sessions that one answer shows.
const maxRows = 20000

// clients lists who watches.
func (s *Server) clients(_ *api.Caller, arg json.RawMessage) (any, error) {
	var answers []any
	list, err := each(arg, func(one json.RawMessage) error {
		var want struct {
			Streams, Protocols, Fields []string
			Time                       json.RawMessage
		}
		if strings.HasPrefix(strings.TrimSpace(string(one)), "{") && json.Unmarshal(one, &want) != nil {
			return refusal(http.StatusBadRequest, "streams, protocols and fields are lists of names")
		}
		if len(want.Fields) == 0 {
			want.Fields = clientFields
		}
		if err := checkFields(want.Fields, clientFields); err != nil {
			return err
		}
		answers = append(answers, s.clientTable(newFilters(want.Streams), want.Protocols, want.Fields))
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

func (s *Server) clientTable(filters []filter, protocols, fields []string) map[string]any {
	now := time.Now()
	rows := [][]any{}
	left := 0
	for _, one := range s.o.Origin.Sessions(origin.SessionFilter{}) {
		protocol := strings.Join(one.Protocols, ",")
		if !selectedBase(filters, one.App, one.Stream) || len(protocols) > 0 && !slices.ContainsFunc(protocols, func(p string) bool {
			return slices.ContainsFunc(one.Protocols, func(has string) bool { return strings.EqualFold(p, has) })
		}) {
			continue
		}
		if len(rows) == maxRows {
			left++
			continue
		}
		row := make([]any, len(fields))
		for i, f := range fields {
			switch f {
			case "host":
				row[i] = one.Address.String()
			case "stream":
				row[i] = one.Stream
			case "protocol":
				row[i] = protocol
			case "conntime":
				row[i] = int64(now.Sub(one.Began) / time.Second)
			case "up":
				row[i] = one.Sent
			case "upbps":
				row[i] = rate(one.Sent, now.Sub(one.Began))
			case "sessid":
				row[i] = strconv.FormatUint(one.ID, 10)
			default:
				row[i] = 0 // position, down, downbps, pktcount, pktlost, pktretransmit
			}
		}
		rows = append(rows, row)
	}
	out := map[string]any{"time": seconds(now), "fields": fields, "data": rows}
	if left > 0 {
		out["left_out"] = left
	}
	return out
}

// rate is bytes a second.
func rate(bytes uint64, d time.Duration) uint64 {
	if d < time.Second {
		return 0
	}
	return uint64(float64(bytes) / d.Seconds())
}
