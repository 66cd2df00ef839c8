package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// Sockets are the listening sockets that the service manager holds for the process:
// those of its socket units (systemd.socket(5)), and those in its file descriptor store
// (sd_notify(3), FDSTORE=1), into which Bind puts each TCP socket. A socket that is held
// outlives the process: who connects during a restart waits in its queue.
//
//	the process before ─ FDSTORE=1 ─► manager ─ $LISTEN_FDS ─► Inherit ─► Bind
type Sockets struct {
	tell func(state string, fds ...int) // sends to the manager; nil: there is none

	mu      sync.Mutex
	came    []*inherited // with the process: stored ones that Bind has not taken yet, and those of units
	staying bool         // the process ends, its sockets stay
	dropped bool         // the manager was told to close a socket, and may not have done it yet
}

// An inherited socket came with the process.
type inherited struct {
	name   string // of the socket unit (FileDescriptorName=), or the one that Bind gave it
	file   *os.File
	addr   value.Address // where it listens
	stored bool          // by a process before this one; else of a socket unit
	taken  bool
}

// storedPrefix begins the names under which Bind stores sockets.
const storedPrefix = "address="

// storedName is the name of an address in the store. Names there have no colon.
func storedName(a value.Address) string {
	return storedPrefix + strings.ReplaceAll(a.String(), ":", "_")
}

// firstFD is the descriptor of the first socket that came with the process.
const firstFD = 3

// Inherit takes over the sockets that came with the process (sd_listen_fds(3)), and
// removes the variables that announce them. tell sends a state and descriptors to the
// manager; nil if there is none. The errors are about descriptors that are of no use.
func Inherit(tell func(state string, fds ...int)) (*Sockets, []error) {
	s := &Sockets{tell: tell}
	pid, n, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, v := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(v)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return s, nil // none, or meant for the process that has started this one
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < 0 || count > maxInherited {
		return s, []error{fmt.Errorf("LISTEN_FDS=%q is not a number of sockets", n)}
	}
	var errs []error
	for i := range count {
		name := ""
		if names != "" {
			name, names, _ = strings.Cut(names, ":")
		}
		if err := s.inherit(firstFD+i, name); err != nil {
			errs = append(errs, err)
		}
	}
	return s, errs
}

// maxInherited is more than a service manager stores (FileDescriptorStoreMax=).
const maxInherited = 4096

// inherit takes over one descriptor.
func (s *Sockets) inherit(fd int, name string) error {
	syscall.CloseOnExec(fd)
	in := &inherited{name: name, file: os.NewFile(uintptr(fd), name), stored: strings.HasPrefix(name, storedPrefix)}
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err == nil && kind == syscall.SOCK_STREAM {
		kind, err = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	} else {
		kind = 0
	}
	if err != nil || kind == 0 {
		_ = in.file.Close()
		s.drop(in)
		return fmt.Errorf("descriptor %d (%s) from the service manager is not a listening stream socket: left alone", fd, name)
	}
	ln, err := net.FileListener(in.file)
	if err != nil {
		_ = in.file.Close()
		return fmt.Errorf("descriptor %d (%s) from the service manager: %w", fd, name, err)
	}
	in.addr = addressOf(ln.Addr(), fd)
	_ = ln.Close()
	s.came = append(s.came, in)
	return nil
}

// addressOf is the address of a listening socket as a configuration writes it.
func addressOf(at net.Addr, fd int) value.Address {
	t, ok := at.(*net.TCPAddr)
	if !ok {
		return value.Address{Network: "unix", Path: at.String()}
	}
	a := value.Address{Network: "tcp", Port: t.AddrPort().Port(), Host: t.AddrPort().Addr().Unmap().String()}
	if a.Host == "::" {
		if only, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY); err == nil && only == 0 {
			a.Host = ""
		}
	}
	return a
}

// Bind listens on a as the function Bind does, but takes a socket that came with the
// process if there is one for this address. The manager keeps what Bind returns until
// it is closed; see Stay.
func (s *Sockets) Bind(a value.Address) (net.Listener, error) {
	s.mu.Lock()
	in, wait := s.claim(a)
	s.mu.Unlock()
	if in != nil {
		ln, err := net.FileListener(in.file)
		if err != nil {
			return nil, fmt.Errorf("%s: of %s: %w", where(a), in.name, err)
		}
		if !in.stored {
			return ln, nil // the manager keeps it, whatever happens here
		}
		_ = in.file.Close()
		return &heldListener{Listener: ln, sockets: s, name: in.name}, nil
	}
	if wait {
		s.settle()
	}
	ln, err := Bind(a)
	if err != nil {
		return nil, s.explain(a, err)
	}
	return s.hold(a, ln), nil
}

