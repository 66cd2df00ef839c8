package origin

import (
	"strconv"
	"strings"
	"time"
)

// placeholder returns what $name stands for in a block at work on st: the stream,
// its last publisher, and the time.
func (st *Stream) placeholder(name string) string {
	base, wildcard, _ := strings.Cut(st.name, "+")
	switch name {
	case "app":
		return st.app.name
	case "name", "stream":
		return st.name
	case "base":
		return base
	case "wildcard":
		return wildcard
	case "publisher":
		if holder := st.holder.Load(); holder != nil {
			return *holder
		}
		return ""
	case "unix":
		return strconv.FormatInt(time.Now().Unix(), 10)
	}
	if layout := timeLayouts[name]; layout != "" {
		return time.Now().Format(layout)
	}
	n := st.hooks.Load()
	if n == nil {
		return ""
	}
	switch name {
	case "args":
		return n.stream.Args
	case "addr":
		return n.from.Addr
	case "clientid":
		return strconv.FormatUint(n.from.ClientID, 10)
	case "flashver":
		return n.from.FlashVer
	case "swfurl":
		return n.from.SWFURL
	case "tcurl":
		return n.from.TCURL
	case "pageurl":
		return n.from.PageURL
	}
	return "" // of a file
}

var timeLayouts = map[string]string{
	"datetime": "2006.01.02.15.04.05", "year": "2006", "month": "01", "day": "02", "hour": "15", "minute": "04", "second": "05",
}
