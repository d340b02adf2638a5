package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// A run that is killed while it reads and again while it applies is taken over and finished; nothing is done twice
// (invariants 6 and 7).
func TestE2EKilledAmidARun(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.interrupted(3000, func() { m.kill() })
	})
}

// SIGTERM gives a run back at a safe point, at once, and the next daemon finishes it.
func TestE2EStoppedAmidARun(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.interrupted(3000, func() {
			began := time.Now()
			if code := m.stop(); code != exitDone {
				m.t.Errorf("after SIGTERM: exit code %d", code)
			}
			if took := time.Since(began); took > 10*time.Second {
				m.t.Errorf("SIGTERM amid a run: it took %s to end", took)
			}
		})
	})
}

// interrupted asks for the run that makes a tenant's people and teams, ends the daemon while it reads and again while it
// applies, and holds what has become of it.
func (m *machine) interrupted(people int, interrupt func()) {
	m.t.Helper()
	d := m.directory(idpsim.Config{Seed: 3, Members: people, Groups: 6})
	m.configure(d.entry("default", "entra"))
	blocked, free := m.block(d, "/users")
	m.again()
	run := asked[client.Runs](m, exitDone, "resync --org default").Runs[0].Run
	<-blocked
	m.run(run, func(r client.Run) bool {
		return r.Progress != nil && r.Progress.Phase == "pull" && r.Progress.Pages > 0
	})
	interrupt()
	free()

	m.again()
	local := m.local()
	m.until("the run has applied something", func() bool {
		some, err := client.Collect(local.Members(m.t.Context(), "default", client.ListOptions{Limit: 1}))
		m.ok(err)
		return len(some) > 0
	})
	interrupt()
	m.again()
	if state := m.show(run).State; state != "running" {
		m.t.Errorf("after the second interruption the run is %s: it was not amid its work", state)
	}
	if r := m.finished(run, "done"); !r.Complete || r.Mode != "full" {
		m.t.Errorf("run %s: mode %s, complete %t, %v", r.Run, r.Mode, r.Complete, r.Incomplete)
	}
	m.converged("default", d)
	m.once(d)
	m.diff(exitDone)
}

// block holds the second answer to a path of the tenant back until free is called; blocked is closed when it was asked for.
func (m *machine) block(d *directory, path string) (blocked <-chan struct{}, free func()) {
	asked, let := make(chan struct{}), make(chan struct{})
	free = sync.OnceFunc(func() { close(let) })
	m.t.Cleanup(free)
	d.Inject(idpsim.Fault{Path: path, Skip: 1, Count: 1, BeforeAnswer: func() {
		close(asked)
		<-let
	}})
	return asked, free
}

// once holds that each member, team and membership was made by exactly one event.
func (m *machine) once(d *directory) {
	m.t.Helper()
	h := m.history("default")
	memberships := 0
	for _, team := range d.DesiredTeams() {
		memberships += len(team.Members)
	}
	if len(h.made) != len(d.Desired()) || len(h.added) != memberships || len(h.present) != memberships {
		m.t.Errorf("%d members made, %d memberships added, %d left; want %d, %d", len(h.made), len(h.added), len(h.present), len(d.Desired()), memberships)
	}
	for _, counts := range []map[string]int{h.made, h.added} {
		for id, n := range counts {
			if n != 1 {
				m.t.Errorf("%s was made %d times", id, n)
			}
		}
	}
	if h.teams != len(d.DesiredTeams()) {
		m.t.Errorf("%d teams made, want %d", h.teams, len(d.DesiredTeams()))
	}
}

// SIGTERM lets an open request finish and takes no new one.
func TestE2EDrains(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		token := m.token("default", "idp")
		address := strings.TrimPrefix(m.url, "http://")
		conn, err := net.Dial("tcp", address)
		if err != nil {
			m.t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		body := `{"schemas":["` + userSchema + `"],"userName":"slow@example.com","displayName":"Slow","active":true}`
		head := fmt.Sprintf("POST /service/v1/scim/v2/Users HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/scim+json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", address, token, len(body))
		answer := bufio.NewReader(conn)
		m.ok(send(conn, head))
		if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			m.t.Fatalf("before the body: %q, %v", line, err) // the daemon is reading the body now
		}
		m.ok(send(conn, body[:20]))
		m.signal(syscall.SIGTERM)
		m.until("no connection is taken any more", func() bool {
			other, err := net.Dial("tcp", address)
			if err == nil {
				_ = other.Close()
			}
			return err != nil
		})
		if m.ended() {
			m.t.Fatal("the daemon ended with a request open")
		}
		m.ok(send(conn, body[20:]))
		_, _ = answer.ReadString('\n') // the line that ends 100 Continue
		r, err := http.ReadResponse(answer, nil)
		if err != nil || r.StatusCode != http.StatusCreated {
			m.t.Fatalf("the open request: %+v, %v", r, err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if code := m.await(10 * time.Second); code != exitDone {
			m.t.Errorf("after SIGTERM: exit code %d", code)
		}
		m.serve()
		if members := m.members("default"); len(members) != 1 || members[0].UserName != "slow@example.com" {
			m.t.Errorf("members: %+v", members)
		}
	})
}

func send(conn net.Conn, text string) error {
	_, err := io.WriteString(conn, text)
	return err
}
