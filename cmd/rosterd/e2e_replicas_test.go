package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// replicas are daemons of one PostgreSQL database, each in a folder of its own.
type replicas struct {
	all      []*machine
	one, two *machine
	db       *sqlx.DB
	d        *directory
}

// twoReplicas starts two, with a connection to a tenant of many people.
func twoReplicas(t *testing.T, people int) *replicas {
	t.Helper()
	return startReplicas(t, 2, people)
}

func startReplicas(t *testing.T, n, people int) *replicas {
	t.Helper()
	path := binary(t)
	t.Parallel()
	url := storetest.Postgres(t)
	db, err := sqlx.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	start := func() *machine {
		m := &machine{
			t: t, db: storetest.Database{Kind: "postgres", Dir: t.TempDir(), URL: url}, binary: path,
			env: environmentWithout("ROSTERD_", "NO_COLOR", "TERM"),
		}
		t.Cleanup(func() {
			if m.daemon != nil {
				m.end()
			}
		})
		return m
	}
	r := &replicas{db: db}
	for range n {
		r.all = append(r.all, start())
	}
	r.one, r.two = r.all[0], r.all[1]
	r.d = r.one.directory(idpsim.Config{Seed: 5, Members: people, Groups: 6})
	for _, m := range r.all {
		m.configure(r.d.entry("default", "entra"))
		m.serve("--config", "rosterd.yaml")
	}
	return r
}

// amidApply asks for the run that makes everybody, waits until part of it is applied, and returns it, the daemon that
// holds its lease, and the other one.
func (r *replicas) amidApply() (run string, holder, other *machine) {
	r.one.t.Helper()
	run = asked[client.Runs](r.one, exitDone, "resync --org default").Runs[0].Run
	r.one.until("the run has applied something", func() bool {
		var n int
		r.one.ok(r.db.Get(&n, `SELECT COUNT(*) FROM members`))
		return n > 0
	})
	name, _, state := r.lease(run)
	if state != "running" {
		r.one.t.Fatalf("the run is %s: it was not amid its work", state)
	}
	holder, other = r.one, r.two
	if r.who(name) == r.two {
		holder, other = r.two, r.one
	}
	return run, holder, other
}

// who is the daemon of a lease's holder.
func (r *replicas) who(holder string) *machine {
	for _, m := range r.all {
		if m.daemon != nil && strings.HasSuffix(holder, "/"+strconv.Itoa(m.daemon.cmd.Process.Pid)) {
			return m
		}
	}
	return nil
}

func (r *replicas) lease(run string) (holder string, fence int64, state string) {
	r.one.t.Helper()
	r.one.ok(r.db.QueryRowx(`SELECT lease_holder, fence, state FROM runs WHERE id = $1`, run).Scan(&holder, &fence, &state))
	return holder, fence, state
}

// The holder of a lease is killed in the middle of apply: the other process takes over within seconds of the lease's
// expiry and finishes; no change is made twice (invariant 8).
func TestE2EReplicaTakesOverFromAKilledOne(t *testing.T) {
	r := twoReplicas(t, 4000)
	run, holder, other := r.amidApply()
	_, before, _ := r.lease(run)
	holder.kill()
	killed := time.Now()
	var until int64
	other.ok(r.db.Get(&until, `SELECT lease_until FROM runs WHERE id = $1`, run))
	other.until("the other process has the lease", func() bool {
		_, fence, _ := r.lease(run)
		return fence > before
	})
	if late := time.Since(time.UnixMicro(until)); late > 5*time.Second {
		t.Errorf("taken over %s after the lease's expiry", late)
	}
	t.Logf("taken over %s after the kill", time.Since(killed).Round(time.Millisecond))
	if done := other.finished(run, "done"); !done.Complete {
		t.Errorf("the run was not complete: %v", done.Incomplete)
	}
	other.converged("default", r.d)
	other.once(r.d)
	other.diff(exitDone)
}

// The holder is frozen in the middle of apply and wakes up when the other process has taken over: what it still wants to
// commit is refused, and it says so.
func TestE2EReplicaThatWakesUpIsRefused(t *testing.T) {
	r := twoReplicas(t, 4000)
	run, holder, other := r.amidApply()
	_, before, _ := r.lease(run)
	holder.signal(syscall.SIGSTOP)
	other.until("the other process has the lease", func() bool {
		_, fence, _ := r.lease(run)
		return fence > before
	})
	other.until("the other process applies", func() bool {
		var n int64
		other.ok(r.db.Get(&n, `SELECT applied FROM runs WHERE id = $1`, run))
		_, _, state := r.lease(run)
		return n > 0 || state != "running"
	})
	holder.signal(syscall.SIGCONT)
	holder.until("the one that woke up says that its lease has passed on", func() bool {
		return strings.Contains(holder.daemon.errOut.String(), "the lease passed to another holder")
	})
	if done := other.finished(run, "done"); !done.Complete {
		t.Errorf("the run was not complete: %v", done.Incomplete)
	}
	other.converged("default", r.d)
	other.once(r.d)
	var runs int
	other.ok(r.db.Get(&runs, `SELECT COUNT(*) FROM runs`))
	if runs != 1 {
		t.Errorf("%d runs, want 1", runs)
	}
	for _, m := range []*machine{holder, other} { // both go on serving
		if status := asked[client.Status](m, exitDone, "status"); len(status.Connections) != 1 || status.Connections[0].State != "ok" {
			t.Errorf("status: %s", fmt.Sprint(status.Connections))
		}
	}
	other.diff(exitDone)
}
