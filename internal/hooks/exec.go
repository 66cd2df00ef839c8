package hooks

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// A Command is an exec block with what its placeholders stand for.
type Command struct {
	Exec   config.Exec
	Values Values
	Log    *zap.Logger // of the application or the stream
}

// Values are what the placeholders of a command stand for. Fields that a kind of
// exec does not know are empty.
type Values struct {
	Session          // of the publisher or the player
	Name      string // the stream's public name
	Args      string // behind the ? of the name
	Publisher string // whose stream key it is
	Path      string // of a recording
	Recorder  string
}

// maxValue bounds what a client says of itself, in bytes.
const maxValue = 4096

// cleanValue makes a client's text fit for an argument: no NUL is in one, and a line
// break would be another line of a script's log.
func cleanValue(s string) string {
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s[:min(len(s), maxValue)]), "")
}

// Value is what a placeholder stands for.
func (v *Values) Value(name string, now time.Time) string {
	base, wildcard, _ := strings.Cut(v.Name, "+")
	file := path.Base(v.Path)
	if v.Path == "" {
		file = ""
	}
	switch name {
	case "app":
		return v.App
	case "name", "stream":
		return v.Name
	case "base":
		return base
	case "wildcard":
		return wildcard
	case "pluswildcard":
		return value.PlusWildcard(v.Name)
	case "publisher":
		return v.Publisher
	case "args":
		_, args, _ := strings.Cut(withoutKey("?"+v.Args), "?")
		return cleanValue(args)
	case "addr":
		return v.Addr
	case "clientid":
		if v.ClientID == 0 {
			return ""
		}
		return strconv.FormatUint(v.ClientID, 10)
	case "flashver":
		return cleanValue(v.FlashVer)
	case "swfurl":
		return cleanValue(withoutKey(v.SWFURL))
	case "tcurl":
		return cleanValue(withoutKey(v.TCURL))
	case "pageurl":
		return cleanValue(withoutKey(v.PageURL))
	case "path":
		return v.Path
	case "filename":
		return file
	case "basename":
		if v.Path == "" { // MistServer's word for the part before the +
			return base
		}
		return strings.TrimSuffix(file, path.Ext(file))
	case "dirname":
		dir, _ := path.Split(v.Path)
		return strings.TrimRight(dir, "/")
	case "recorder":
		return v.Recorder
	}
	return value.TimePlaceholder(name, now)
}

// args are the arguments. What a client says of itself begins none that the block
// does not begin with a dash: it would be an option.
func (c *Command) args(now time.Time) []string {
	out := make([]string, len(c.Exec.Command))
	for i, t := range c.Exec.Command {
		s := t.Expand(func(name string) string { return c.Values.Value(name, now) })
		if strings.HasPrefix(s, "-") && !strings.HasPrefix(string(t), "-") {
			s = strings.TrimLeft(s, "-")
		}
		out[i] = s
	}
	return out
}

// kept are the variables of rtmpd's own environment that programs get.
const kept = "HOME LANG TZ"

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is all of what the program's environment holds.
func (c *Command) environment(now time.Time) []string {
	out := []string{"PATH=" + cmp.Or(os.Getenv("PATH"), defaultPath)}
	for _, name := range strings.Fields(kept) {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	for _, name := range strings.Fields(c.Exec.Vars()) {
		out = append(out, "RTMPD_"+strings.ToUpper(name)+"="+c.Values.Value(name, now))
	}
	for name, v := range c.Exec.Environment {
		out = append(out, name+"="+v.Reveal())
	}
	return out
}

// title is how logs call the block.
func (c *Command) title() string { return c.Exec.Kind + " " + c.Exec.Name }

// cmd is the program, ready to be started. The arguments are in no log: they may
// hold secrets of other servers.
func (c *Command) cmd() *exec.Cmd {
	now := time.Now()
	args := c.args(now)
	cmd := exec.Command(string(c.Exec.Command[0]), args[1:]...)
	cmd.Env = c.environment(now)
	cmd.SysProcAttr = ownSession()
	return cmd // standard input and output are /dev/null
}

// Commands are all processes of a server's exec blocks.
type Commands struct {
	log *zap.Logger

	ctx     context.Context // ends what is still running
	cancel  context.CancelFunc
	kill    <-chan struct{} // closed: with SIGKILL
	killAll context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// NewCommands returns those of a server that has none yet. Close ends them.
func NewCommands(log *zap.Logger) *Commands {
	closeOnExec()
	cs := &Commands{log: log}
	cs.ctx, cs.cancel = context.WithCancel(context.Background())
	var kill context.Context
	kill, cs.killAll = context.WithCancel(context.Background())
	cs.kill = kill.Done()
	return cs
}

// spawn runs f, unless Close was called; it says whether.
func (cs *Commands) spawn(f func()) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !cs.closed {
		cs.wg.Go(f)
	}
	return !cs.closed
}

// Close lets events run until soft, then ends every process with its kill_signal,
// and at hard with SIGKILL. It returns when all are gone.
func (cs *Commands) Close(soft, hard time.Time) {
	cs.mu.Lock()
	cs.closed = true
	cs.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		cs.wg.Wait()
		close(gone)
	}()
	for _, step := range []struct {
		at   time.Time
		then func()
	}{{soft, cs.cancel}, {hard, cs.killAll}} {
		timer := time.NewTimer(time.Until(step.at))
		select {
		case <-gone:
		case <-timer.C:
		}
		timer.Stop()
		step.then()
	}
	<-gone
}
