package main

import (
	"net/http"
	"os/exec"
	"syscall"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// crash is one row of the crash matrix: what is there, where the daemon is killed, and what must hold afterwards.
type crash struct {
	name    string
	entry   string           // beside the rest of the connection's entry
	prepare func(c *crashed) // nil: nobody is here yet
	at      point            // none: begin comes there
	begin   func(c *crashed)
	code    int // of the command that begin says, if any
	// after holds what the next daemon found, and asks again for what was given up; nil: a run that goes on by itself.
	after    func(c *crashed)
	postgres bool // only there
}

// crashed is a machine whose daemon is killed.
type crashed struct {
	*machine
	d       *directory
	p       *idpsim.Pusher
	scim    *pushing
	run     string // that was under way
	command *exec.Cmd
	free    func()
}

// Wherever the daemon is killed, the next one finishes what was begun: each object is made by exactly one event, nothing
// that was acknowledged is lost, and a second run finds nothing to do (invariants 6, 7, 8 and 12).
func TestE2ECrashMatrix(t *testing.T) {
	path := binary(t)
	t.Parallel()
	for _, row := range crashes {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, path, func(m *machine) {
				if row.postgres && m.db.Kind != "postgres" {
					m.t.Skip("SQLite can't be stopped in the middle of a commit")
				}
				m.crashes(&row)
			})
		})
	}
}

func (m *machine) crashes(row *crash) {
	c := &crashed{machine: m, d: m.directory(idpsim.Config{Seed: 11, Members: 14, Groups: 3}), free: func() {}}
	m.configure(c.d.entry("default", "entra") + "    policy: { settle: 1ms }\n" + row.entry)
	m.again()
	if row.prepare != nil {
		row.prepare(c)
	}
	if row.at.table == "" {
		row.begin(c)
		m.kill()
		c.expire()
	} else {
		s := m.arm(row.at)
		row.begin(c)
		s.reached()
		m.kill()
		s.disarm()
	}
	c.free()
	m.again()
	if c.command != nil {
		_ = c.command.Wait() // its exit code says it
		if code := c.command.ProcessState.ExitCode(); code != row.code {
			m.t.Errorf("%v: exit code %d, want %d", c.command.Args[1:], code, row.code)
		}
	}
	if row.after != nil {
		row.after(c)
	}
	if c.run != "" {
		if r := m.finished(c.run, "done"); !r.Complete && r.Mode == "full" {
			m.t.Errorf("run %s: %v", r.Run, r.Incomplete)
		}
	}
	c.atRest()
}

// expire brings the expiry of a dead daemon's leases forward.
func (m *machine) expire() {
	m.t.Helper()
	db := m.beside()
	_, err := db.ExecContext(m.t.Context(), `UPDATE runs SET lease_until = 1 WHERE state = 'running'`)
	m.ok(err, db.Close())
}

// atRest holds that everybody is here, by one event each, and that nothing is left to do.
func (c *crashed) atRest() {
	c.t.Helper()
	c.converged("default", c.d)
	before := c.history("default")
	for _, counts := range []map[string]int{before.made, before.added} {
		for id, n := range counts {
			if n != 1 {
				c.t.Errorf("%s was made %d times", id, n)
			}
		}
	}
	c.diff(exitDone)
	c.resync(exitDone, "done")
	after := c.history("default")
	if len(after.made) != len(before.made) || len(after.added) != len(before.added) || after.teams != before.teams || after.n != before.n {
		c.t.Errorf("the run after it made something: %d events, %d before", after.n, before.n)
	}
	for _, r := range asked[[]client.Run](c.machine, exitDone, "runs list --org default") {
		if r.State == "running" || r.State == "queued" || r.State == "failed" {
			c.t.Errorf("run %s (%s) is %s: %s", r.Run, r.Mode, r.State, r.Error)
		}
	}
}

// ask asks for a run of everybody.
func (c *crashed) ask() {
	c.t.Helper()
	c.run = asked[client.Runs](c.machine, exitDone, "resync --org default").Runs[0].Run
}

// say starts a command that the daemon is killed under.
func (c *crashed) say(args ...string) {
	c.t.Helper()
	c.command = c.machine.command(args...)
	if err := c.command.Start(); err != nil {
		c.t.Fatal(err)
	}
}

// page asks for a run and has it stand where it has read one group's members and asked for those of the next.
func (c *crashed) page() {
	c.t.Helper()
	blocked, free := c.block(c.d, "/groups/*/members")
	c.free = free
	c.ask()
	c.until("the run reads the members of a group", func() bool {
		select {
		case <-blocked:
			return true
		default:
			return false
		}
	})
}

