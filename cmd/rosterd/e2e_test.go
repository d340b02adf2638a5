package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// The end-to-end tests run the real binary in a folder of its own, as a person would: the daemon with its data in
// ./data, commands beside it, SCIM and Graph over HTTP.

// patience is how long a test waits for something that will come; on a slow machine that is late, not wrong.
const patience = 60 * time.Second

var e2eBinary struct {
	once sync.Once
	dir  string
	err  error
}

// removeBinary is for TestMain, after the last test.
func removeBinary() {
	if e2eBinary.dir != "" {
		_ = os.RemoveAll(e2eBinary.dir)
	}
}

// binary returns the path of the binary, which the first test that asks builds.
func binary(t testing.TB) string {
	t.Helper()
	b := &e2eBinary
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "rosterd-e2e"); b.err != nil { // it outlives the test
			return
		}
		// Without the race detector, whatever the tests have: this is the binary that people get, and ten times as fast.
		build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X main.version=v0.0.0-e2e", "-o", b.dir, ".")
		if out, err := build.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatalf("build rosterd: %v", b.err)
	}
	return filepath.Join(b.dir, "rosterd")
}

// machine is a folder in which somebody runs rosterd: at most one daemon at a time, and commands.
type machine struct {
	t      testing.TB
	db     storetest.Database
	binary string
	env    []string
	daemon *process
	scim   string // the SCIM base URL that the daemon printed
	url    string // where it listens
}

// eachMachine runs a test on both databases, beside other tests: most of their time they wait for a daemon.
func eachMachine(t *testing.T, test func(m *machine)) {
	t.Helper()
	path := binary(t)
	t.Parallel()
	onEach(t, path, test)
}

func onEach(t *testing.T, path string, test func(m *machine)) {
	t.Helper()
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		t.Helper()
		t.Parallel()
		m := &machine{t: t, db: db, binary: path, env: environmentWithout("ROSTERD_", "NO_COLOR", "TERM")}
		t.Cleanup(func() {
			if m.daemon != nil {
				m.end()
			}
		})
		test(m)
	})
}

func environmentWithout(prefixes ...string) []string {
	var out []string
next:
	for _, v := range os.Environ() {
		for _, p := range prefixes {
			if strings.HasPrefix(v, p) {
				continue next
			}
		}
		out = append(out, v)
	}
	return out
}

// process is a running daemon.
type process struct {
	cmd         *exec.Cmd
	out, errOut transcript
	gone        chan struct{} // closed when it has ended
}

// transcript is what a process has written so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func (m *machine) command(args ...string) *exec.Cmd {
	cmd := exec.Command(m.binary, args...)
	cmd.Dir, cmd.Env = m.db.Dir, m.env
	return cmd
}

// launch starts a daemon without waiting for it.
func (m *machine) launch(args ...string) *process {
	m.t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)
	if m.db.URL != "" {
		args = append(args, "--database-url", m.db.URL)
	}
	p := &process{cmd: m.command(args...), gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errOut
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its exit code is read from ProcessState
		close(p.gone)
	}()
	return p
}

// serve starts the daemon and waits until it says where it is reached.
func (m *machine) serve(args ...string) {
	m.t.Helper()
	if m.daemon != nil {
		m.t.Fatal("a daemon is running already")
	}
	p := m.launch(args...)
	m.daemon = p
	said := regexp.MustCompile(`SCIM base URL +(\S+)\n`)
	m.until("the daemon says where it is reached", func() bool {
		if m.ended() {
			m.t.Fatalf("the daemon ended with %d", p.cmd.ProcessState.ExitCode())
		}
		if found := said.FindStringSubmatch(p.out.String()); found != nil {
			m.scim = found[1]
		}
		return m.scim != ""
	})
	m.url = strings.TrimSuffix(m.scim, "/service/v1/scim/v2")
}

func (m *machine) ended() bool {
	select {
	case <-m.daemon.gone:
		return true
	default:
		return false
	}
}

// kill ends the daemon as a power cut would.
func (m *machine) kill() {
	m.t.Helper()
	m.signal(syscall.SIGKILL)
	m.await(patience)
}

// stop ends the daemon in good order and returns its exit code.
func (m *machine) stop() int {
	m.t.Helper()
	m.signal(syscall.SIGTERM)
	return m.await(patience)
}

func (m *machine) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.daemon.cmd.Process.Signal(s); err != nil {
		m.t.Fatalf("send the daemon %s: %v", s, err)
	}
}

// await waits for the daemon's end and returns its exit code, -1 after SIGKILL.
func (m *machine) await(within time.Duration) int {
	m.t.Helper()
	select {
	case <-m.daemon.gone:
	case <-time.After(within):
		m.t.Errorf("the daemon still runs after %s", within)
	}
	return m.end()
}

// end makes sure that the daemon is gone, and shows its log if the test has failed.
func (m *machine) end() int {
	m.t.Helper()
	p := m.daemon
	m.daemon, m.scim, m.url = nil, "", ""
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.gone
	if m.t.Failed() {
		m.t.Logf("the daemon's log:\n%s", tail(p.errOut.String(), 60))
	}
	return p.cmd.ProcessState.ExitCode()
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// until waits for a condition.
func (m *machine) until(what string, holds func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// rosterd runs a command line whose words have no spaces.
func (m *machine) rosterd(line string) result {
	m.t.Helper()
	cmd := m.command(strings.Fields(line)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// want runs a command line and demands its exit code.
func (m *machine) want(code int, line string) result {
	m.t.Helper()
	got := m.rosterd(line)
	if got.code != code {
		m.t.Fatalf("rosterd %s: exit code %d, want %d\n%s%s", line, got.code, code, got.out, got.errOut)
	}
	return got
}

// refused demands that a command fails with words that say why, and prints nothing on standard output.
func (m *machine) refused(line string, words ...string) {
	m.t.Helper()
	got := m.want(exitFailed, line)
	for _, w := range words {
		if !strings.Contains(got.errOut, w) || got.out != "" {
			m.t.Errorf("rosterd %s says %q, want %q; on standard output %q", line, got.errOut, w, got.out)
		}
	}
}

// asked runs a command line with --json, demands its exit code, and decodes the one document on standard output.
func asked[T any](m *machine, code int, line string) T {
	m.t.Helper()
	got := m.want(code, line+" --json")
	var value T
	decoder := json.NewDecoder(strings.NewReader(got.out))
	if err := decoder.Decode(&value); err != nil {
		m.t.Fatalf("rosterd %s --json: %v in %q", line, err, got.out)
	}
	if err := decoder.Decode(new(any)); err != io.EOF {
		m.t.Fatalf("rosterd %s --json: more than one document", line)
	}
	return value
}

func (m *machine) members(org string) []client.Member {
	m.t.Helper()
	return asked[[]client.Member](m, exitDone, "members list --org "+org)
}

func (m *machine) teams(org string) []client.Team {
	m.t.Helper()
	return asked[[]client.Team](m, exitDone, "teams list --org "+org)
}

func (m *machine) events(org string) []client.Event {
	m.t.Helper()
	return asked[[]client.Event](m, exitDone, "events list --org "+org)
}

// token makes a SCIM token.
func (m *machine) token(org, name string) string {
	m.t.Helper()
	return asked[client.Token](m, exitDone, "token create --org "+org+" --name "+name+" --expires 90d").Token
}

// file writes a file in the machine's folder.
func (m *machine) file(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.db.Dir, name), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}
