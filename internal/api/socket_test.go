package api_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rosterd/rosterd/internal/api"
)

func TestSocketIsPrivate(t *testing.T) {
	path := filepath.Join(shortDir(t), "rosterd.sock")
	for _, mask := range []int{0, 0o777} {
		old := syscall.Umask(mask)
		listener, err := api.ListenUnix(path)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("umask %o: %v, %v", mask, info.Mode(), err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the socket is left: %v", err)
		}
	}
}

func TestSocketOfADeadDaemonIsReplaced(t *testing.T) {
	path := filepath.Join(shortDir(t), "rosterd.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	listener, err := api.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if _, err := api.ListenUnix(path); err == nil || !strings.Contains(err.Error(), "another rosterd is running on this data directory") {
		t.Errorf("a second one: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first was disturbed: %v", err)
	}
	_ = conn.Close()
}

func TestSocketsThatCannotBe(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, part := range map[string]string{
		file: "is no socket", filepath.Join(dir, strings.Repeat("x", 120)): "too long", "": "empty", "@abstract": "must not begin with @",
		filepath.Join(dir, "nothing", "rosterd.sock"): "open the folder",
	} {
		if _, err := api.ListenUnix(path); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file was touched: %q, %v", text, err)
	}
}

func TestOneOfManyDaemonsGetsTheSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "rosterd.sock")
	for range 100 {
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		_ = dead.Close()
		var wait sync.WaitGroup
		won := make(chan net.Listener, 8)
		for range cap(won) {
			wait.Go(func() {
				if listener, err := api.ListenUnix(path); err == nil {
					won <- listener
				}
			})
		}
		wait.Wait()
		close(won)
		if len(won) != 1 {
			t.Errorf("%d daemons got it", len(won))
		}
		for listener := range won {
			_ = listener.Close()
		}
	}
}
