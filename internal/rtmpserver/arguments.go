package rtmpserver

import (
	"strings"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func argAt(cmd rtmp.Command, i int) any {
	if i < len(cmd.Args) {
		return cmd.Args[i]
	}
	return nil
}

func textArg(cmd rtmp.Command, i int) string {
	s, _ := argAt(cmd, i).(string)
	return s
}

func numberArg(cmd rtmp.Command, i int) float64 {
	v, _ := argAt(cmd, i).(float64)
	return v
}

// rawArgs is what stands behind the ? of a stream name, as it was typed.
func rawArgs(cmd rtmp.Command) string {
	_, query, _ := strings.Cut(textArg(cmd, 0), "?")
	return query
}
