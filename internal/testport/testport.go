// Package testport gives port numbers to tests and benchmarks that start a
// program which must be told where to listen.
//
// A port that was found free and closed again can be taken by any other process
// before the program listens on it. The numbers of this package are given once:
// each process owns blocks of them, and shows it by listening on the first port
// of every block until it ends. The blocks are below the ports that Linux and
// macOS choose themselves, for listeners on port 0 and for connections.
//
// Use it only where a number is needed in advance. A test that listens itself
// does so on port 0; rtmpd is asked where it listens.
package testport

import (
	"net"
	"os"
	"strconv"
	"sync"
)

const (
	first     = 20000
	blockSize = 100
	blocks    = 60
)

var pool struct {
	mu        sync.Mutex
	owned     []net.Listener // on the first ports of our blocks, never closed
	next, end int            // what is left of the newest block
}

// Next returns the number of a TCP and UDP port that no other caller gets, in
// this process or in another one that runs at the same time.
func Next() int {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for {
		if pool.next == pool.end {
			claim()
		}
		pool.next++
		if port := pool.next - 1; unused(port) {
			return port
		}
	}
}

// Address returns 127.0.0.1 with a port of its own.
func Address() string { return "127.0.0.1:" + strconv.Itoa(Next()) }

// claim makes a block ours. The caller holds the lock.
func claim() {
	for i := range blocks {
		base := first + (os.Getpid()+i)%blocks*blockSize
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(base))
		if err == nil {
			pool.owned = append(pool.owned, l)
			pool.next, pool.end = base+1, base+blockSize
			return
		}
	}
	panic("every block of ports is in use")
}

// unused reports whether no program outside the tests has the port.
func unused(port int) bool {
	address := ":" + strconv.Itoa(port)
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	p, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return p.Close() == nil
}