// pushed has everybody pushed in.
func (c *crashed) pushed() { c.p = c.provision(c.d, c.token("default", "idp")) }

// settled has everybody pushed in and compared, and then lets the pushes of some changes get lost: somebody left, somebody
// joined, somebody has another name.
func (c *crashed) settled() {
	c.pushed()
	c.want(exitDone, "resync --org default --wait")
	c.drift()
}

func (c *crashed) drift() {
	c.t.Helper()
	left, renamed := c.d.Desired()[0].ObjectID, c.d.Desired()[1].ObjectID
	c.ok(c.d.DisableUser(left), c.d.UpdateUser(renamed, func(u *idpsim.User) { u.DisplayName = "Renamed" }))
	joined := c.joins(c.d, "joiner@contoso.example")
	c.ok(c.d.AddToGroup(c.d.DesiredTeams()[0].ObjectID, joined[0]))
}

// holds has a plan held: the first run would remove somebody.
func (c *crashed) held() {
	c.t.Helper()
	c.pushed()
	c.ok(c.d.DisableUser(c.d.Desired()[0].ObjectID))
	c.run = asked[client.Runs](c.machine, exitNotFinished, "resync --org default --wait").Runs[0].Run
}

// stillHeld holds that the plan is as it was, and approves it.
func (c *crashed) stillHeld() {
	c.t.Helper()
	r := c.show(c.run)
	held := 0
	for _, a := range r.Actions {
		if a.State == "held" {
			held++
		}
	}
	if r.State != "held" || held == 0 || len(r.Held) == 0 {
		c.t.Errorf("the held run is %s, with %d held actions and the limits %v", r.State, held, r.Held)
	}
	c.want(exitDone, "runs approve "+c.run)
}

// nobody holds that the transaction that was cut off left nothing.
func (c *crashed) nobody() {
	c.t.Helper()
	if n := len(c.members("default")); n > 0 {
		c.t.Errorf("%d members are here", n)
	}
}

// reschedule stops the daemon, has its schedules miss their due times, and starts it again.
func (c *crashed) reschedule() {
	c.t.Helper()
	c.machine.stop()
	c.missDueTimes()
	c.serve("--config", "rosterd.yaml")
}

const yearlyFull, yearlyDelta = "    schedule: { full: \"@yearly\", jitter: 0s }\n", "    schedule: { delta: \"@yearly\", jitter: 0s }\n"

