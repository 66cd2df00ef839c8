package listen

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// A manager keeps sockets as systemd does, and does what it is told when it gets to it.
type manager struct {
	t     *testing.T
	queue chan func()

	mu     sync.Mutex
	stored map[string]int
}

func newManager(t *testing.T) *manager {
	m := &manager{t: t, queue: make(chan func(), 100), stored: make(map[string]int)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for f := range m.queue {
			time.Sleep(time.Millisecond) // it has other things to do
			f()
		}
	}()
	t.Cleanup(func() {
		close(m.queue)
		<-done
		for _, fd := range m.stored {
			_ = syscall.Close(fd)
		}
	})
	return m
}

func (m *manager) tell(state string, fds ...int) {
	for i := range fds {
		fd, err := syscall.Dup(fds[i])
		if err != nil {
			m.t.Error(err)
			return
		}
		fds[i] = fd
	}
	m.queue <- func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		what, name, _ := strings.Cut(state, "\nFDNAME=")
		if strings.ContainsAny(name, ":\n") {
			m.t.Errorf("systemd takes no such name: %q", name)
		}
		switch what {
		case "FDSTORE=1":
			m.stored[name] = fds[0]
		case "FDSTOREREMOVE=1":
			if fd, ok := m.stored[name]; ok {
				_ = syscall.Close(fd)
				delete(m.stored, name)
			}
		case "BARRIER=1":
			_ = syscall.Close(fds[0])
		default:
			m.t.Errorf("unknown state %q", state)
		}
	}
}

