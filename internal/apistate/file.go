package apistate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	fileName = "api.json"
	maxFile  = 16 << 20
)

// Load reads the state that a state directory keeps; one without is empty.
func Load(stateDir string) (*State, error) {
	s, err := load(stateDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &State{}, nil
	case err != nil:
		return nil, fmt.Errorf("%s, which keeps what the API has changed: %w", filepath.Join(stateDir, fileName), err)
	}
	return s, nil
}

func load(stateDir string) (*State, error) {
	root, err := os.OpenRoot(stateDir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(fileName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxFile:
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	return parse(b)
}

// Save writes the state aside and renames it into its place: a crash leaves the one before.
// Only the server's user may read it, for it has the keys of targets.
func (s *State) Save(stateDir string) error {
	text, err := s.text()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	root, err := os.OpenRoot(stateDir)
	if err != nil {
		return err
	}
	defer root.Close()
	aside := fileName + "." + rand.Text() + ".tmp"
	f, err := root.OpenFile(aside, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = root.Rename(aside, fileName)
	}
	if err != nil {
		_ = root.Remove(aside)
	}
	return err
}
