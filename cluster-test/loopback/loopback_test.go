package loopback

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestRefusing(t *testing.T) {
	t.Parallel()
	addr := Refusing(t).String()
	for range 100 {
		if c, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("%v, %v", c, err)
		}
	}
	if l, err := net.Listen("tcp", addr); err == nil {
		t.Errorf("%s was given away", l.Addr())
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	addr := Free(t)
	for range 2 {
		l, err := net.Listen("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	if _, err := take(int(addr.Port()), 1); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a port was given twice: %v", err)
	}
}

func TestFreeRun(t *testing.T) {
	t.Parallel()
	first := int(FreeRun(t, 3).Port())
	for port := first; port < first+3; port++ {
		if _, err := take(port, 1); err == nil {
			t.Errorf("port %d was given twice", port)
		}
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	net := Network(t)
	if other := Network(t); other == net {
		t.Errorf("%s was given twice", net)
	}
	if _, err := mark("net-" + net); err == nil {
		t.Errorf("%s can be taken by another process", net)
	}
}

func TestFreeIsNotInUse(t *testing.T) {
	t.Parallel()
	addr := Free(t)
	udp, err := net.ListenPacket("udp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if err := idle(addr); err == nil {
		t.Error("a UDP port in use is called idle")
	}
}