// names are what is stored, once everything that was told before is done.
func (m *manager) names() []string {
	done := make(chan struct{})
	m.queue <- func() { close(done) }
	<-done
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for name := range m.stored {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// next is the process that the manager starts next, with what it has stored and, as
// socket units, with the listeners given.
func (m *manager) next(units map[string]net.Listener) *Sockets {
	m.t.Helper()
	m.names() // up to date
	s := &Sockets{tell: m.tell}
	pass := func(name string, fd int) {
		fd, err := syscall.Dup(fd)
		if err != nil {
			m.t.Fatal(err)
		}
		if err := s.inherit(fd, name); err != nil {
			m.t.Error(err)
		}
	}
	for name, fd := range m.stored {
		pass(name, fd)
	}
	for name, ln := range units {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			m.t.Fatal(err)
		}
		pass(name, int(f.Fd()))
		f.Close()
	}
	m.t.Cleanup(func() {
		for _, in := range s.came {
			in.file.Close()
		}
	})
	return s
}

func address(t *testing.T, text string) value.Address {
	t.Helper()
	a, err := value.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bind(t *testing.T, s *Sockets, text string) net.Listener {
	t.Helper()
	ln, err := s.Bind(address(t, text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func port(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(testport.Next())
}

// greets reports whether a client that has connected is served by ln.
func greets(t *testing.T, ln net.Listener, c net.Conn) {
	t.Helper()
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			_, _ = io.WriteString(nc, "hello")
			nc.Close()
		}
	}()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
		t.Errorf("the client got %q, %v", b, err)
	}
	c.Close()
}

func dial(t *testing.T, port string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhoConnectsDuringARestartIsServedAfterIt(t *testing.T) {
	t.Parallel()
	m, p := newManager(t), port(t)
	first := m.next(nil)
	ln := bind(t, first, ":"+p)
	if got := m.names(); !slices.Equal(got, []string{"address=_" + p}) {
		t.Errorf("stored: %v", got)
	}
	first.Stay()
	ln.Close()
	c := dial(t, p)
	second := m.next(nil)
	ln = bind(t, second, ":"+p)
	if units := second.Unused(); units != nil {
		t.Errorf("unused: %v", units)
	}
	greets(t, ln, c)
	if got := m.names(); len(got) != 1 {
		t.Errorf("stored: %v", got)
	}
}

func TestAnAddressThatIsGivenUpIsFree(t *testing.T) {
	t.Parallel()
	m, p := newManager(t), port(t)
	s := m.next(nil)
	bind(t, s, ":"+p).Close()
	for range 5 { // the configuration changes its mind
		bind(t, s, "127.0.0.1:"+p).Close()
		bind(t, s, ":"+p).Close()
	}
	if got := m.names(); got != nil {
		t.Errorf("stored: %v", got)
	}
	if c, err := net.Dial("tcp", "127.0.0.1:"+p); err == nil {
		c.Close()
		t.Error("somebody listens")
	}
}

func TestAStoredSocketThatTheNewConfigurationDoesNotWant(t *testing.T) {
	t.Parallel()
	m, p, other := newManager(t), port(t), port(t)
	first := m.next(nil)
	a, b := bind(t, first, ":"+p), bind(t, first, ":"+other)
	first.Stay()
	a.Close()
	b.Close()
	second := m.next(nil)
	bind(t, second, "127.0.0.1:"+p) // overlaps
	second.Unused()
	if got := m.names(); !slices.Equal(got, []string{"address=127.0.0.1_" + p}) {
		t.Errorf("stored: %v", got)
	}
}

func TestASocketUnitListensForUs(t *testing.T) {
	t.Parallel()
	m, path := newManager(t), filepath.Join(t.TempDir(), "s")
	both, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	p := strconv.Itoa(both.Addr().(*net.TCPAddr).Port)
	s := m.next(map[string]net.Listener{"rtmp": both, "web": unix})
	if _, err := s.Bind(address(t, "127.0.0.1:"+p)); err == nil || !strings.Contains(err.Error(), `the socket unit "rtmp" listens on :`+p) {
		t.Errorf("another address: %v", err)
	}
	if units := s.Unused(); len(units) != 2 || !slices.Contains(units, "rtmp (:"+p+")") || !slices.Contains(units, "web (unix:"+path+")") {
		t.Errorf("unused: %v", units)
	}
	for range 2 { // a reload took it away, another one brings it back
		ln := bind(t, s, ":"+p)
		greets(t, ln, dial(t, p))
		ln.Close()
	}
	ln := bind(t, s, "unix:"+path)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	greets(t, ln, c)
	ln.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the unit's file: %v", err)
	}
	if got := m.names(); got != nil {
		t.Errorf("stored: %v", got)
	}
}

// TestAddressesOfInheritedSockets are those of the configuration that binds the same.
func TestAddressesOfInheritedSockets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{":0", "127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::1]:0"} {
		ln, err := Bind(address(t, text))
		if err != nil {
			t.Fatal(err)
		}
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		got := addressOf(ln.Addr(), int(f.Fd())).String()
		if want := strings.TrimSuffix(text, "0") + fmt.Sprint(ln.Addr().(*net.TCPAddr).Port); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
		f.Close()
		ln.Close()
	}
}

func TestWhatIsNoListeningSocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packet.Close()
	datagram, err := packet.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagram.Close()
	m := newManager(t)
	s := &Sockets{tell: m.tell}
	for _, f := range []*os.File{file, datagram} {
		fd, err := syscall.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.inherit(fd, "odd"); err == nil || !strings.Contains(err.Error(), "not a listening stream socket") {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	if len(s.came) != 0 {
		t.Errorf("%d sockets came", len(s.came))
	}
}

// TestVariablesForAnotherProcess, which has started this one, are not meant.
func TestVariablesForAnotherProcess(t *testing.T) {
	for _, v := range []struct{ pid, fds, err string }{
		{"1", "2", ""},
		{"", "", ""},
		{strconv.Itoa(os.Getpid()), "two", `LISTEN_FDS="two" is not a number`},
		{strconv.Itoa(os.Getpid()), "-1", `LISTEN_FDS="-1" is not a number`},
		{strconv.Itoa(os.Getpid()), "0", ""},
	} {
		t.Setenv("LISTEN_PID", v.pid)
		t.Setenv("LISTEN_FDS", v.fds)
		t.Setenv("LISTEN_FDNAMES", "x")
		s, errs := Inherit(nil)
		if len(s.came) != 0 || (v.err == "") != (len(errs) == 0) || len(errs) > 0 && !strings.Contains(errs[0].Error(), v.err) {
			t.Errorf("%+v: %d sockets, %v", v, len(s.came), errs)
		}
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			if _, there := os.LookupEnv(name); there {
				t.Errorf("%s stays for programs that are started", name)
			}
		}
	}
}

// TestWithoutAManagerSocketsAreOnlyBound: nothing is told to nobody.
func TestWithoutAManagerSocketsAreOnlyBound(t *testing.T) {
	t.Parallel()
	s, _ := Inherit(nil)
	ln := bind(t, s, "127.0.0.1:"+port(t))
	if _, held := ln.(*heldListener); held {
		t.Error("it is held")
	}
}
