package origin

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keep_for holds for recordings of streams that are over, and of a recorder in a
// stream block.
func TestOldRecordingsGoWithoutAStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(`reconnect_grace = "0s"
    stream "cam*" {
      record "all" {
        path     = "$DIR/rec"
        keep_for = "1d"
      }
    }`))
	p, err := r.fake().publish("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	p.card(25)
	path := filepath.Join(r.dir, "rec", "cam1.flv")
	p.Leave(true)
	p.Stream().WaitOutputs()
	r.sweepRecordings(time.Now().Add(20 * time.Hour))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	r.sweepRecordings(time.Now().Add(30 * time.Hour))
	if _, err := os.Stat(path); err == nil {
		t.Error("a recording of yesterday is still there")
	}
}
