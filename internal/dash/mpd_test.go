package dash

import (
	"bytes"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

var update = flag.Bool("update", false, "write the goldens anew")

// at is a second of the day that all tests are in.
func at(s float64) instant {
	return instant{time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))}
}

func seconds(s float64) duration { return duration(time.Duration(s*1000+0.5) * time.Millisecond) }

func videoSet(media string, runs ...run) adaptationSet {
	return adaptationSet{
		ID: "1", ContentType: "video", MimeType: "video/mp4", SegmentAlignment: true, StartWithSAP: 1,
		Template:       segmentTemplate{Timescale: 90000, Offset: 90000, Initialization: "show-init.m4v", Media: media, Timeline: timeline{runs}},
		Representation: representation{ID: "video", Bandwidth: 2750000, Codecs: "avc1.64001f", Width: 1280, Height: 720, FrameRate: "30000/1001"},
	}
}

func audioSet(media string, runs ...run) adaptationSet {
	return adaptationSet{
		ID: "2", ContentType: "audio", MimeType: "audio/mp4", Lang: "und", SegmentAlignment: true, StartWithSAP: 1,
		Template:       segmentTemplate{Timescale: 44100, Offset: 44100, Initialization: "show-init.m4a", Media: media, Timeline: timeline{runs}},
		Representation: representation{ID: "audio", Bandwidth: 132000, Codecs: "mp4a.40.2", SamplingRate: 44100, Channels: &urnPair{schemeMPEG, "2"}},
	}
}

// presentations are MPDs by the name of their golden file.
var presentations = map[string]mpd{
	"live": {
		Profiles: profiles, Type: dynamic, AvailabilityStartTime: at(0), PublishTime: at(31.5),
		MinimumUpdatePeriod: seconds(2), MinBufferTime: seconds(2), TimeShiftBufferDepth: seconds(8.04), SuggestedPresentationDelay: seconds(6.12), MaxSegmentDuration: seconds(2.04),
		Periods: []period{
			{ID: "1000", Start: seconds(1), Sets: []adaptationSet{
				videoSet("show-$Time$.m4v", run{90000, 180000, 2}, run{630000, 183600, 0}),
				audioSet("show-$Time$.m4a", run{44032, 88064, 0}, run{132096, 89088, 1}),
			}},
			{ID: "21250", Start: seconds(21.25), Sets: []adaptationSet{audioSet("show-$Time$.m4a", run{937216, 88064, 0})}},
		},
		UTCTimings: []urnPair{{"urn:mpeg:dash:utc:http-iso:2014", "show.mpd?utc"}},
	},
	"ended": {
		Profiles: profiles, Type: static, AvailabilityStartTime: at(0), PublishTime: at(40),
		MediaPresentationDuration: seconds(86407.5), MinBufferTime: seconds(2), MaxSegmentDuration: seconds(2),
		Periods: []period{{ID: "86400000", Start: seconds(86400), Sets: []adaptationSet{videoSet("show-$Time$.m4v", run{7776000000, 180000, 2}, run{7776540000, 135000, 0})}}},
	},
	"names that XML and templates reserve": {
		Profiles: profiles, Type: dynamic, AvailabilityStartTime: at(0), PublishTime: at(1), MinBufferTime: seconds(1),
		Periods: []period{{ID: "0", Sets: []adaptationSet{videoSet(escape(`a"b<c>&d'$e:ü></S>`)+"-$Time$.m4v", run{0, 1, 0})}}},
	},
}

func TestAnMPDIsWrittenAsInItsGoldenFile(t *testing.T) {
	for name, m := range presentations {
		got, err := m.text()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join("testdata", name+".mpd")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnMPDIsReadAsItWasWritten(t *testing.T) {
	for name, m := range presentations {
		b, err := m.text()
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseMPD(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got.XMLName = xml.Name{}
		if diff := cmp.Diff(&m, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatIsNoMPDOfOursIsNotRead(t *testing.T) {
	live := presentations["live"]
	good, err := live.text()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"no XML":                          {"<MPD", "MPD"},
		"another namespace":               {"urn:mpeg:dash:schema:mpd:2011\"", "urn:example\""},
		"another type":                    {`type="dynamic"`, `type="live"`},
		"no start":                        {`availabilityStartTime="2026-03-01T20:00:00.000Z" `, ``},
		"a start that is no date":         {`2026-03-01T20:00:00.000Z`, `yesterday`},
		"a duration in years":             {`minBufferTime="PT2S"`, `minBufferTime="P2Y"`},
		"a duration of nothing":           {`minBufferTime="PT2S"`, `minBufferTime="PT"`},
		"a duration that is too long":     {`minBufferTime="PT2S"`, `minBufferTime="PT1e300S"`},
		"a duration that is no number":    {`minBufferTime="PT2S"`, `minBufferTime="PTNaNS"`},
		"a timescale of 0":                {`timescale="90000"`, `timescale="0"`},
		"text as content":                 {`contentType="video"`, `contentType="text"`},
		"a duration of 0 ticks":           {`d="180000"`, `d="0"`},
		"more segments than there can be": {`r="2"`, `r="4294967296"`},
		"repetition until further notice": {`r="2"`, `r="-1"`},
		"a time beyond exact numbers":     {`t="90000"`, `t="9007199254740993"`},
	} {
		b := bytes.ReplaceAll(good, []byte(change[0]), []byte(change[1]))
		if bytes.Equal(b, good) {
			t.Errorf("%s: nothing was changed", name)
		}
		if m, err := parseMPD(b); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}

func TestARunHoldsSegmentsThatFollowEachOther(t *testing.T) {
	var l timeline
	for _, s := range [][2]uint64{{100, 10}, {110, 10}, {120, 10}, {130, 11}, {141, 10}, {152, 10}} {
		l.add(s[0], s[1])
	}
	want := timeline{[]run{{100, 10, 2}, {130, 11, 0}, {141, 10, 0}, {152, 10, 0}}}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseMPD(f *testing.F) {
	for _, m := range presentations {
		b, err := m.text()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		m, err := parseMPD(b)
		if err != nil {
			return
		}
		again, err := m.text()
		if err != nil {
			t.Fatalf("%q can't be written again: %v", b, err)
		}
		if _, err := parseMPD(again); err != nil {
			t.Errorf("%q was read, and is not when written again:\n%s\n%v", b, again, err)
		}
	})
}
