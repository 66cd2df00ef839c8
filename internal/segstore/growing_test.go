package segstore

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadersOfAGrowingFileHaveWhatThereIsAndWaitForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, whole := range []bool{true, false} {
			g := new(Growing)
			g.Add([]byte("one"))
			read := func() (got []string, done bool, err error) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for {
					pieces, whole, err := g.From(ctx, len(got))
					if len(pieces) == 0 {
						return got, whole, err
					}
					for _, p := range pieces {
						got = append(got, string(p))
					}
				}
			}
			type result struct {
				got  []string
				done bool
				err  error
			}
			results := make(chan result, 3)
			for range 2 {
				go func() {
					got, done, err := read()
					results <- result{got, done, err}
				}()
			}
			synctest.Wait()
			g.Add([]byte("two"))
			synctest.Wait()
			g.Add([]byte("three"))
			g.End(whole)
			g.End(!whole) // says nothing new
			got, done, err := read()
			results <- result{got, done, err}
			for range 3 {
				if r := <-results; !slices.Equal(r.got, []string{"one", "two", "three"}) || r.done != whole || r.err != nil {
					t.Errorf("a reader has %q, whole %v (%v), want whole %v", r.got, r.done, r.err, whole)
				}
			}
		}
	})
}

func TestWhoWaitsForAGrowingFileGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := new(Growing).From(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
