package api

import (
	"strconv"
	"time"
)

// builtText writes the time of the build as nginx-rtmp does (C's __DATE__ and
// __TIME__: "Feb  5 2021 01:06:01"): exporters parse it.
func builtText(t time.Time) string { return t.UTC().Format("Jan _2 2006 15:04:05") }

// clients counts the RTMP connections of an application's streams, publishers
// included, as nginx-rtmp does.
func (a *Application) clients() int { return clientsOf(a.Streams) }

func clientsOf(streams []Stream) (n int) {
	for i := range streams {
		n += len(streams[i].Clients)
	}
	return n
}

// frameRate returns the rate in the video's header, or else the measured one.
func (s *Stream) frameRate() float64 {
	if s.Video != nil && s.Video.FrameRate > 0 {
		return s.Video.FrameRate
	}
	return s.FrameRate
}

// avcLevel writes level_idc as its name: 40 is 4.0.
func avcLevel(idc uint8) string {
	return strconv.Itoa(int(idc/10)) + "." + strconv.Itoa(int(idc%10))
}

func avcProfile(idc uint8) string {
	switch idc {
	case 66:
		return "Baseline"
	case 77:
		return "Main"
	case 100:
		return "High"
	}
	return ""
}

func aacProfile(objectType int) string {
	switch objectType {
	case 1:
		return "Main"
	case 2:
		return "LC"
	case 3:
		return "SSR"
	case 4:
		return "LTP"
	case 5:
		return "HE"
	case 29:
		return "HEv2"
	}
	return ""
}
