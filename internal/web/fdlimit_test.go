package web

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// HTTP and HTTPS connections, and the files that requests open, leave the last
// descriptors to the outputs. A test limits its own process, and so runs in another.
func TestHTTPLeavesDescriptorsForTheOutputs(t *testing.T) {
	const child = "RTMPD_TEST_FEW_DESCRIPTORS"
	if kind := os.Getenv(child); kind != "" {
		leavesDescriptors(t, kind == "https")
		return
	}
	for _, kind := range []string{"http", "https"} {
		t.Run(kind, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestHTTPLeavesDescriptorsForTheOutputs$", "-test.timeout=100s")
			cmd.Env = append(os.Environ(), child+"="+kind)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

func leavesDescriptors(t *testing.T, secure bool) {
	limit := syscall.Rlimit{Cur: 500, Max: 500}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pair(t, dir, 1)
	write(t, dir, "www/a.txt", "a file")
	cfg := locations(config.Location{Path: "/health", Health: true}, config.Location{Path: "/", Root: value.Path(dir + "/www")})
	var addr string
	if secure {
		cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem")}
		addr, _ = listenTLS(t, site(t, Deps{}, cfg))
	} else {
		addr, _ = serveSite(t, site(t, Deps{}, cfg))
	}

	// Both ends of a connection are in this process. They stay open.
	var open []net.Conn
	for c := dialKept(addr, secure); c != nil; c = dialKept(addr, secure) {
		open = append(open, c)
	}
	if f, err := os.Open(os.DevNull); err == nil { // the client's end of one more may have a place, its server's has none
		defer f.Close()
	}
	if len(open) < 150 {
		t.Errorf("only %d connections were accepted", len(open))
	}
	if got, err := fetchKept(open[0], "/a.txt"); got != http.StatusServiceUnavailable {
		t.Errorf("a file that would take one of the last descriptors: status %d, %v, want 503", got, err)
	}
	var files []*os.File
	for range 90 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatalf("an output is left without a file after %d: %v", len(files), err)
		}
		files = append(files, f)
	}
	if fd := files[80].Fd(); fd < 400 {
		t.Errorf("descriptor %d: the last ones were not used, nothing was shown", fd)
	}
	for _, f := range files {
		f.Close()
	}

	for _, c := range open[1:21] {
		c.Close()
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		c := dialKept(addr, secure)
		if c != nil {
			if got, err := fetchKept(c, "/a.txt"); got != http.StatusOK {
				t.Errorf("after some have gone, the file: status %d, %v", got, err)
			}
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is accepted after some have gone")
		}
	}
	for _, c := range open {
		c.Close()
	}
}

// dialKept connects and has a first request answered; nil: the server hangs up instead.
func dialKept(addr string, secure bool) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil
	}
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	if status, err := fetchKept(c, "/health"); err != nil || status != http.StatusOK {
		c.Close()
		return nil
	}
	return c
}

// fetchKept makes a request over a connection that stays open, and says its status.
func fetchKept(c net.Conn, path string) (int, error) {
	if _, err := c.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return 0, err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, err
}
