package hooks

import (
	"bytes"
	"io"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.uber.org/zap"
)

const (
	// maxLine is how much of a line of standard error is kept, in bytes.
	maxLine = 1024
	// lineBurst lines go to the log at once, one every lineEvery after them.
	lineBurst = 50
	lineEvery = time.Second
)

// A voice is what the log says of the processes of one block: lines of the log, as many
// as there is room for.
type voice struct {
	mu   sync.Mutex
	used time.Duration // of the burst, in units of lineEvery
	at   time.Time     // when used was that much
	left uint64        // lines left out since the last one
}

// admit says whether a line may be written now, and how many were left out before it.
func (v *voice) admit(now time.Time) (left uint64, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used = max(v.used-now.Sub(v.at), 0)
	v.at = now
	if v.used > (lineBurst-1)*lineEvery {
		v.left++
		return 0, false
	}
	v.used += lineEvery
	left, v.left = v.left, 0
	return left, true
}

// say writes a line if there is room for it.
func (v *voice) say(write func(string, ...zap.Field), message string, fields ...zap.Field) {
	if left, ok := v.admit(time.Now()); ok {
		write(message, append(fields, leftOut(left))...)
	}
}

func leftOut(n uint64) zap.Field {
	if n == 0 {
		return zap.Skip()
	}
	return zap.Uint64("lines_left_out", n)
}

// hear writes what a program says to the log, line by line, until r ends. A line that
// the program has overwritten (\r) is not written.
func (v *voice) hear(r io.Reader, c *Command) {
	clean := c.mask()
	var line []byte
	flush := func() {
		said := bytes.TrimSpace(line)
		line = line[:0]
		if len(said) == 0 {
			return
		}
		left, ok := v.admit(time.Now()) // first: there may be a million lines a second
		if !ok {
			return
		}
		text := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(string(said), "\uFFFD"))
		c.Log.Info("exec stderr", zap.String("exec", c.title()), zap.String("line", clean(text)), leftOut(left))
	}
	buf := make([]byte, 32<<10)
	overwritten := false // a \r came: what comes next begins the line anew
	for {
		n, err := r.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			i := bytes.IndexAny(rest, "\r\n")
			part := rest
			if i >= 0 {
				part = rest[:i]
			}
			if len(part) > 0 && overwritten {
				line, overwritten = line[:0], false
			}
			line = append(line, part[:min(len(part), maxLine-len(line))]...)
			if i < 0 {
				break
			}
			if rest[i] == '\n' {
				flush()
			}
			overwritten = rest[i] == '\r'
			rest = rest[i+1:]
		}
		if err != nil {
			flush()
			return
		}
	}
}

var urlInArgument = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s|'"\[\],]+`)

// hidden stands for a secret. What is shorter than minHidden is none: an environment
// has words like "1" and "C".
const (
	hidden    = "***"
	minHidden = 6
)

// mask hides what a program may say of its environment and of its arguments: the
// values of the block's environment, and URLs of other machines, which hold keys
// (rtmp://live.example.net/app/KEY).
func (c *Command) mask() func(string) string {
	var pairs []string
	for _, v := range c.Exec.Environment {
		if len(v) >= minHidden {
			pairs = append(pairs, v.Reveal(), hidden)
		}
	}
	for _, arg := range c.args(time.Now()) {
		for _, s := range urlInArgument.FindAllString(arg, -1) {
			u, err := url.Parse(s)
			if err == nil && u.Path != "" && u.Hostname() != "localhost" && !strings.HasPrefix(u.Host, "127.") && u.Hostname() != "::1" {
				pairs = append(pairs, s, u.Scheme+"://"+u.Host+"/"+hidden)
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace
}
