package top

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/rtmpd/rtmpd/internal/api"
)

func TestOnceLooksTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		looks := 0
		err := Once(t.Context(), Options{
			Interval: 2 * time.Second, Out: &out,
			Source: func(context.Context) (*api.Snapshot, error) {
				looks++
				return busy(2 * (looks - 1)), nil
			},
		})
		if err != nil || looks != 2 {
			t.Fatalf("%d looks, %v", looks, err)
		}
		for _, want := range []string{"show/test", "requests 412.0/s", "cpu 23.4 %", "/live/test-139.ts", "viewers 347"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
		if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "q quit") {
			t.Errorf("plain text is for a terminal:\n%q", out.String())
		}
	})
}

func TestWhoDoesNotAnswerAtTheStartIsAnError(t *testing.T) {
	t.Parallel()
	dead := errors.New("nobody")
	o := Options{Out: io.Discard, In: strings.NewReader(""), Source: func(context.Context) (*api.Snapshot, error) { return nil, dead }}
	if err := Once(t.Context(), o); !errors.Is(err, dead) {
		t.Errorf("Once: %v", err)
	}
	if err := Run(t.Context(), o); !errors.Is(err, dead) {
		t.Errorf("Run: %v", err)
	}
}

// press sends keys, and returns what is shown and whether that was the end.
func press(m tea.Model, keys ...tea.KeyPressMsg) (shown tea.Model, quit bool) {
	for _, k := range keys {
		var cmd tea.Cmd
		m, cmd = m.Update(k)
		if cmd != nil {
			_, quit = cmd().(tea.QuitMsg)
		}
	}
	return m, quit
}

func key(r rune) tea.KeyPressMsg { return tea.KeyPressMsg{Code: r, Text: string(r)} }

func shownBy(m tea.Model) string { return plain(m.View().Content) }

func TestKeys(t *testing.T) {
	t.Parallel()
	var m tea.Model = model{view: busyView(), interval: time.Second}
	if got := m.View().Content; got != "" {
		t.Errorf("before the size is known: %q", got)
	}
	m, _ = m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})

	helped, quit := press(m, key('?'))
	if !strings.Contains(shownBy(helped), "REQ/MIN      requests of") || quit {
		t.Errorf("? shows\n%s", shownBy(helped))
	}
	if back, _ := press(helped, key('x')); strings.Contains(shownBy(back), "requests of the last minute") {
		t.Errorf("a key does not leave the help")
	}
	sorted, _ := press(m, key('s'), key('s'))
	if got := shownBy(sorted); !strings.Contains(got, "sort: out") || strings.Index(got, "show/test") > strings.Index(got, "show/long") {
		t.Errorf("sorted by bit rate out:\n%s", got)
	}
	scrolled, _ := press(m, tea.KeyPressMsg{Code: tea.KeyTab}, tea.KeyPressMsg{Code: tea.KeyTab}, tea.KeyPressMsg{Code: tea.KeyDown})
	if got := shownBy(scrolled); strings.Contains(got, "/live/test.m3u8") || !strings.Contains(got, "PATH  [2-") {
		t.Errorf("scrolled by a line:\n%s", got)
	}
	for _, k := range []tea.KeyPressMsg{key('q'), {Code: 'c', Mod: tea.ModCtrl}} {
		for _, m := range []tea.Model{m, helped} {
			if _, quit := press(m, k); !quit {
				t.Errorf("%s does not quit", k)
			}
		}
	}
	wide, _ := m.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
	if got := shownBy(wide); !strings.Contains(got, "total 123 MB in") {
		t.Errorf("a wider terminal shows no more:\n%s", got)
	}
}

func TestAServerThatGoesAwayIsSaidAndAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var m tea.Model = model{
			ctx: t.Context(), interval: time.Second, width: 80, height: 24, view: busyView(),
			source: func(context.Context) (*api.Snapshot, error) {
				if down.Load() {
					return nil, errors.New("no running rtmpd answers")
				}
				return busy(3), nil
			},
		}
		turn := func() string {
			t.Helper()
			var cmd tea.Cmd
			m, cmd = m.Update(m.(model).look()()) // the look, then what it brought
			if cmd == nil {
				t.Error("nobody asks again")
			}
			return shownBy(m)
		}
		down.Store(true)
		if got := turn(); !strings.Contains(got, "no answer, trying again: no running rtmpd answers") || !strings.Contains(got, "show/test") {
			t.Errorf("the server is away:\n%s", got)
		}
		down.Store(false)
		if got := turn(); strings.Contains(got, "no answer") {
			t.Errorf("the server is back:\n%s", got)
		}
	})
}
