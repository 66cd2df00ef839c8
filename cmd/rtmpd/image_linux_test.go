package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A dockerfile is what the last stage of the Dockerfile says, by instruction.
type dockerfile map[string][]string

func readDockerfile(t *testing.T) (stages []dockerfile) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || word[0] == '#' {
			continue
		}
		if word == "FROM" {
			stages = append(stages, dockerfile{})
		}
		d := stages[len(stages)-1]
		d[word] = append(d[word], rest)
	}
	return stages
}

// TestTheImageHasNothingButRtmpd: it is made from scratch, its user is a number that is
// not root's, and its commands are rtmpd's.
func TestTheImageHasNothingButRtmpd(t *testing.T) {
	t.Parallel()
	stages := readDockerfile(t)
	image := stages[len(stages)-1]
	if image["FROM"][0] != "scratch" || image["USER"][0] != "65532:65532" || image["RUN"] != nil {
		t.Errorf("the image: %v", image)
	}
	health := regexp.MustCompile(`CMD \["/usr/bin/rtmpd", "([a-z]+)"\]$`).FindStringSubmatch(image["HEALTHCHECK"][0])
	run := regexp.MustCompile(`^\["([a-z]+)"\]$`).FindStringSubmatch(image["CMD"][0])
	if health == nil || run == nil || image["ENTRYPOINT"][0] != `["/usr/bin/rtmpd"]` {
		t.Fatalf("its commands: %v", image)
	}
	for _, name := range []string{health[1], run[1]} {
		if cmd, _, err := newRoot().Find([]string{name}); err != nil || cmd.Name() != name {
			t.Errorf("rtmpd %s: %v", name, err)
		}
	}
	ports := strings.Fields(image["EXPOSE"][0])
	if cfg := load(t, block(t, "README.md", "hcl", `application "show"`+" {\n    # OBS")); !slices.Equal(ports, []string{
		strconv.Itoa(int(cfg.RTMP[0].Listen[0].Port)), strconv.Itoa(int(cfg.HTTP[0].Listen[0].Port)),
	}) {
		t.Errorf("its ports: %v", ports)
	}
	// The toolchain that builds it is the one that go.mod asks for.
	mod, err := os.ReadFile("../../go.mod")
	version := regexp.MustCompile(`golang:([0-9.]+) AS build`).FindStringSubmatch(stages[0]["FROM"][0])
	if err != nil || version == nil || !strings.Contains(string(mod), "\ngo "+version[1]+".") {
		t.Errorf("it is built by golang:%v (%v)", version, err)
	}
}

// runsInTheImage starts a binary in the file system that the Dockerfile makes, as its
// user, without anything else: it serves, is healthy, and stops.
func runsInTheImage(t *testing.T, binary string) {
	t.Helper()
	stages := readDockerfile(t)
	image := stages[len(stages)-1]
	root := t.TempDir()
	var owned []string // by the image's user
	for _, run := range stages[0]["RUN"] {
		for _, m := range regexp.MustCompile(`/own(/[a-z/]+)`).FindAllStringSubmatch(run, -1) {
			owned = append(owned, filepath.Join(root, m[1]))
		}
	}
	for _, dir := range append([]string{filepath.Join(root, "usr/bin"), filepath.Join(root, "etc/rtmpd")}, owned...) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "run/rtmpd"), 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	conf := `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    stream_key "test" {}
    hls {
      path = "/var/lib/rtmpd/hls/live"
    }
  }
}
http {
  listen     = "127.0.0.1:0"
  access_log = "/var/log/rtmpd/access.log"
}
`
	for name, file := range map[string][]byte{"usr/bin/rtmpd": text, "etc/rtmpd/rtmpd.hcl": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(root, name), file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const user = 65532
	as := func() *syscall.SysProcAttr {
		if os.Getuid() != 0 { // a name space of its own, in which it is that user
			return &syscall.SysProcAttr{
				Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}},
			}
		}
		return &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	for _, dir := range owned {
		for ; os.Getuid() == 0 && dir != root; dir = filepath.Dir(dir) {
			if err := os.Chown(dir, user, user); err != nil {
				t.Fatal(err)
			}
		}
	}
	command := func(args ...string) *exec.Cmd {
		return &exec.Cmd{Path: "/usr/bin/rtmpd", Args: append([]string{"rtmpd"}, args...), Dir: "/", Env: strings.Fields(image["ENV"][0]), SysProcAttr: as()}
	}
	var log bytes.Buffer
	server := command("run")
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	healthy := false
	for deadline := time.Now().Add(patience); !healthy && time.Now().Before(deadline) && len(ended) == 0; time.Sleep(50 * time.Millisecond) {
		out, err := command("health").Output()
		healthy = err == nil && strings.HasPrefix(string(out), "ok\n")
	}
	_ = server.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil || !healthy {
		t.Errorf("healthy: %t, ended with %v\n%s", healthy, err, log.String())
	}
	if key, err := command("key", "show", "test").Output(); err != nil || len(strings.TrimSpace(string(key))) != 26 {
		t.Errorf("the key: %q, %v", key, err)
	}
}
