package config

import "testing"

// Where rtmpd keeps its state when the file does not say: systemd's directory,
// else XDG's, else below the home, else where a package has it. Relative ones
// are nobody's.
func TestDirectoriesThatTheFileDoesNotName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"STATE_DIRECTORY": "/a", "XDG_STATE_HOME": "/b", "HOME": "/c"}, "/a"},
		{map[string]string{"STATE_DIRECTORY": "/a/:/z", "HOME": "/c"}, "/a"},
		{map[string]string{"STATE_DIRECTORY": "a", "XDG_STATE_HOME": "/b", "HOME": "/c"}, "/b/rtmpd"},
		{map[string]string{"XDG_STATE_HOME": "/b", "HOME": "/c"}, "/b/rtmpd"},
		{map[string]string{"XDG_STATE_HOME": "b", "HOME": "/c"}, "/c/.local/state/rtmpd"},
		{map[string]string{"HOME": "/c"}, "/c/.local/state/rtmpd"},
		{nil, "/var/lib/rtmpd"},
	} {
		if got := DefaultStateDir(c.env); got != c.want {
			t.Errorf("%v: %s, want %s", c.env, got, c.want)
		}
	}
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"RUNTIME_DIRECTORY": "/a:/z", "XDG_RUNTIME_DIR": "/b"}, "/a"},
		{map[string]string{"XDG_RUNTIME_DIR": "/b"}, "/b/rtmpd"},
	} {
		if got := RuntimeDir(nil, c.env); got != c.want {
			t.Errorf("%v: %s, want %s", c.env, got, c.want)
		}
	}
	if got := RuntimeDir(&Config{RuntimeDir: "/said"}, map[string]string{"RUNTIME_DIRECTORY": "/a"}); got != "/said" {
		t.Errorf("the file says /said, got %s", got)
	}
}
