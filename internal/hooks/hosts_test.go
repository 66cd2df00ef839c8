package hooks

import (
	"testing"
	"testing/synctest"
	"time"
)

// A call about a stream waits for earlier ones to the same host, whatever their path.
// A host that is down delays no calls to other hosts.
func TestAHostThatIsDownHoldsUpNoOtherHost(t *testing.T) {
	inBubble(t, func(b *bubble) {
		other := &recorder{start: time.Now()}
		stop := b.net.serve("other:80", other)
		defer stop()
		b.stop() // the first host is down
		cam := Stream{Name: "cam"}
		b.tellEnd(1, Call{"http://hook/a", PublishDone(ffmpeg, cam)})
		b.tellEnd(2, Call{"http://other/b", PublishDone(ffmpeg, cam)})
		b.tellEnd(3, Call{"http://hook/c", RecordDone(ffmpeg, cam, "all", "file")})
		synctest.Wait()
		if got := other.seen(); len(got) != 1 || got[0] != "publish_done/cam" {
			b.Errorf("the host that is up has heard %q", got)
		}
		b.up()
		synctest.Wait()
		b.wants()
		time.Sleep(time.Hour)
		b.wants("publish_done/cam", "record_done/cam")
		if got := other.seen(); len(got) != 1 {
			b.Errorf("the host that is up has heard %q", got)
		}
	})
}
