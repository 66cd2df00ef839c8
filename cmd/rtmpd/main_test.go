package main

import (
	"slices"
	"strings"
	"testing"
)

func TestLongFlagsMayHaveOneDash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"-t -c rtmpd.hcl", "-t -c rtmpd.hcl"},
		{"check -strict -json -c x", "check --strict --json -c x"},
		{"check --strict", "check --strict"},
		{"-config=x.hcl run", "--config=x.hcl run"},
		{"-config x.hcl", "--config x.hcl"},
		{"demo -public -rtmp :1935 -http=:8080", "demo --public --rtmp :1935 --http=:8080"},
		{"plan -exit-code", "plan --exit-code"},
		{"fmt -w -check a.hcl", "fmt -w --check a.hcl"},
		{"key show -app live test", "key show --app live test"},
		{"-help", "--help"},
		{"-version", "--version"},
		{"-s reload", "-s reload"},
		{"-tc x", "-tc x"},                   // short ones together
		{"-strange", "-strange"},             // no flag: cobra reports it
		{"-", "-"},                           // standard input
		{"fmt -- -strict", "fmt -- -strict"}, // a file of that name
		{"-strict=true -x", "--strict=true -x"},
		{"-h", "-h"},
	} {
		args := strings.Fields(c.args)
		before := slices.Clone(args)
		got := longFlags(newRoot(), args)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q becomes %q, want %q", c.args, got, c.want)
		}
		if !slices.Equal(args, before) {
			t.Errorf("%q: the caller's arguments were changed to %q", before, args)
		}
	}
	if got := longFlags(newRoot(), []string{"", "-strict"}); !slices.Equal(got, []string{"", "--strict"}) {
		t.Errorf("an empty argument: %q", got)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args string
		want int
	}{
		{"version", exitOK},
		{"-v", exitOK},
		{"key new", exitOK},
		{"frobnicate", exitUsage},
		{"check -nonsense", exitUsage},
		{"version too much", exitUsage},
		{"key show", exitUsage},
		{"key", exitUsage},
		{"-s explode", exitUsage},
		{"check -c testdata/missing.hcl", exitError},
		{"reload -c testdata/missing.hcl", exitError},
	} {
		if got := execute(strings.Fields(c.args)); got != c.want {
			t.Errorf("rtmpd %s exits %d, want %d", c.args, got, c.want)
		}
	}
}

func TestAnArgumentTooMuchIsAnsweredWithWhatWasMeant(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"chek", `unknown command or argument "chek" for "rtmpd": did you mean check?`},
		{"check testdata/gone.hcl", `unknown command or argument "testdata/gone.hcl" for "rtmpd check": write rtmpd check -c testdata/gone.hcl`},
		{"testdata", `unknown command or argument "testdata" for "rtmpd": write rtmpd -c testdata`},
		{"version too much", `unknown command or argument "too" for "rtmpd version"`},
	} {
		root := newRoot()
		root.SetArgs(strings.Fields(c.args))
		if err := root.Execute(); err == nil || err.Error() != c.want {
			t.Errorf("rtmpd %s: %v, want %s", c.args, err, c.want)
		}
	}
}
