package interop

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An encoder that is muted for 6 s, in each layout of its sound: the silence in the
// fragments decodes without a complaint, and the real sound is all there.
func TestWhatAMutedEncoderLeavesDecodes(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	beside := together(t)
	defer beside.Wait()
	for _, layout := range []string{"mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1"} {
		beside.Run(layout, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "in.flv")
			succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error",
				"-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=14", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=14",
				"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "20",
				"-af", "aformat=channel_layouts="+layout, "-c:a", "aac", "-f", "flv", file))
			var tags []sentTag
			sent := 0
			muted := without(tagAudio, 3000, 9000)
			for _, tag := range flvTags(t, file) {
				if s := (sentTag{tag, tag.timestamp}); tag.kind != tagScript && muted(&s) {
					tags = append(tags, s)
					if tag.kind == tagAudio && tag.body[1] != 0 {
						sent++
					}
				}
			}
			stream := "muted-" + strings.ReplaceAll(layout, ".", "")
			if err := sendInTime(t.Context(), s, stream, tags, time.Now()); err != nil {
				t.Fatal(err)
			}
			_, fragments := s.ended(t, stream)
			decode(t, fragments)
			frames := 0
			for i, f := range fragments {
				n := demux(t, f).audio
				if n == 0 {
					t.Errorf("no sound in fragment %d", i)
				}
				frames += n
			}
			// At most a fragment without silence when the mute begins, and half a second
			// when it ends.
			if least := sent + (6-2-1)*48000/1024; frames < least {
				t.Errorf("%d frames of sound in the fragments, %d were sent and %d are silence at least", frames, sent, least-sent)
			}
			keep(t, stream+".txt", fmt.Appendf(nil, "%d frames sent, %d in the fragments", sent, frames))
		})
	}
}
