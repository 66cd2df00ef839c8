package packager

import (
	"testing"
	"time"
)

func TestTinyFragmentsAreRationed(t *testing.T) {
	var bk bucket
	now := testStart
	took := 0
	for range 1000 { // ten seconds
		if bk.take(now) {
			took++
		}
		now = now.Add(10 * time.Millisecond)
	}
	if took < 20 || took > 35 {
		t.Errorf("%d tiny fragments in ten seconds", took)
	}
}
