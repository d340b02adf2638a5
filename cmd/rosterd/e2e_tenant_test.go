package main

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// directory is a simulated tenant that listens.
type directory struct {
	*idpsim.Tenant
	url string
}

func (m *machine) directory(c idpsim.Config) *directory {
	m.t.Helper()
	tenant := idpsim.New(c)
	server, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = server.Close() })
	return &directory{tenant, server.URL}
}

// entry is what the configuration file says of a connection to the tenant.
func (d *directory) entry(org, name string) string {
	return fmt.Sprintf(`  - organisation: %s
    name: %s
    kind: entra
    entra:
      tenant_id: %s
      service_principal_id: %s
      graph_url: %s
      access_token: %s
`, org, name, d.TenantID(), d.ServicePrincipalID(), d.url, d.AccessToken())
}

// configure writes the configuration file.
func (m *machine) configure(entries ...string) {
	m.t.Helper()
	m.file("rosterd.yaml", "connections:\n"+strings.Join(entries, ""))
}

// again restarts the daemon with the configuration file as it is now.
func (m *machine) again() {
	m.t.Helper()
	if m.daemon != nil {
		if code := m.stop(); code != exitDone {
			m.t.Errorf("after SIGTERM: exit code %d", code)
		}
	}
	m.serve("--config", "rosterd.yaml")
}

// provision lets the tenant's provisioning service push everybody in.
func (m *machine) provision(d *directory, token string) *idpsim.Pusher {
	m.t.Helper()
	p, err := idpsim.NewPusher(d.Tenant, idpsim.PushConfig{BaseURL: m.scim, Token: token})
	if err != nil {
		m.t.Fatal(err)
	}
	m.cycle(p)
	return p
}

func (m *machine) cycle(p *idpsim.Pusher) {
	m.t.Helper()
	if sum, err := p.Cycle(m.t.Context()); err != nil || sum.Failed > 0 {
		m.t.Fatalf("a provisioning cycle: %+v, %v", sum.Of(idpsim.Failed), err)
	}
}

// ok holds that changes of the tenant were taken.
func (m *machine) ok(errs ...error) {
	m.t.Helper()
	for _, err := range errs {
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// diff makes a dry run and holds what it finds, as "kind action name".
func (m *machine) diff(code int, want ...string) client.Run {
	m.t.Helper()
	r := asked[client.Run](m, code, "diff --org default")
	m.holds(r, "dry", "done", want...)
	return r
}

// resync makes a run, waits for it, and holds how it ended and what it found.
func (m *machine) resync(code int, state string, want ...string) client.Run {
	m.t.Helper()
	runs := asked[client.Runs](m, code, "resync --org default --wait")
	if len(runs.Runs) != 1 {
		m.t.Fatalf("%d runs", len(runs.Runs))
	}
	m.holds(runs.Runs[0], "full", state, want...)
	return runs.Runs[0]
}

func (m *machine) holds(r client.Run, mode, state string, want ...string) {
	m.t.Helper()
	if r.Mode != mode || r.State != state || !r.Complete || mode == "full" && (len(r.Held) > 0) != (state == "held") {
		m.t.Errorf("run %s: mode %s, state %s, complete %t, held %+v; want %s, %s: %s %v", r.Run, r.Mode, r.State, r.Complete, r.Held, mode, state, r.Error, r.Incomplete)
	}
	total := 0
	for _, n := range r.Totals {
		total += n
	}
	got := actions(r)
	sort.Strings(want)
	if !slices.Equal(got, want) || total != len(want) {
		m.t.Errorf("run %s: actions %q, totals %v, want %q", r.Run, got, r.Totals, want)
	}
}

// actions are a run's actions other than none, as "kind action name".
func actions(r client.Run) []string {
	out := []string{}
	for _, a := range r.Actions {
		if a.Action != "none" {
			out = append(out, fmt.Sprintf("%s %s %s", a.Kind, a.Action, a.Subject.Name))
		}
	}
	sort.Strings(out)
	return out
}

// show reads a run with its actions.
func (m *machine) show(run string) client.Run {
	m.t.Helper()
	return asked[client.Run](m, exitDone, "runs show "+run)
}

// finished waits until a run is in a state, and returns it with its actions.
func (m *machine) finished(run, state string) client.Run {
	m.t.Helper()
	m.run(run, func(r client.Run) bool {
		if r.State == "failed" && state != "failed" {
			m.t.Fatalf("run %s failed: %s", run, r.Error)
		}
		return r.State == state
	})
	return m.show(run)
}

// run waits until a run is as it should be. It asks through the socket and without the actions, which costs less than a
// command.
func (m *machine) run(run string, holds func(r client.Run) bool) {
	m.t.Helper()
	c := m.local()
	var r client.Run
	defer func() {
		if m.t.Failed() {
			m.t.Logf("run %s: %+v, progress %+v", run, r, r.Progress)
		}
	}()
	m.until("run "+run+" is as it should be", func() bool {
		var err error
		if r, err = c.Run(m.t.Context(), run, false); err != nil {
			m.t.Fatal(err)
		}
		return holds(r)
	})
}

// local returns a client for the daemon's socket.
func (m *machine) local() *client.Client {
	m.t.Helper()
	c, err := client.New(client.Options{Socket: client.SocketPath(m.db.Dir + "/data")})
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// converged holds that the live members and the teams of an organisation are exactly those that the tenant says, each
// of them once.
func (m *machine) converged(org string, d *directory) {
	m.t.Helper()
	here := map[string]client.Member{}
	for _, member := range m.members(org) {
		if member.Status != "pending" && member.Status != "active" {
			continue
		}
		if _, twice := here[member.UserName]; twice {
			m.t.Errorf("%s is listed twice", member.UserName)
		}
		here[member.UserName] = member
	}
	names := map[string]string{}
	for _, p := range d.Desired() {
		names[p.ObjectID] = p.UserPrincipalName
		got, ok := here[p.UserPrincipalName]
		if !ok || got.DisplayName != p.DisplayName || got.Email != p.Mail {
			m.t.Errorf("stored %+v, want %+v", got, p)
		}
		delete(here, p.UserPrincipalName)
	}
	if len(here) > 0 {
		m.t.Errorf("%d members should not be here: %q", len(here), slices.Sorted(maps.Keys(here)))
	}
	teams := map[string][]string{}
	for _, team := range m.teams(org) {
		sort.Strings(team.Members)
		teams[team.DisplayName] = team.Members
	}
	for _, team := range d.DesiredTeams() {
		want := []string{}
		for _, id := range team.Members {
			want = append(want, names[id])
		}
		sort.Strings(want)
		if !slices.Equal(teams[team.DisplayName], want) {
			m.t.Errorf("team %s has %d members, want %d", team.DisplayName, len(teams[team.DisplayName]), len(want))
		}
		delete(teams, team.DisplayName)
	}
	if len(teams) > 0 {
		m.t.Errorf("teams that should not be here: %q", slices.Sorted(maps.Keys(teams)))
	}
}

// connection reads one connection as the list has it.
func (m *machine) connection(org, name string) client.Connection {
	m.t.Helper()
	for _, c := range asked[[]client.Connection](m, exitDone, "connection list --org "+org) {
		if c.Name == name {
			return c
		}
	}
	m.t.Fatalf("no connection %s", name)
	return client.Connection{}
}
