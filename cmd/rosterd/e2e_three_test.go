package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
)

// three are daemons of one database that take pushes and make runs all the time.
type three struct {
	*replicas
	pushers []*pusher // the i-th writes to the i-th daemon, round robin
	groups  []string
	names   []string // of everybody who was ever to be here by the tenant
}

// Three processes are killed one after the other, each amid a commit of the run that it has the lease of, while pushes go
// to all three: no run is doubled and none lost, no push that was acknowledged is, and nobody is made twice (invariants 7
// and 8).
func TestE2EThreeReplicasKilledInTurn(t *testing.T) {
	r := &three{replicas: startReplicas(t, 3, 60)}
	for _, p := range r.d.Desired() {
		r.names = append(r.names, p.UserPrincipalName)
	}
	r.watchLeases()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	token := r.one.token("default", "idp")
	scim := r.one.pushing(token)
	for i := range 3 {
		r.groups = append(r.groups, scim.must(t, http.StatusCreated, "POST", "/Groups", group(fmt.Sprintf("Pushed %d", i))).text("id"))
	}
	for i := range 6 {
		r.pushers = append(r.pushers, &pusher{scim: r.one.pushing(token), rng: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprintf("p%d", i), groups: r.groups})
	}
	r.one.want(exitDone, "resync --org default --wait")
	killed := map[*machine]bool{}
	for round := 0; len(killed) < 3; round++ {
		if round == 12 {
			t.Fatalf("after %d rounds only %d daemons have had a lease", round, len(killed))
		}
		next := r.all[round%3]
		for _, m := range r.all {
			if !killed[m] {
				next = m
				break
			}
		}
		killed[r.round(round, next)] = true
	}
	r.atRest()
}

// round has one daemon make a run of which it is killed in the middle, and the others go on; it returns the one that was.
func (r *three) round(n int, asked *machine) *machine {
	t := r.one.t
	t.Helper()
	name := fmt.Sprintf("joiner.%d@contoso.example", n)
	joined := r.one.joins(r.d, name)
	r.one.ok(r.d.AddToGroup(r.d.DesiredTeams()[n%6].ObjectID, joined[0]))
	r.names = append(r.names, name)

	flow := r.flow()
	s := asked.arm(point{table: "events", when: "NEW.run_id <> '' AND NEW.type = 'member.created'"})
	run := askedRuns(asked)
	s.reached()
	flow.more(60)
	holder, _, state := r.lease(run)
	victim := r.who(holder)
	if victim == nil || state != "running" {
		t.Fatalf("the run is %s, of %s", state, holder)
	}
	victim.kill()
	flow.more(60) // the others go on
	s.disarm()
	other := r.another(victim)
	if done := other.finished(run, "done"); !done.Complete {
		t.Errorf("run %s: %v", run, done.Incomplete)
	}
	flow.end()
	victim.serve("--config", "rosterd.yaml")
	for i, u := range r.pushers {
		u.scim.base = r.all[i%3].scim
	}
	now := stored{r.pushers[0].scim.groupMembers(t, r.groups), other.history("default")}
	for _, u := range r.pushers {
		u.settle(t, now)
	}
	return victim
}

func askedRuns(m *machine) string {
	m.t.Helper()
	return asked[client.Runs](m, exitDone, "resync --org default").Runs[0].Run
}

func (r *three) another(than *machine) *machine {
	for _, m := range r.all {
		if m != than {
			return m
		}
	}
	return nil
}

// flow is what goes to the daemons.
type flow struct {
	r       *three
	count   atomic.Int64
	stopped atomic.Bool
	all     sync.WaitGroup
}

func (r *three) flow() *flow {
	f := &flow{r: r}
	for i, u := range r.pushers {
		u.scim.base = r.all[i%3].scim
		f.all.Go(func() {
			u.push(r.one.t, func() bool {
				f.count.Add(1)
				return !f.stopped.Load()
			})
		})
	}
	return f
}

