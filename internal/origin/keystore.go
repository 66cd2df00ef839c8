package origin

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// NewKey makes a stream key: 26 letters and digits that survive OBS, URLs and
// being read over the phone; 130 bits.
func NewKey() string {
	var b [17]byte
	_, _ = rand.Read(b[:]) // never fails (Go 1.24)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:26]
}

// keyFile is where the state directory keeps the generated secret of a holder.
// Names come from the configuration and are escaped into one path element each.
func keyFile(app, holder string) string {
	return filepath.Join("keys", element(app), element(holder))
}

func element(s string) string {
	e := url.PathEscape(s)
	if strings.HasPrefix(e, ".") {
		e = "%2E" + e[1:]
	}
	return e
}

// KeptKey reads the secret that rtmpd made for a stream_key block without one.
// The error is fs.ErrNotExist if it has not been made yet.
func KeptKey(stateDir, app, holder string) (string, error) {
	return keptSecret(stateDir, keyFile(app, holder))
}

// keptSecret reads a secret that rtmpd keeps in a file of the state directory. The error is
// fs.ErrNotExist if it has not been made yet.
func keptSecret(stateDir, name string) (string, error) {
	root, err := os.OpenRoot(stateDir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	b, err := root.ReadFile(name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" {
		return "", fmt.Errorf("%s is empty: remove it and a new key is made", filepath.Join(stateDir, name))
	}
	return secret, nil
}

// ForgetKeys removes the files of keys that nobody was shown.
func ForgetKeys(stateDir string, made []MadeKey) error {
	if len(made) == 0 {
		return nil
	}
	root, err := os.OpenRoot(stateDir)
	if err != nil {
		return err
	}
	defer root.Close()
	var errs []error
	for _, k := range made {
		errs = append(errs, root.Remove(k.file))
	}
	return errors.Join(errs...)
}

// keepKey makes a holder's secret at its first use. made says that it is new:
// then, and only then, it is shown to whoever started the server.
func keepKey(stateDir, app, holder string) (secret string, made bool, err error) {
	secret, made, err = keepSecret(stateDir, keyFile(app, holder), NewKey)
	if err != nil {
		return "", false, fmt.Errorf("keep the stream key of %q: %w", holder, err)
	}
	return secret, made, nil
}

// keepSecret reads a secret from a file of the state directory, and makes it at its first
// use.
func keepSecret(stateDir, name string, fresh func() string) (secret string, made bool, err error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return "", false, fmt.Errorf("state_dir: %w", err)
	}
	secret, err = keptSecret(stateDir, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	root, err := os.OpenRoot(stateDir)
	if err != nil {
		return "", false, err
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", false, err
	}
	secret = fresh()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", false, err
	}
	_, err = f.WriteString(secret + "\n")
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		_ = root.Remove(name)
		return "", false, err
	}
	return secret, true, nil
}
