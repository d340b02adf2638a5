package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
)

// fakeDaemon answers "METHOD path" (without prefix and query) with prepared texts: one after the other, the last one
// again and again. A text that begins with three digits is an error answer of that status.
type fakeDaemon struct {
	dir     string
	mu      sync.Mutex
	answers map[string][]string
	asked   []string // "METHOD path?query body"
}

func startDaemon(t *testing.T, answers map[string][]string) *fakeDaemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "rosterd") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", client.SocketPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeDaemon{dir: dir, answers: answers}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	return f
}

func (f *fakeDaemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	f.asked = append(f.asked, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, strings.TrimPrefix(r.URL.RequestURI(), "/api/v1"), body)))
	key := r.Method + " " + path
	queue := f.answers[key]
	if len(queue) == 0 {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"status":404,"code":"not_found","detail":"no %s here"}`, key)
		return
	}
	answer := queue[0]
	if len(queue) > 1 {
		f.answers[key] = queue[1:]
	}
	var status int
	if n, _ := fmt.Sscanf(answer, "%3d ", &status); n == 1 {
		w.WriteHeader(status)
		answer = answer[4:]
	}
	_, _ = io.WriteString(w, answer)
}

func (f *fakeDaemon) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

// result is what one command line gave.
type result struct {
	code        int
	out, errOut string
}

// rosterd runs a command line against f, given as text whose words have no spaces.
func (f *fakeDaemon) rosterd(ctx context.Context, line string, env ...string) result {
	values := map[string]string{"ROSTERD_DATA_DIR": f.dir}
	for i := 0; i+1 < len(env); i += 2 {
		values[env[i]] = env[i+1]
	}
	var out, errOut bytes.Buffer
	code := run(ctx, strings.Fields(line), strings.NewReader(""), &out, &errOut, func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	})
	return result{code, out.String(), errOut.String()}
}
