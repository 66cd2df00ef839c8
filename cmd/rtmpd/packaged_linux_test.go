package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// read runs a program that reads a file of the package, and fails the test with what it says.
func read(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if path, err := exec.LookPath(filepath.Join("/usr/sbin", name)); err == nil {
		cmd = exec.Command(path, args...)
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v: see scripts/test-deps\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The shells read their completion, and it asks rtmpd.
func TestTheCompletionIsReadByItsShells(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, report, err := called("", "completion", shell)
		if err != nil || !strings.Contains(script, "rtmpd") {
			t.Fatalf("completion %s: %v\n%s", shell, err, report)
		}
		read(t, script, shell, "-n")
	}
}

// AppArmor reads the profile, and with it nothing is forbidden before somebody says so.
func TestTheAppArmorProfileIsRead(t *testing.T) {
	read(t, "", "apparmor_parser", "--skip-kernel-load", "--skip-cache", "--quiet", "../../packaging/deb/apparmor")
	text, err := os.ReadFile("../../packaging/deb/apparmor")
	if err != nil || !regexp.MustCompile(`(?m)^profile rtmpd /usr/bin/rtmpd flags=\([^)]*\bcomplain\)`).Match(text) {
		t.Errorf("the profile forbids (%v)", err)
	}
}

// logrotate reads its file, rotates the logs, and tells the service.
func TestTheLogsAreRotated(t *testing.T) {
	text, err := os.ReadFile("../../packaging/deb/logrotate")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log, conf := filepath.Join(dir, "access.log"), filepath.Join(dir, "logrotate")
	// In a directory of the test, as who runs it, and without a service to tell.
	text = bytes.ReplaceAll(text, []byte("/var/log/rtmpd"), []byte(dir))
	text = regexp.MustCompile(`(?m)^\s*(?:su|create) .*$`).ReplaceAll(text, nil)
	text = regexp.MustCompile(`(?ms)^(\s*postrotate\n).*?^(\s*endscript)`).ReplaceAll(text, []byte("${1}touch "+dir+"/told\n$2"))
	for path, content := range map[string][]byte{log: []byte("a line\n"), conf: text} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := read(t, "", "logrotate", "--force", "--state", filepath.Join(dir, "state"), conf)
	for _, path := range []string{log + ".1", filepath.Join(dir, "told")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	}
}

// The application profiles of ufw are what it can read (ufw-framework(8): sections with title,
// description and ports), and open what rtmpd listens on as it is installed.
func TestTheFirewallProfilesAreRead(t *testing.T) {
	text, err := os.ReadFile("../../packaging/deb/ufw")
	if err != nil {
		t.Fatal(err)
	}
	profiles := make(map[string]map[string]string)
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		key, value, pair := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
			profiles[section] = make(map[string]string)
		case !pair || section == "":
			t.Errorf("ufw does not read %q", line)
		default:
			profiles[section][key] = value
		}
	}
	for name, p := range profiles {
		if p["title"] == "" || p["description"] == "" || !regexp.MustCompile(`^[0-9]+(,[0-9]+)*/tcp$`).MatchString(p["ports"]) || len(p) != 3 {
			t.Errorf("profile %q: %v", name, p)
		}
	}
	if profiles["rtmpd"]["ports"] != "1935,8080/tcp" || profiles["rtmpd RTMP"]["ports"] != "1935/tcp" {
		t.Errorf("the profiles are %v", profiles)
	}
}
