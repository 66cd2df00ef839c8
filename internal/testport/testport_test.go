package testport

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestMain is also the other process of TestProcessesGetDifferentPorts: it
// prints ports and ends when its standard input does.
func TestMain(m *testing.M) {
	n, _ := strconv.Atoi(os.Getenv("TESTPORT_PRINT"))
	if n == 0 {
		os.Exit(m.Run())
	}
	for range n {
		fmt.Println(Next())
	}
	fmt.Println("end")
	_, _ = os.Stdin.Read(make([]byte, 1)) // the parent closes it
}

func TestProcessesGetDifferentPorts(t *testing.T) {
	const processes, each = 4, 250 // more than a block holds
	given := make(map[int]bool)
	add := func(port int) {
		t.Helper()
		if given[port] {
			t.Errorf("%d is given twice", port)
		}
		given[port] = true
		if port < 20000 || port >= 26000 {
			t.Errorf("%d is outside the blocks", port)
		}
	}
	for range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TESTPORT_PRINT="+strconv.Itoa(each))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close(); _ = cmd.Wait() }()
		for {
			var word string
			if _, err := fmt.Fscan(out, &word); err != nil {
				t.Fatal(err)
			}
			if word == "end" {
				break
			}
			port, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			add(port)
		}
	}
	for range each {
		add(Next())
	}
	if len(given) != (processes+1)*each {
		t.Errorf("%d ports", len(given))
	}
}

func TestAPortInUseIsNotGiven(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		// Somebody has all of the next ports but one.
		port := Next()
		var free int
		for i := 1; i <= 5; i++ {
			address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i))
			if i == 4 {
				free = port + i
				continue
			}
			if network == "tcp" {
				if l, err := net.Listen(network, address); err == nil {
					defer l.Close()
				}
			} else if l, err := net.ListenPacket(network, address); err == nil {
				defer l.Close()
			}
		}
		if got := Next(); got > port && got < free {
			t.Errorf("%s: %d is given although it is in use", network, got)
		}
	}
}

func TestAnAddressCanBeListenedOn(t *testing.T) {
	address := Address()
	if !strings.HasPrefix(address, "127.0.0.1:") {
		t.Fatalf("address %s", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
