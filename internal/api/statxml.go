package api

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/media"
)

// WriteXML writes s as nginx-rtmp's stat page: element for element, with CRLF
// after block tags, so that stat.xsl and existing exporters can read it.
func WriteXML(w io.Writer, s *Snapshot, stylesheet string) error {
	x := &xmlWriter{Writer: bufio.NewWriterSize(w, 64<<10)}
	x.raw("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n")
	if stylesheet != "" {
		x.raw(`<?xml-stylesheet type="text/xsl" href="`)
		x.escaped(stylesheet)
		x.raw("\" ?>\r\n")
	}
	x.open("rtmp")
	x.line("nginx_version", "rtmpd/"+s.Version)
	x.line("nginx_rtmp_version", rtmpVersion)
	x.line("compiler", runtime.Version())
	x.line("built", builtText(s.Built))
	x.count("pid", uint64(os.Getpid()))
	x.count("uptime", uint64(s.Uptime.Seconds()))
	x.count("naccepted", s.Accepted)
	x.count("bw_in", s.BwIn)
	x.count("bytes_in", s.BytesIn)
	x.count("bw_out", s.BwOut)
	x.count("bytes_out", s.BytesOut)
	for i := range s.Servers {
		x.open("server")
		for j := range s.Servers[i].Applications {
			x.application(&s.Servers[i].Applications[j])
		}
		x.close("server")
	}
	x.limits(s.Limits)
	x.findings(s.Findings) // nginx-rtmp has none
	x.close("rtmp")
	return x.Flush()
}

// rtmpVersion is nginx-rtmp's own version: some exporters read it.
const rtmpVersion = "1.1.4"

// An xmlWriter ends lines where nginx-rtmp does, for the scripts that read it
// with grep and awk.
type xmlWriter struct {
	*bufio.Writer
	scratch []byte
}

func (x *xmlWriter) raw(s string)     { _, _ = x.WriteString(s) } // bufio keeps the first error for Flush
func (x *xmlWriter) open(tag string)  { x.raw("<" + tag + ">\r\n") }
func (x *xmlWriter) close(tag string) { x.raw("</" + tag + ">\r\n") }
func (x *xmlWriter) empty(tag string) { x.raw("<" + tag + "/>") }

func (x *xmlWriter) value(tag, s string) {
	x.raw("<")
	x.raw(tag)
	x.raw(">")
	x.escaped(s)
	x.raw("</")
	x.raw(tag)
	x.raw(">")
}

func (x *xmlWriter) line(tag, s string) {
	x.value(tag, s)
	x.raw("\r\n")
}

// number writes a value without an allocation: a page of 5000 players has 25 000.
func (x *xmlWriter) number(tag string, n int64) {
	x.raw("<")
	x.raw(tag)
	x.raw(">")
	x.scratch = strconv.AppendInt(x.scratch[:0], n, 10)
	_, _ = x.Write(x.scratch)
	x.raw("</")
	x.raw(tag)
	x.raw(">")
}

func (x *xmlWriter) count(tag string, n uint64) {
	x.number(tag, int64(n))
	x.raw("\r\n")
}

// text writes a value unless it is empty.
func (x *xmlWriter) text(tag, s string) {
	if s != "" {
		x.value(tag, s)
	}
}

// escaped writes s as XML text. Bytes that are invisible or invalid in XML become a
// space each, as in nginx-rtmp. Non-ASCII letters stay, so that two streams do not look
// like one.
func (x *xmlWriter) escaped(s string) {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x7f {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
				for range n {
					_ = x.WriteByte(' ')
				}
			} else {
				x.raw(s[i : i+n])
			}
			i += n
			continue
		}
		i++
		switch {
		case c < 0x20:
			_ = x.WriteByte(' ')
		case c == '<':
			x.raw("&lt;")
		case c == '>':
			x.raw("&gt;")
		case c == '&':
			x.raw("&amp;")
		case c == '"':
			x.raw("&quot;")
		case c == '\'':
			x.raw("&#39;")
		default:
			_ = x.WriteByte(c)
		}
	}
}

func (x *xmlWriter) application(a *Application) {
	x.open("application")
	x.line("name", a.Name)
	if a.Live {
		x.open("live")
		for i := range a.Streams {
			runtime.Gosched() // media has priority
			x.stream(&a.Streams[i])
		}
		x.count("nclients", uint64(a.clients()))
		x.close("live")
	}
	if a.VOD {
		x.open("play")
		for i := range a.Files {
			x.file(&a.Files[i])
		}
		x.count("nclients", uint64(clientsOf(a.Files)))
		x.close("play")
	}
	x.close("application")
}

