// Package control implements the unix socket by which the commands rtmpd reload, stop,
// plan, kick and top reach the running server. Serve is the server's side and owns the
// goroutines; Ask is the commands' side.
package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/internal/listen"
)

// Verbs are the requests of the control socket. Each returns a text for a person. ok
// false makes the command exit with 1.
type Verbs map[string]func(ctx context.Context, args url.Values) (text string, ok bool)

// Socket returns the path of the socket of the instance that runs configPath. Its name is
// made of the absolute path, so that two instances have different sockets.
func Socket(runtimeDir, configPath string) string {
	sum := sha256.Sum256([]byte(configPath))
	base := strings.TrimSuffix(filepath.Base(configPath), ".hcl")
	if configPath == "" {
		base = "builtin"
	}
	return filepath.Join(runtimeDir, fmt.Sprintf("%.32s-%s.sock", base, hex.EncodeToString(sum[:6])))
}

const controlTimeout = 2 * time.Minute // a reload may wait for disks and DNS

// Serve answers verbs on the control socket until ctx ends. Only the socket's owner may
// connect. A socket left behind by a crash is replaced; if another instance answers
// on it, the error is ErrRunning.
func Serve(ctx context.Context, path string, verbs Verbs) (wait func(), err error) {
	if err := ownDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("runtime_dir: %w", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("%w (%s answers)", ErrRunning, path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln, err := listen.Unix(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	for name, verb := range verbs {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxQuestion)
			if err := r.ParseForm(); err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			text, ok := verb(r.Context(), r.PostForm)
			if !ok {
				w.WriteHeader(http.StatusConflict)
			}
			_, _ = io.WriteString(w, text)
		})
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln) // ends with Shutdown below
	}()
	stopped := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	return func() { <-done; <-stopped }, nil
}

// maxQuestion bounds the arguments of a verb, such as a draft of a configuration.
const maxQuestion = 32 << 20

// maxAnswer is more than the snapshot of ten thousand connections.
const maxAnswer = 64 << 20

// ErrRunning says that another instance serves the control socket.
var ErrRunning = errors.New("another rtmpd runs with this configuration already")

// ErrNotRunning says that no instance answers on the control socket.
var ErrNotRunning = errors.New("no running rtmpd answers")

// ErrOlder says that the instance does not know the verb.
var ErrOlder = errors.New("the running rtmpd is older and does not know this: restart it")

// Ask sends verb to the instance that serves path. args may be nil. The text is safe to
// print on a terminal.
func Ask(ctx context.Context, path, verb string, args url.Values) (text string, ok bool, err error) {
	if err := askable(filepath.Dir(path)); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
		return "", false, fmt.Errorf("control socket not used: %w", err)
	}
	client := &http.Client{
		Timeout: controlTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", path)
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://rtmpd/"+verb, strings.NewReader(args.Encode()))
	if err != nil {
		return "", false, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "", false, fmt.Errorf("%w at %s: it is found by the -c that it was started with", ErrNotRunning, path)
	case errors.Is(err, os.ErrPermission):
		return "", false, fmt.Errorf("%s: permission denied: ask as the user that runs rtmpd", path)
	case err != nil:
		return "", false, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		return "", false, ErrOlder
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return printable(string(b)), res.StatusCode == http.StatusOK, err
}
