package api

import (
	"bufio"
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/rtmpd/rtmpd/internal/media"
)

//go:embed stat.html
var statHTML string

// statPage escapes everything that clients send, and has no links from them.
var statPage = template.Must(template.New("stat").Funcs(template.FuncMap{
	"span": spanText, "rate": rateText, "seen": visible, "video": videoText, "audio": audioText,
	"players": func(s Stream) int { return s.players() },
}).Parse(statHTML))

// WriteHTML writes s as an HTML page without scripts.
func WriteHTML(w io.Writer, s *Snapshot) error {
	b := bufio.NewWriterSize(yieldingWriter{w}, 64<<10)
	if err := statPage.Execute(b, s); err != nil {
		return err
	}
	return b.Flush()
}

// yieldingWriter yields to other goroutines before each write: media has priority.
type yieldingWriter struct{ io.Writer }

func (y yieldingWriter) Write(b []byte) (int, error) {
	runtime.Gosched()
	return y.Writer.Write(b)
}

// visible replaces unprintable characters, such as marks for right-to-left text, by a
// space.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return ' '
	}, s)
}

// spanText writes a time with its two largest units.
func spanText(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s >= 86400:
		return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
	case s >= 3600:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	case s >= 60:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d s", s)
}

// rateText writes bits/s.
func rateText(b uint64) string {
	switch {
	case b >= 1e6:
		return fmt.Sprintf("%.2f Mb/s", float64(b)/1e6)
	case b > 0:
		return fmt.Sprintf("%.0f kb/s", float64(b)/1e3)
	}
	return "–"
}

func videoText(s Stream) string {
	v := s.Video
	if v == nil {
		return ""
	}
	words := []string{v.Codec.String()}
	if v.Codec == media.CodecH264 {
		words = append(words, avcProfile(v.Profile))
	}
	if v.Width > 0 {
		words = append(words, fmt.Sprintf("%d×%d", v.Width, v.Height))
	}
	if r := s.frameRate(); r > 0 {
		words = append(words, fmt.Sprintf("%.0f fps", r))
	}
	return strings.Join(words, " ")
}

func audioText(s Stream) string {
	a := s.Audio
	if a == nil {
		return ""
	}
	words := []string{a.Codec.String()}
	if a.Codec == media.CodecAAC {
		words = append(words, aacProfile(a.AudioObjectType))
	}
	if a.SampleRate > 0 {
		words = append(words, fmt.Sprintf("%d Hz", a.SampleRate))
	}
	if a.Channels > 0 {
		words = append(words, fmt.Sprintf("%d ch", a.Channels))
	}
	return strings.Join(words, " ")
}
