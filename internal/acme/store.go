package acme

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/caddyserver/certmagic"
)

// store is a certmagic.Storage in a directory: keys are paths in it. Files appear whole;
// their mode is 0600, that of directories 0700. The directory is opened for each call:
// calls are rare, and the directory may be replaced.
type store struct {
	dir   string
	locks *locks
}

var _ certmagic.Storage = (*store)(nil)

// openStorage opens the directory and creates it if it does not exist.
func openStorage(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// Store implements certmagic.Storage.
func (s *store) Store(_ context.Context, key string, value []byte) error {
	root, err := openStorage(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return err
	}
	aside := key + "." + rand.Text() + ".tmp"
	err = writeFile(root, aside, value)
	if err == nil {
		err = root.Rename(aside, key)
	}
	if err != nil {
		return errors.Join(err, ignore(root.Remove(aside)))
	}
	return nil
}

func writeFile(root *os.Root, name string, value []byte) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	return errors.Join(err, f.Sync(), f.Close())
}

// Load implements certmagic.Storage; fs.ErrNotExist if there is no such key.
func (s *store) Load(_ context.Context, key string) ([]byte, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReadFile(key)
}

// Delete implements certmagic.Storage.
func (s *store) Delete(_ context.Context, key string) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return ignore(err)
	}
	defer root.Close()
	return root.RemoveAll(key)
}

// Exists implements certmagic.Storage.
func (s *store) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// List implements certmagic.Storage.
func (s *store) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var keys []string
	err = fs.WalkDir(root.FS(), prefix, func(key string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case key == prefix:
			return nil
		}
		keys = append(keys, key)
		if d.IsDir() && !recursive {
			return fs.SkipDir
		}
		return ctx.Err()
	})
	return keys, err
}

// Stat implements certmagic.Storage.
func (s *store) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	defer root.Close()
	fi, err := root.Stat(key)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key, Modified: fi.ModTime(), Size: fi.Size(), IsTerminal: !fi.IsDir()}, nil
}

// Lock implements certmagic.Storage, for this process only: two servers with one storage
// may fetch a certificate twice, but none reads half of one.
func (s *store) Lock(ctx context.Context, name string) error { return s.locks.lock(ctx, name) }

// Unlock implements certmagic.Storage.
func (s *store) Unlock(_ context.Context, name string) error {
	s.unlock(name)
	return nil
}

func (s *store) unlock(name string) { s.locks.unlock(name) }

// ignore returns nil for a file that does not exist.
func ignore(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// locks are named mutexes. Waiting for one ends with a context.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when it is released
}

func (l *locks) lock(ctx context.Context, name string) error {
	for {
		l.mu.Lock()
		free, taken := l.held[name]
		if !taken {
			if l.held == nil {
				l.held = make(map[string]chan struct{})
			}
			l.held[name] = make(chan struct{})
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *locks) unlock(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if free, ok := l.held[name]; ok {
		close(free)
		delete(l.held, name)
	}
}
