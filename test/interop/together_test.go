package interop

import (
	"sync"
	"testing"
)

// subtests run beside each other, two at a time, and at once. With t.Parallel they
// would begin when every test of the package has, and the server and the encoder that they
// share would run on until then.
type subtests struct {
	t     *testing.T
	slots chan struct{}
	tests sync.WaitGroup
}

// together returns subtests of t; Wait must be deferred.
func together(t *testing.T) *subtests {
	return &subtests{t: t, slots: make(chan struct{}, 2)}
}

func (s *subtests) Run(name string, test func(*testing.T)) {
	s.tests.Go(func() {
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
		s.t.Run(name, test)
	})
}

func (s *subtests) Wait() { s.tests.Wait() }
