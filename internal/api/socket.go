package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
)

// ListenUnix listens on the daemon's socket, which only its own user can open. A socket that a dead daemon left behind is
// replaced; where one answers, another rosterd is running.
func ListenUnix(path string) (net.Listener, error) {
	if err := client.CheckSocket(path); err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "@") { // that would be Linux's abstract name space, which has no permissions
		return nil, fmt.Errorf("the path of the daemon's socket must not begin with @: write ./%s", path)
	}
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: private}
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the daemon's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("protect the daemon's socket: %w", err)
	}
	return listener, nil
}

// private closes the socket to others before it has a name: on Linux a socket's file takes the mode that the socket has
// when it is bound. Where that isn't so, the chmod after it does the same a moment later.
func private(_, _ string, conn syscall.RawConn) error {
	return conn.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
}

// lockFolder keeps two daemons that start at once from each taking the other's new socket for a dead one.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of the daemon's socket: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the folder of the daemon's socket: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the daemon's socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket: remove it, or choose another data directory", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(context.Background(), "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("another rosterd is running on this data directory: it answers on %s", path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("another rosterd may be running on this data directory (%s): %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket of a daemon that is gone: %w", err)
	}
	return nil
}