// file writes what nginx-rtmp shows of a file that is played.
func (x *xmlWriter) file(s *Stream) {
	x.open("stream")
	x.line("name", s.Name)
	for i := range s.Clients {
		x.client(&s.Clients[i])
	}
	x.raw("<active/>\r\n")
	x.count("nclients", uint64(len(s.Clients)))
	x.close("stream")
}

func (x *xmlWriter) stream(s *Stream) {
	x.open("stream")
	x.line("name", s.Name)
	x.number("time", s.Age.Milliseconds())
	x.count("bw_in", s.BwIn)
	x.count("bytes_in", s.BytesIn)
	x.count("bw_out", s.BwOut)
	x.count("bytes_out", s.BytesOut)
	x.count("bw_audio", s.BwAudio)
	x.count("bw_video", s.BwVideo)
	for i := range s.Clients {
		x.client(&s.Clients[i])
	}
	if s.Video != nil || s.Audio != nil {
		x.meta(s)
	}
	x.count("nclients", uint64(len(s.Clients)))
	if s.Publishing {
		x.raw("<publishing/>\r\n")
	}
	if s.Active {
		x.raw("<active/>\r\n")
	}
	// Elements that nginx-rtmp does not have come last.
	x.count("viewers", uint64(s.Viewers))
	x.count("viewers_peak", uint64(s.ViewersPeak))
	x.count("viewers_unique", uint64(s.ViewersUnique))
	for i := range s.Outputs {
		x.output(&s.Outputs[i])
	}
	x.findings(s.Health)
	x.close("stream")
}

func (x *xmlWriter) output(o *Output) {
	x.raw(`<output kind="`)
	x.escaped(o.Kind)
	x.raw(`" label="`)
	x.escaped(o.Name)
	x.raw("\">")
	x.text("target", o.Target)
	x.text("phase", o.Phase)
	x.count("bytes", o.Bytes)
	x.count("files", o.Files)
	x.text("failing", o.Failing)
	x.close("output")
}

func (x *xmlWriter) findings(found []doctor.Finding) {
	for _, f := range found {
		x.raw(`<finding name="`) // attributes: some scrapers count every <name>
		x.escaped(f.Name)
		x.raw(`" level="`)
		x.escaped(f.Level)
		x.raw(`">`)
		x.escaped(f.Advice)
		x.raw("</finding>\r\n")
	}
}

func (x *xmlWriter) client(c *Client) {
	x.raw("<client>")
	x.number("id", int64(c.ID))
	x.value("address", c.Address)
	x.number("time", c.Age.Milliseconds())
	x.text("flashver", c.FlashVer)
	x.text("pageurl", c.PageURL)
	x.text("swfurl", c.SWFURL)
	x.number("dropped", int64(c.Dropped))
	x.number("avsync", c.AVSync)
	x.number("timestamp", int64(c.Timestamp))
	if c.Publishing {
		x.empty("publishing")
	}
	if c.Active {
		x.empty("active")
	}
	x.close("client")
}

// meta always writes both <video> and <audio>, as nginx-rtmp does: scripts read their
// elements without checking that they exist.
func (x *xmlWriter) meta(s *Stream) {
	x.raw("<meta><video>")
	var width, height int
	if s.Video != nil {
		width, height = s.Video.Width, s.Video.Height
	}
	x.number("width", int64(width))
	x.number("height", int64(height))
	x.number("frame_rate", int64(s.frameRate()+0.5))
	if v := s.Video; v != nil {
		x.text("codec", v.Codec.String())
		if v.Codec == media.CodecH264 {
			x.text("profile", avcProfile(v.Profile))
			x.number("compat", int64(v.Compat))
			x.value("level", avcLevel(v.Level))
		}
	}
	x.raw("</video><audio>")
	if a := s.Audio; a != nil {
		x.text("codec", a.Codec.String())
		if a.Codec == media.CodecAAC {
			x.text("profile", aacProfile(a.AudioObjectType))
		}
		if a.Channels > 0 {
			x.number("channels", int64(a.Channels))
		}
		if a.SampleRate > 0 {
			x.number("sample_rate", int64(a.SampleRate))
		}
	}
	x.raw("</audio></meta>\r\n")
}
