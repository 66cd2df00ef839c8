package api

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/rtmpd/rtmpd/internal/media"
)

// WriteXML writes s as nginx-rtmp's stat page: element for element, with CRLF
// after block tags, so that stat.xsl and the exporters that scrape it read on.
func WriteXML(w io.Writer, s *Snapshot, stylesheet string) error {
	x := &xmlWriter{Writer: bufio.NewWriter(w)}
	x.raw("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n")
	if stylesheet != "" {
		x.raw(`<?xml-stylesheet type="text/xsl" href="` + escape(stylesheet) + "\" ?>\r\n")
	}
	x.open("rtmp")
	x.value("nginx_version", "rtmpd/"+s.Version)
	x.value("nginx_rtmp_version", "1.1.4") // what nginx-rtmp says: some exporters look
	x.value("compiler", runtime.Version())
	x.value("built", s.Version)
	x.value("pid", os.Getpid())
	x.value("uptime", int64(s.Uptime.Seconds()))
	x.value("naccepted", s.Accepted)
	x.value("bw_in", s.BwIn)
	x.value("bytes_in", s.BytesIn)
	x.value("bw_out", s.BwOut)
	x.value("bytes_out", s.BytesOut)
	for i := range s.Servers {
		x.open("server")
		for j := range s.Servers[i].Applications {
			x.application(&s.Servers[i].Applications[j])
		}
		x.close("server")
	}
	x.close("rtmp")
	return x.Flush()
}

type xmlWriter struct{ *bufio.Writer }

func (x *xmlWriter) raw(s string)     { _, _ = x.WriteString(s) } // bufio keeps the first error for Flush
func (x *xmlWriter) open(tag string)  { x.raw("<" + tag + ">\r\n") }
func (x *xmlWriter) close(tag string) { x.raw("</" + tag + ">\r\n") }
func (x *xmlWriter) empty(tag string) { x.raw("<" + tag + "/>") }
func (x *xmlWriter) value(tag string, v any) {
	x.raw("<" + tag + ">" + escape(fmt.Sprint(v)) + "</" + tag + ">")
}

// text writes a value only if there is one.
func (x *xmlWriter) text(tag, s string) {
	if s != "" {
		x.value(tag, s)
	}
}

// escape makes s safe as XML text: bytes outside printable ASCII become spaces,
// as nginx-rtmp has it, the five special ones entities.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20 || c >= 0x7f:
			b.WriteByte(' ')
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '&':
			b.WriteString("&amp;")
		case c == '"':
			b.WriteString("&quot;")
		case c == '\'':
			b.WriteString("&#39;")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (x *xmlWriter) application(a *Application) {
	x.open("application")
	x.value("name", a.Name)
	if a.Live {
		x.open("live")
		n := 0
		for i := range a.Streams {
			x.stream(&a.Streams[i])
			n += len(a.Streams[i].Clients)
		}
		x.value("nclients", n)
		x.close("live")
	}
	x.close("application")
}

func (x *xmlWriter) stream(s *Stream) {
	x.open("stream")
	x.value("name", s.Name)
	x.value("time", s.Age.Milliseconds())
	x.value("bw_in", s.BwIn)
	x.value("bytes_in", s.BytesIn)
	x.value("bw_out", s.BwOut)
	x.value("bytes_out", s.BytesOut)
	x.value("bw_audio", s.BwAudio)
	x.value("bw_video", s.BwVideo)
	for i := range s.Clients {
		x.client(&s.Clients[i])
	}
	if s.Video != nil || s.Audio != nil {
		x.meta(s)
	}
	x.value("nclients", len(s.Clients))
	if s.Publishing {
		x.empty("publishing")
		x.empty("active")
	}
	x.close("stream")
}

func (x *xmlWriter) client(c *Client) {
	x.raw("<client>")
	x.value("id", c.ID)
	x.value("address", c.Address)
	x.value("time", c.Age.Milliseconds())
	x.text("flashver", c.FlashVer)
	x.text("pageurl", c.PageURL)
	x.text("swfurl", c.SWFURL)
	x.value("dropped", c.Dropped)
	x.value("avsync", c.AVSync)
	x.value("timestamp", c.Timestamp)
	if c.Publishing {
		x.empty("publishing")
	}
	if c.Active {
		x.empty("active")
	}
	x.close("client")
}

func (x *xmlWriter) meta(s *Stream) {
	x.raw("<meta>")
	if v := s.Video; v != nil {
		x.raw("<video>")
		x.value("width", v.Width)
		x.value("height", v.Height)
		rate := v.FrameRate
		if rate == 0 {
			rate = s.FrameRate
		}
		x.value("frame_rate", int(rate+0.5))
		x.text("codec", v.Codec.String())
		if v.Codec == media.CodecH264 {
			x.text("profile", avcProfile(v.Profile))
			x.value("compat", v.Compat)
			x.value("level", fmt.Sprintf("%.1f", float64(v.Level)/10))
		}
		x.raw("</video>")
	}
	if a := s.Audio; a != nil {
		x.raw("<audio>")
		x.text("codec", a.Codec.String())
		if a.Codec == media.CodecAAC {
			x.text("profile", aacProfile(a.AudioObjectType))
		}
		if a.Channels > 0 {
			x.value("channels", a.Channels)
		}
		if a.SampleRate > 0 {
			x.value("sample_rate", a.SampleRate)
		}
		x.raw("</audio>")
	}
	x.raw("</meta>\r\n")
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
