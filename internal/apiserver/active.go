package apiserver

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// streamFields are the fields of active_streams.
var streamFields = []string{
	"clients", "viewers", "inputs", "outputs", "unspecified", "tags", "views", "viewseconds", "upbytes", "downbytes",
	"packsent", "packloss", "packretrans", "firstms", "lastms", "zerounix", "health", "tracks", "sourcepids", "status", "pid",
}

// usualFields are those of an object that names none.
var usualFields = []string{
	"status", "viewers", "inputs", "outputs", "tags", "views", "viewseconds", "upbytes", "downbytes",
	"packsent", "packloss", "packretrans", "firstms", "lastms", "health", "pid",
}

// activeStreams lists the streams that can be watched. MistServer lists those that
// somebody merely asked for, too; all has those that are about to begin or to end.
func (s *Server) activeStreams(_ *api.Caller, arg json.RawMessage) (any, error) {
	var want struct {
		Streams  json.RawMessage
		Stream   json.RawMessage
		Fields   []string
		LongForm bool
		All      bool
	}
	trimmed := strings.TrimSpace(string(arg))
	switch {
	case strings.HasPrefix(trimmed, "["):
		var fields []string
		if json.Unmarshal(arg, &fields) != nil {
			return nil, refusal(http.StatusBadRequest, `write true, ["FIELD", …] or {"streams":…, "fields":…, "longform":…}`)
		}
		return s.rows(nil, fields, false)
	case !strings.HasPrefix(trimmed, "{"):
		return s.listed(nil, false), nil
	}
	if err := json.Unmarshal(arg, &want); err != nil {
		return nil, refusal(http.StatusBadRequest, "fields is a list of names, longform and all are true or false")
	}
	var streams []string
	for _, list := range []json.RawMessage{want.Streams, want.Stream} {
		if len(list) == 0 || string(list) == "null" {
			continue
		}
		more, err := texts(list)
		if err != nil {
			return nil, err
		}
		streams = append(streams, more...)
	}
	fields := want.Fields
	if len(fields) == 0 {
		fields = usualFields
	}
	if !want.LongForm {
		data, err := s.rows(newFilters(streams), fields, want.All)
		return map[string]any{"fields": fields, "data": data}, err
	}
	return s.objects(newFilters(streams), fields, want.All)
}

// statsStreams is active_streams with fields, of all that there are.
func (s *Server) statsStreams(_ *api.Caller, arg json.RawMessage) (any, error) {
	var fields []string
	if json.Unmarshal(arg, &fields) != nil {
		return s.listed(nil, true), nil
	}
	return s.rows(nil, fields, true)
}

// A shown is a stream and what it is called.
type shown struct {
	*origin.Figures
	name string
}

// streams returns those that filters select; unless all, those that can be watched.
func (s *Server) streams(filters []filter, all bool) (out []shown) {
	figures := s.o.Origin.EachFigures()
	for i, name := range shownNames(figures) {
		f := figures[i]
		if (all || f.Ready) && selected(filters, f.App, f.Name) {
			out = append(out, shown{f, name})
		}
	}
	return out
}

func (s *Server) listed(filters []filter, all bool) []string {
	names := []string{}
	for _, st := range s.streams(filters, all) {
		names = append(names, st.name)
	}
	return names
}

func checkFields(fields, known []string) error {
	for _, f := range fields {
		if !slices.Contains(known, f) {
			return refusal(http.StatusBadRequest, "there is no field "+clip(f)+": there are "+strings.Join(known, " "))
		}
	}
	return nil
}

// rows are the fields of streams, in the order asked for.
func (s *Server) rows(filters []filter, fields []string, all bool) (map[string][]any, error) {
	if err := checkFields(fields, streamFields); err != nil {
		return nil, err
	}
	out := make(map[string][]any)
	for _, st := range s.streams(filters, all) {
		row := make([]any, len(fields))
		for i, f := range fields {
			row[i] = s.field(st.Figures, f)
		}
		out[st.name] = row
	}
	return out, nil
}

// objects are the fields of streams, by name.
func (s *Server) objects(filters []filter, fields []string, all bool) (map[string]map[string]any, error) {
	if err := checkFields(fields, streamFields); err != nil {
		return nil, err
	}
	out := make(map[string]map[string]any)
	for _, st := range s.streams(filters, all) {
		o := make(map[string]any, len(fields))
		for _, f := range fields {
			o[f] = s.field(st.Figures, f)
		}
		out[st.name] = o
	}
	return out, nil
}

// field is one field of a stream.
func (s *Server) field(f *origin.Figures, name string) any {
	inputs := 0
	if f.Publishing {
		inputs = 1
	}
	switch name {
	case "clients":
		return f.Players + f.Viewers + inputs + f.Outputs
	case "viewers":
		return f.Players + f.Viewers
	case "inputs":
		return inputs
	case "outputs":
		return f.Outputs
	case "tags":
		return []string{}
	case "views":
		return f.Views
	case "viewseconds":
		return s.history.watched(f.App, f.Name)
	case "upbytes":
		return f.SentRTMP + f.SentHTTP
	case "downbytes":
		return f.Received
	case "firstms":
		// The oldest media that a viewer can begin with is what the stream's ring holds;
		// its length is not kept, so this is the time of the first packet.
		return max(0, f.Live.LastDTS.Milliseconds()-f.Live.LastWrite.Sub(f.Live.FirstWrite).Milliseconds())
	case "lastms":
		return f.Live.LastDTS.Milliseconds()
	case "zerounix":
		if f.Live.LastWrite.IsZero() {
			return 0
		}
		return seconds(f.Live.LastWrite.Add(-f.Live.LastDTS))
	case "health":
		return s.o.Origin.HealthOf(f.App, f.Name)
	case "tracks":
		n := 0
		if f.Live.Video != nil {
			n++
		}
		if f.Live.Audio != nil {
			n++
		}
		return n
	case "sourcepids":
		return []int{}
	case "status":
		return status(f)
	}
	return 0 // unspecified, pid, packsent, packloss, packretrans
}

// status is MistServer's word for the state of a stream.
func status(f *origin.Figures) string {
	switch {
	case f.Ready:
		return "Online"
	case f.Publishing:
		return "Initializing"
	case !f.Live.LastWrite.IsZero():
		return "Waiting for data"
	}
	return "Offline"
}
