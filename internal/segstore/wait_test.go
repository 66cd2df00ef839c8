package segstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Many wait for one file, others come meanwhile; who gives up hears why.
func TestWaitForAFileThatIsStillToCome(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	s := testStore(t, &now)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := make(chan error, 100)
	var asked sync.WaitGroup
	for range cap(got) {
		asked.Add(1)
		go func() {
			asked.Done()
			f, err := s.Wait(ctx, "b.ts")
			if err == nil && f.Size != 3 {
				err = fmt.Errorf("a file of %d bytes", f.Size)
			}
			got <- err
		}()
	}
	asked.Wait()
	put := func(name, text string) {
		t.Helper()
		if err := s.Write(Entry{Name: name, Kind: "segment"}, []byte(text), File{Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
	}
	put("a.ts", "a")
	put("b.ts", "bbb")
	for range cap(got) {
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
	if f, err := s.Wait(ctx, "a.ts"); err != nil || f.Size != 1 {
		t.Errorf("a file that is there: %+v, %v", f, err)
	}
	short, stop := context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	if _, err := s.Wait(short, "c.ts"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a file that never comes: %v", err)
	}
}