// claim finds the socket for a among those that came. It gives up stored ones that are
// in its way: a configuration has no two addresses that overlap. wait: the manager may
// still have a socket that was given up.
func (s *Sockets) claim(a value.Address) (in *inherited, wait bool) {
	name := storedName(a)
	for i, in := range s.came {
		if in.stored && in.name == name {
			s.came = slices.Delete(s.came, i, i+1)
			return in, false
		}
		if !in.stored && in.addr.String() == a.String() {
			in.taken = true
			return in, false
		}
	}
	s.came = slices.DeleteFunc(s.came, func(in *inherited) bool {
		if !in.stored || !in.addr.Overlaps(a) {
			return false
		}
		s.dropLocked(in)
		return true
	})
	return nil, s.dropped
}

// explain adds to the error of an address that a socket unit has it.
func (s *Sockets) explain(a value.Address, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.came {
		if !in.stored && in.addr.Overlaps(a) {
			return fmt.Errorf("%w; the socket unit %q listens on %s: name the same address here and there", err, in.name, in.addr)
		}
	}
	return err
}

// hold has the manager keep a socket. One with a port that the system chose is asked
// for by nobody again; a unix socket's file is bound anew.
func (s *Sockets) hold(a value.Address, ln net.Listener) net.Listener {
	sc, ok := ln.(syscall.Conn)
	if s.tell == nil || a.Network == "unix" || a.Port == 0 || !ok {
		return ln
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return ln
	}
	h := &heldListener{Listener: ln, sockets: s, name: storedName(a)}
	_ = raw.Control(func(fd uintptr) { s.tell("FDSTORE=1\nFDNAME="+h.name, int(fd)) })
	return h
}

// Unused gives back what no address of the first configuration wanted, and returns the
// socket units among it: the manager goes on listening for them.
func (s *Sockets) Unused() (units []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came = slices.DeleteFunc(s.came, func(in *inherited) bool {
		if in.stored {
			s.dropLocked(in)
		} else if !in.taken {
			units = append(units, fmt.Sprintf("%s (%s)", in.name, in.addr))
		}
		return in.stored
	})
	return units
}

// Stay is called before the process closes its listeners to end: the manager keeps
// them for the next one.
func (s *Sockets) Stay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.staying = true
}

func (s *Sockets) drop(in *inherited) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(in)
}

func (s *Sockets) dropLocked(in *inherited) {
	_ = in.file.Close()
	s.forget(in.name)
}

// forget has the manager close a stored socket. The caller holds mu.
func (s *Sockets) forget(name string) {
	if s.tell != nil && strings.HasPrefix(name, storedPrefix) {
		s.tell("FDSTOREREMOVE=1\nFDNAME=" + name)
		s.dropped = true
	}
}

// settleTime bounds the wait for the manager to close what it was told to.
const settleTime = 2 * time.Second

// settle waits until the manager has closed the sockets that were given up, so that
// their ports are free: it closes the pipe after all that was sent before it
// (sd_notify_barrier(3)).
func (s *Sockets) settle() {
	s.mu.Lock()
	s.dropped = false
	s.mu.Unlock()
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer r.Close()
	s.tell("BARRIER=1", int(w.Fd()))
	_ = w.Close()
	_ = r.SetReadDeadline(time.Now().Add(settleTime))
	_, _ = r.Read(make([]byte, 1))
}

// A heldListener is one that the manager keeps too.
type heldListener struct {
	net.Listener
	sockets *Sockets
	name    string // in the store
	once    sync.Once
}

// Close gives up the address, unless the process ends.
func (h *heldListener) Close() error {
	h.once.Do(func() {
		h.sockets.mu.Lock()
		defer h.sockets.mu.Unlock()
		if !h.sockets.staying {
			h.sockets.forget(h.name)
		}
	})
	return h.Listener.Close()
}

// SetDeadline ends Accept at t.
func (h *heldListener) SetDeadline(t time.Time) error {
	if l, ok := h.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return l.SetDeadline(t)
	}
	return errors.ErrUnsupported
}
