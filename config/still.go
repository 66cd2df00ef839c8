package config

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// The times of LoadStill.
const (
	// Still is how long files must not have changed before they are read
	// (docs/reload.md).
	Still = 200 * time.Millisecond
	// stillShrunk is the same for files of which one is shorter than it was: most
	// half-written ones are.
	stillShrunk = 10 * Still
	// maxUnrest is when LoadStill gives up.
	maxUnrest = 10 * time.Second
)

var errUnrest = fmt.Errorf("the files keep changing: nothing was read that stood still for %s", Still)

// LoadStill calls load once its files no longer change. last is what the last load
// has read, and running what the running configuration was read from. Errors: ctx's,
// or that the files did not stand still.
func LoadStill(ctx context.Context, last, running Reading, load func() (*Config, Files, hcl.Diagnostics)) (*Config, Files, hcl.Diagnostics, error) {
	before := Read(last.Paths())
	for begun := time.Now(); time.Since(begun) < maxUnrest; {
		wait := Still
		if before.Shrunk(running) {
			wait = stillShrunk
		}
		select {
		case <-ctx.Done():
			return nil, nil, nil, ctx.Err()
		case <-time.After(wait):
		}
		cfg, files, diags := load()
		if cfg.Reading.Equal(before) {
			return cfg, files, diags, nil
		}
		before = cfg.Reading
	}
	return nil, nil, nil, errUnrest
}
