package gather

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever is appended, shared or put in front comes out in its order, and long memory
// is not copied.
func TestABatchIsWrittenInItsOrder(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var b Batch
	for round := range 200 {
		var want []byte
		var long [][]byte
		for range rng.IntN(40) {
			p := bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(2*Least))
			switch rng.IntN(4) {
			case 0:
				b.Own = append(b.Own, p...)
				want = append(want, p...)
			case 1:
				b.Precede(p)
				want = slices.Concat(p, want)
			case 2:
				if len(p) > 0 {
					b.Share(p)
					long = append(long, p)
				}
				want = append(want, p...)
			case 3:
				b.Append(p)
				if len(p) >= Least {
					long = append(long, p)
				}
				want = append(want, p...)
			}
		}
		v := b.Vector()
		if got := slices.Concat(v...); !bytes.Equal(got, want) || b.Len() != len(want) {
			t.Fatalf("round %d: %d bytes of length %d, want %d", round, len(got), b.Len(), len(want))
		}
		for _, p := range long {
			if !slices.ContainsFunc(v, func(q []byte) bool { return &q[0] == &p[0] }) {
				t.Fatal("shared memory was copied")
			}
		}
		for i := range v {
			if len(v[i]) == 0 {
				t.Fatal("an empty entry")
			}
			v[i] = nil // consumed
		}
		b.Reset(rng.IntN(8 * Least))
		if b.Len() != 0 || len(b.Vector()) != 0 {
			t.Fatal("it is not empty after Reset")
		}
	}
}

func TestABatchThatIsUsedAgainAllocatesNothing(t *testing.T) {
	var b Batch
	short, long := make([]byte, 300), make([]byte, 9000)
	if n := testing.AllocsPerRun(100, func() {
		for range 30 {
			b.Append(short)
			b.Append(long)
		}
		if len(b.Vector()) == 0 {
			t.Fatal("nothing")
		}
		b.Reset(64 << 10)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	big := make([]byte, 2<<10)
	b.Own = append(b.Own, big...)
	if b.Reset(1 << 10); cap(b.Own) > 0 {
		t.Errorf("%d bytes are kept", cap(b.Own))
	}
}
