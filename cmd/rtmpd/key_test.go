package main

import (
	"bytes"
	"strings"
	"testing"
)

// What "rtmpd key hash" prints is the SHA-256 of the key alone (sha256sum says the
// same), whatever shell or editor wrote it.
func TestKeyHashReadsWhatShellsAndEditorsWrite(t *testing.T) {
	const want = "62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d\n"
	hash := func(in string) (string, error) {
		root := newRoot()
		var out bytes.Buffer
		root.SetIn(strings.NewReader(in))
		root.SetOut(&out)
		root.SetArgs([]string{"key", "hash"})
		err := root.Execute()
		return out.String(), err
	}
	for name, in := range map[string]string{
		"echo":                      "correct-horse-battery\n",
		"printf":                    "correct-horse-battery",
		"Windows":                   "correct-horse-battery\r\n",
		"PowerShell, with its mark": "\xef\xbb\xbfcorrect-horse-battery\r\n",
		"a second line":             "correct-horse-battery\nsomething else\n",
	} {
		if got, err := hash(in); err != nil || got != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for in, want := range map[string]string{
		"\xff\xfec\x00o\x00r\x00r\x00e\x00c\x00t\x00": "UTF-16",
		"":                    "would not work",
		"\xef\xbb\xbf\r\n":    "would not work",
		"a key with spaces\n": "would not work",
	} {
		if got, err := hash(in); err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%q: got %q, %v, want an error with %q", in, got, err, want)
		}
	}
}

func TestDurationsOfTheCommandLineAreThoseOfTheConfiguration(t *testing.T) {
	for _, c := range []struct{ args, flag, want string }{
		{"kick -for 1d live/x", "for", "1d"},
		{"kick -for 1w live/x", "for", "7d"},
		{"kick -for 1m30s live/x", "for", "1m30s"},
		{"kick -for 90 live/x", "for", "1m30s"}, // a bare number is seconds
		{"kick -for 300ms live/x", "for", "300ms"},
		{"kick live/x", "for", ""},
		{"top", "interval", "1s"},
		{"top -interval 500ms", "interval", "500ms"},
	} {
		root := newRoot()
		cmd, args, err := root.Find(longFlags(root, strings.Fields(c.args)))
		if err == nil {
			err = cmd.ParseFlags(args)
		}
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		} else if got := cmd.Flag(c.flag).Value.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
	for _, args := range []string{"kick -for 1y live/x", "kick -for -5s live/x", "kick -for off live/x", "top -interval soon"} {
		if got := execute(strings.Fields(args)); got != exitUsage {
			t.Errorf("%s: exit %d, want %d", args, got, exitUsage)
		}
	}
}