var crashes = []crash{
	{name: "while a run is claimed", at: point{table: "runs", when: "NEW.state = 'running'"}, begin: (*crashed).ask},
	{name: "while a page is read", begin: (*crashed).page},
	{name: "as the last list ends", at: point{table: "run_collections", when: "NEW.kind = 'users'"}, begin: (*crashed).ask},
	{name: "while the plan is written", at: point{table: "run_actions", when: "NEW.n = 5"}, begin: (*crashed).ask},
	{name: "when half of the plan is written", at: point{table: "run_actions", when: "NEW.type = 'team'"}, begin: (*crashed).ask},
	{name: "while people are linked", prepare: (*crashed).pushed, at: point{table: "links", when: "NEW.type = 'team'"}, begin: (*crashed).ask},
	{name: "while members are made", at: point{table: "members", when: "NEW.version > 0"}, begin: (*crashed).ask},
	{name: "between two commits", at: point{table: "memberships", when: "NEW.version > 0"}, begin: (*crashed).ask},
	{name: "while events are written", at: point{table: "events", when: "NEW.type = 'membership.added'"}, begin: (*crashed).ask},
	{name: "as actions are marked as applied", at: point{table: "run_actions", when: "NEW.state = 'applied' AND NEW.action = 'add'"}, begin: (*crashed).ask},
	{name: "before a run is done", at: point{table: "runs", when: "NEW.state = 'done'"}, begin: (*crashed).ask},
	{name: "while events are numbered", at: point{table: "events", when: "NEW.number = 7"}, begin: (*crashed).ask},
	{name: "amid a repair", prepare: (*crashed).settled, at: point{table: "members", when: "NEW.status = 'deactivated'"}, begin: (*crashed).ask},
	{name: "when a commit is made and never heard of", at: point{table: "members", when: "NEW.version > 0", atCommit: true}, begin: (*crashed).ask, postgres: true},
	{name: "when the run is done and nobody heard of it", at: point{table: "runs", when: "NEW.state = 'done'", atCommit: true}, begin: (*crashed).ask, postgres: true},
	{
		name: "while a run is given back on SIGTERM", at: point{table: "runs", when: "NEW.lease_until = 1"},
		begin: func(c *crashed) {
			c.page()
			c.signal(syscall.SIGTERM)
		},
	},
	{
		name: "while an approval is taken", prepare: (*crashed).held, at: point{table: "runs", when: "NEW.approval = TRUE"},
		begin: func(c *crashed) { c.say("runs", "approve", c.run) }, code: exitFailed,
		after: (*crashed).stillHeld,
	},
	{
		name: "while a held plan is cancelled", prepare: (*crashed).held, at: point{table: "run_actions", when: "NEW.state = 'skipped'"},
		begin: func(c *crashed) { c.say("runs", "cancel", c.run) }, code: exitFailed,
		after: (*crashed).stillHeld,
	},
	{
		name: "while an approved plan is applied", prepare: (*crashed).held, at: point{table: "events", when: "NEW.type = 'member.deactivated'"},
		begin: func(c *crashed) { c.want(exitDone, "runs approve "+c.run) },
	},
	{
		name: "while a delta's cursor is kept", entry: yearlyDelta, prepare: (*crashed).settled, at: point{table: "cursors", when: "NEW.run_id <> ''"},
		begin: (*crashed).reschedule,
		after: func(c *crashed) {
			if r := c.caughtUp(1)[0]; r.Mode != "delta" {
				c.t.Errorf("run %+v, want a delta", r)
			} else {
				c.run = r.Run
			}
		},
	},
	{
		name: "while a due run is queued", entry: yearlyFull, at: point{table: "runs", when: "NEW.requested_by = 'schedule'"},
		begin: (*crashed).reschedule,
		after: func(c *crashed) { c.run = c.caughtUp(1)[0].Run },
	},
	{
		name: "while a dry run's plan is written", at: point{table: "run_actions", when: "NEW.n = 5"},
		begin: func(c *crashed) { c.say("diff", "--org", "default") }, code: exitDrift, // it waits for the next daemon
		after: func(c *crashed) {
			dry := asked[[]client.Run](c.machine, exitDone, "runs list --org default")[0]
			if r := c.finished(dry.Run, "done"); r.Mode != "dry" {
				c.t.Errorf("run %s is %s", r.Run, r.Mode)
			}
			c.nobody()
			c.ask()
		},
	},
	{
		name: "while one person is made", at: point{table: "events", when: "NEW.type = 'member.created'"},
		begin: func(c *crashed) { c.say("resync", "--org", "default", "--user", c.d.Desired()[0].ObjectID) }, code: exitFailed,
		after: func(c *crashed) {
			c.nobody()
			if runs := asked[[]client.Run](c.machine, exitDone, "runs list --org default"); len(runs) > 0 {
				c.t.Errorf("runs %+v", runs)
			}
			c.want(exitDone, "resync --org default --user "+c.d.Desired()[0].ObjectID)
			if n := len(c.members("default")); n != 1 {
				c.t.Errorf("%d members are here, want one", n)
			}
			c.ask()
		},
	},
	{
		name: "while a push is written", prepare: func(c *crashed) {
			c.scim = c.pushing(c.machine.token("default", "idp"))
			c.scim.must(c.t, http.StatusCreated, "POST", "/Users", user(c.d.Desired()[0].UserPrincipalName, "First"))
		}, at: point{table: "requests", when: "NEW.method = 'POST'"},
		begin: func(c *crashed) {
			answered := make(chan struct{})
			idp, person := *c.scim, user(c.d.Desired()[1].UserPrincipalName, "Second")
			c.free = func() { <-answered }
			go func() {
				defer close(answered)
				if status, _, err := idp.ask("POST", "/Users", person); err == nil {
					c.t.Errorf("a push that was never written was answered with %d", status)
				}
			}()
		},
		after: func(c *crashed) {
			c.scim.base = c.machine.scim
			first, second := c.d.Desired()[0].UserPrincipalName, c.d.Desired()[1].UserPrincipalName
			if a, b := c.scim.find(c.t, first), c.scim.find(c.t, second); len(a) != 1 || len(b) != 0 {
				c.t.Errorf("%d of the push that was acknowledged, %d of the one that wasn't", len(a), len(b))
			}
			c.scim.must(c.t, http.StatusCreated, "POST", "/Users", user(second, "Second"))
			c.ask()
		},
	},
}
