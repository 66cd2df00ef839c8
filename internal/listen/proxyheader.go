package listen

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

const (
	// shortest is "PROXY UNKNOWN\r\n", the least that a header is; version 2
	// has one byte more before its variable part.
	shortest = 15
	fixed2   = 16
	longest1 = 107
	// longest2 bounds the variable part of version 2: addresses, and what
	// proxies add, a client's certificate at most.
	longest2 = 4096
)

// Errors of ReadPROXYHeader.
var (
	ErrNoHeader        = errors.New("no PROXY header, and this peer must send one (proxy_protocol)")
	ErrMalformedHeader = errors.New("malformed PROXY header")
)

// ReadPROXYHeader takes the PROXY protocol header (versions 1 and 2,
// haproxy.org/download/3.0/doc/proxy-protocol.txt) off nc, and not a byte more:
// what follows stays in the socket, so that whoever serves it can have the socket
// itself, for sendfile and for writing without a wrapper.
//
// The header must all be there by deadline. The
// source's address is the client's, unmapped; it is the zero AddrPort when the
// proxy speaks for itself (its health checks) or for a unix socket. The read
// deadline is gone afterwards. Errors wrap ErrNoHeader or ErrMalformedHeader, or are the
// connection's: io.EOF if it was closed or reset without a byte, as simple health
// checks do.
func ReadPROXYHeader(nc net.Conn, deadline time.Time) (netip.AddrPort, error) {
	if err := nc.SetReadDeadline(deadline); err != nil {
		return netip.AddrPort{}, err
	}
	source, err := readHeader(nc)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("incomplete in time: %w", ErrNoHeader)
	}
	if err != nil {
		return netip.AddrPort{}, err
	}
	return source, nc.SetReadDeadline(time.Time{})
}

func readHeader(r io.Reader) (netip.AddrPort, error) {
	head := make([]byte, shortest, longest1)
	n, err := io.ReadFull(r, head)
	switch {
	case n == 0 && errors.Is(err, syscall.ECONNRESET):
		return netip.AddrPort{}, io.EOF
	case bytes.HasPrefix(head[:n], proxyproto.SIGV1) && err == nil:
		head, err = headerLine(r, head)
	case bytes.HasPrefix(head[:n], proxyproto.SIGV2) && err == nil:
		head, err = binary2(r, head)
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF):
		return netip.AddrPort{}, ErrNoHeader
	}
	if err != nil {
		return netip.AddrPort{}, err
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(head), len(head)))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", ErrMalformedHeader, err)
	}
	if h.Command.IsLocal() {
		return netip.AddrPort{}, nil
	}
	switch a := h.SourceAddr.(type) {
	case *net.TCPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
	case *net.UnixAddr:
		return netip.AddrPort{}, nil
	}
	return netip.AddrPort{}, fmt.Errorf("%w: it is not about a stream", ErrMalformedHeader)
}

// line reads on to the end of a version 1 header. It goes byte by byte: only
// the line's end says where the header's is, and some fifty reads once per
// connection are nothing beside what they would have to give back otherwise.
func headerLine(r io.Reader, head []byte) ([]byte, error) {
	for !bytes.HasSuffix(head, []byte("\r\n")) {
		if len(head) == longest1 {
			return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformedHeader, longest1)
		}
		head = append(head, 0)
		if _, err := io.ReadFull(r, head[len(head)-1:]); err != nil {
			return nil, cutHeader(err)
		}
	}
	return head, nil
}

// binary2 reads on to the end of a version 2 header: 12 bytes signature, version
// and command, family, then the length of the rest (§2.2).
func binary2(r io.Reader, head []byte) ([]byte, error) {
	head = head[:fixed2]
	if _, err := io.ReadFull(r, head[shortest:]); err != nil {
		return nil, cutHeader(err)
	}
	n := int(binary.BigEndian.Uint16(head[14:]))
	if n > longest2 {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformedHeader, n)
	}
	all := append(make([]byte, 0, fixed2+n), head...)[:fixed2+n]
	if _, err := io.ReadFull(r, all[fixed2:]); err != nil {
		return nil, cutHeader(err)
	}
	return all, nil
}

// cut is a header that ends early.
func cutHeader(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", ErrMalformedHeader)
	}
	return err
}
