package fanout

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendfileMin is the number of bytes from which on sendfile is cheaper than send,
// which copies.
const sendfileMin = 8 << 10

// A rawSink sends on the socket itself, without blocking and without another
// goroutine. The descriptor is used only inside a RawConn callback: a number
// kept beyond that may be somebody else's.
type rawSink struct {
	p     *Player
	rc    syscall.RawConn
	work  func(fd uintptr) // step under rc, made once
	fd    int              // valid inside work
	alive bool
}

func newSink(p *Player) sink {
	tcp, ok := p.conn.(*net.TCPConn)
	if !ok {
		return newConnSink(p)
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return newConnSink(p)
	}
	s := &rawSink{p: p, rc: rc}
	s.work = func(fd uintptr) {
		s.fd = int(fd)
		s.alive = p.step()
		switch {
		case !s.alive:
			p.fl.poll.unwatch(p, s.fd)
		case p.full:
			if !p.fl.poll.watch(p, s.fd) {
				p.full = false // no epoll: the next pass tries again
			}
		}
	}
	return s
}

func (s *rawSink) serve() bool {
	s.alive = false
	if err := s.rc.Control(s.work); err != nil {
		s.p.fail(ErrClosed)
		return false
	}
	return s.alive
}

func (s *rawSink) send(b []byte) (int, error) {
	for {
		n, err := unix.SendmsgN(s.fd, b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return s.result(n, err)
		}
	}
}

func (s *rawSink) sendLog(seg *segment, off, end int64) (int, error) {
	if end-off < sendfileMin || seg.fd < 0 {
		return s.send(seg.mem[off:end])
	}
	for {
		from := off
		n, err := unix.Sendfile(s.fd, seg.fd, &from, int(end-off))
		if !errors.Is(err, unix.EINTR) {
			return s.result(n, err)
		}
	}
}

// result makes a full socket no error.
func (s *rawSink) result(n int, err error) (int, error) {
	s.p.fl.sends++
	s.p.fl.bytes += int64(max(n, 0))
	if n > 0 {
		s.p.since = s.p.fl.now
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, unix.EAGAIN):
		return max(n, 0), nil
	}
	return max(n, 0), err
}

// A poller is an epoll of the players whose sockets are full. Go's own tells
// nobody but the one goroutine that waits in Write.
type poller struct {
	fd     int
	byID   map[int32]*Player
	nextID int32
	events [256]unix.EpollEvent
}

func newPoller() *poller {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		fd = -1
	}
	return &poller{fd: fd, byID: make(map[int32]*Player)}
}

// watch makes ready report p once fd takes bytes again.
func (e *poller) watch(p *Player, fd int) bool {
	if e.fd < 0 {
		return false
	}
	if p.pollID == 0 {
		e.nextID++
		p.pollID = e.nextID
		e.byID[p.pollID] = p
		ev := unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLET | unix.EPOLLRDHUP, Fd: p.pollID}
		if err := unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			e.remove(p)
			return false
		}
	}
	return true
}

func (e *poller) unwatch(p *Player, fd int) {
	if p.pollID != 0 {
		_ = unix.EpollCtl(e.fd, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

// remove removes p. A closed descriptor leaves the epoll by itself.
func (e *poller) remove(p *Player) {
	delete(e.byID, p.pollID)
	p.pollID = 0
}

// ready calls f for the players that may go on.
func (e *poller) ready(f func(*Player)) {
	if e.fd < 0 || len(e.byID) == 0 {
		return
	}
	for {
		n, err := unix.EpollWait(e.fd, e.events[:], 0)
		if err != nil || n <= 0 {
			return
		}
		for _, ev := range e.events[:n] {
			if p := e.byID[ev.Fd]; p != nil && p.full {
				f(p)
			}
		}
		if n < len(e.events) {
			return
		}
	}
}

func (e *poller) close() {
	if e.fd >= 0 {
		_ = unix.Close(e.fd)
	}
}