// more waits until so many more writes have been acknowledged.
func (f *flow) more(n int64) {
	f.r.one.t.Helper()
	until := f.count.Load() + n
	f.r.another(nil).until("pushes are acknowledged", func() bool { return f.count.Load() >= until })
}

// end has every pusher write what it is at, and stops.
func (f *flow) end() {
	f.stopped.Store(true)
	f.all.Wait()
}

// watchLeases has the database keep who took which lease when, and until when the one before had it.
func (r *three) watchLeases() {
	r.one.t.Helper()
	for _, q := range []string{
		`CREATE TABLE leases (run TEXT, fence BIGINT UNIQUE, state TEXT, lease_until BIGINT, at BIGINT)`,
		`CREATE FUNCTION keep_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO leases VALUES (NEW.id, NEW.fence, OLD.state, OLD.lease_until, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT);
			RETURN NULL;
		END $$`,
		`CREATE TRIGGER keep_lease AFTER UPDATE ON runs FOR EACH ROW WHEN (OLD.fence IS DISTINCT FROM NEW.fence) EXECUTE FUNCTION keep_lease()`,
	} {
		_, err := r.db.ExecContext(r.one.t.Context(), q)
		r.one.ok(err)
	}
}

// atRest holds what has become of everything.
func (r *three) atRest() {
	m := r.one
	t := m.t
	t.Helper()
	m.want(exitDone, "resync --org default --wait")
	before := m.history("default")
	last := askedRuns(r.two)
	m.finished(last, "done")
	h := m.history("default")
	if h.n != before.n {
		t.Errorf("the last run wrote %d events", h.n-before.n)
	}
	r.noRunTwice()

	listed := map[string]client.Member{}
	for _, x := range m.members("default") {
		listed[x.UserName] = x
	}
	people := len(r.names)
	for _, name := range r.names {
		if x := listed[name]; x.Status != "pending" {
			t.Errorf("%s is %+v", name, x)
		}
	}
	for _, u := range r.pushers {
		for _, p := range u.people {
			people++
			status := map[bool]string{true: "pending", false: "deactivated"}[p.active]
			if x := listed[p.userName]; x.ID != p.id || x.Status != status || x.DisplayName != p.label() || len(x.Teams) != len(p.visible()) {
				t.Errorf("listed %+v, want %+v", x, p)
			}
			h.tells(t, p, status)
		}
	}
	if len(listed) != people || len(h.made) != people {
		t.Errorf("%d people are here, %d were made, want %d", len(listed), len(h.made), people)
	}
	for id, n := range h.made {
		if n != 1 {
			t.Errorf("%s was made %d times", id, n)
		}
	}
}

// noRunTwice holds that there was one run at a time, by what they wrote and by their leases, and that each has ended.
func (r *three) noRunTwice() {
	m := r.one
	m.t.Helper()
	var taken []struct {
		Run   string `db:"run"`
		State string `db:"state"`
		Until int64  `db:"lease_until"`
		At    int64  `db:"at"`
	}
	m.ok(r.db.Select(&taken, `SELECT run, state, lease_until, at FROM leases ORDER BY fence`))
	again := 0
	for i, l := range taken {
		if l.State == "running" {
			again++
		}
		if l.State == "running" && (l.Until >= l.At || l.Run != taken[i-1].Run) {
			m.t.Errorf("run %s was taken over while its holder had the lease: %+v", l.Run, l)
		}
	}
	if again < 3 {
		m.t.Errorf("%d runs were taken over, want 3", again)
	}
	var open []string
	m.ok(r.db.Select(&open, `SELECT id || ' ' || state FROM runs WHERE state <> 'done'`))
	if len(open) > 0 {
		m.t.Errorf("runs that are not done: %q", open)
	}
	ended, current := map[string]bool{}, ""
	for _, e := range m.events("default") {
		if e.Run == nil || *e.Run == current {
			continue
		}
		if ended[*e.Run] {
			m.t.Errorf("run %s wrote event %d after another run had begun to", *e.Run, *e.Number)
		}
		ended[current], current = true, *e.Run
	}
}
