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
	// shortest is the length of "PROXY UNKNOWN\r\n", the shortest header. Version 2
	// has one byte more before its variable part.
	shortest = 15
	fixed2   = 16
	longest1 = 107
	// longest2 bounds the variable part of version 2: addresses and the additions
	// of proxies, the longest of which is a client's certificate.
	longest2 = 4096
)

// Errors of ReadPROXYHeader.
var (
	ErrNoHeader        = errors.New("no PROXY header, and this peer must send one (proxy_protocol)")
	ErrMalformedHeader = errors.New("malformed PROXY header")
)

// ReadPROXYHeader takes the PROXY protocol header (versions 1 and 2,
// haproxy.org/download/3.0/doc/proxy-protocol.txt) from nc, and not a byte more: what
// follows stays in the socket, so that its server can use the socket without a wrapper,
// for sendfile.
//
// The whole header must arrive by deadline. source is the client's address, unmapped; it
// is the zero AddrPort for connections of the proxy itself (health checks) and of unix
// sockets. The read deadline is removed. Errors wrap ErrNoHeader or ErrMalformedHeader, or are the
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

// headerLine reads to the end of a version 1 header, byte by byte: the header ends with the
// line, and bytes behind it could not be put back. That is some fifty reads, once per
// connection.
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

// binary2 reads to the end of a version 2 header: 12 bytes signature, version
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

// cutHeader is the error for a header that ends early.
func cutHeader(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", ErrMalformedHeader)
	}
	return err
}
