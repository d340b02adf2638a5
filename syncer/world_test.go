package syncer_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
	"github.com/rosterd/rosterd/syncer"
)

// world is a simulated tenant, a store and a syncer between them, through the real Graph SDK.
type world struct {
	t      testing.TB
	tenant *idpsim.Tenant
	db     *store.DB
	roster *roster.Roster
	syncer *syncer.Syncer
	cfg    syncer.Config
	org    string
	conn   string
	graph  string // the address of the tenant
}

const settle = 10 * time.Minute

// eachWorld runs a test on both databases with a small tenant, nothing stored and no push ever made.
func eachWorld(t *testing.T, people, groups int, test func(w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		test(newWorld(t, db, people, groups))
	})
}

func newWorld(tb testing.TB, db *store.DB, people, groups int) *world {
	tb.Helper()
	w := &world{t: tb, db: db, roster: roster.New(db), org: roster.NewID()}
	w.tenant = idpsim.New(idpsim.Config{Seed: 1, Members: people, Groups: groups, AccessToken: "graph-token"})
	srv, err := w.tenant.Listen("127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = srv.Close() })
	w.commit(roster.Cause{}, roster.OrgCreate{ID: w.org, Name: "acme", SCIM: true})
	m := mapping.Entra()
	w.conn = w.commit(roster.Cause{}, roster.ConnectionSync{
		Name: "entra", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(), Managed: m.Managed(), Settle: settle})[0].ID
	w.graph = srv.URL
	w.cfg = syncer.Config{
		Store: db, Roster: w.roster, Holder: "test", Log: slog.New(slog.DiscardHandler), Lease: time.Minute,
		Sources: map[string]syncer.Source{w.conn: {Mapping: m, Evidence: "graph"}},
	}
	w.reopen()
	return w
}

// reopen has the tenant read by a connector that knows nothing of what was read before, as after a restart.
func (w *world) reopen() {
	w.t.Helper()
	reader, err := entra.Open(entra.Config{
		TenantID: w.tenant.TenantID(), AccessToken: "graph-token", ServicePrincipalID: w.tenant.ServicePrincipalID(), GraphURL: w.graph,
	}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	src := w.cfg.Sources[w.conn]
	src.Reader = reader
	w.cfg.Sources = map[string]syncer.Source{w.conn: src}
	w.syncer = w.another("test")
}

// another returns a second syncer on the same store.
func (w *world) another(holder string) *syncer.Syncer {
	cfg := w.cfg
	cfg.Holder = holder
	s, err := syncer.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) commit(cause roster.Cause, changes ...roster.Change) []roster.Outcome {
	w.t.Helper()
	outs, err := w.roster.Commit(context.Background(), w.org, cause, changes)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, o := range outs {
		if o.Err != nil {
			w.t.Fatalf("change %d (%T): %s: %v", i, changes[i], o.Result, o.Err)
		}
	}
	return outs
}

func (w *world) push() roster.Cause {
	return roster.Cause{By: roster.ByPush, Connection: w.conn, Actor: roster.Actor{Kind: roster.ActorToken, Name: "entra"}}
}

func operator() roster.Cause {
	return roster.Cause{By: roster.ByOperator, Actor: roster.Actor{Kind: roster.ActorOperator, Name: "op"}}
}

// run asks for a run, works it off and returns it with its actions.
func (w *world) run(mode roster.Mode) (roster.Run, []roster.RunAction) {
	w.t.Helper()
	id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: mode, By: "op"})[0].ID
	return w.work(id)
}

func (w *world) work(id string) (roster.Run, []roster.RunAction) {
	w.t.Helper()
	if !w.syncer.WorkOne(context.Background()) {
		w.t.Fatal("there was no run to work off")
	}
	return w.show(id)
}

func (w *world) show(id string) (roster.Run, []roster.RunAction) {
	w.t.Helper()
	run, err := w.db.Run(context.Background(), w.org, id)
	if err != nil {
		w.t.Fatal(err)
	}
	actions, err := w.db.Actions(context.Background(), id, store.ActionPos{}, 1_000_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return run, actions
}

func (w *world) approve(id string) (roster.Run, []roster.RunAction) {
	w.t.Helper()
	w.commit(operator(), roster.RunApprove{ID: id, By: "op"})
	return w.work(id)
}

// baseline runs once; nothing is stored before, so nothing can be held.
func (w *world) baseline() {
	w.t.Helper()
	run, actions := w.run(roster.ModeFull)
	if run.State != roster.RunDone || !run.Complete {
		broken, _ := w.db.Collections(context.Background(), run.ID, true)
		for _, a := range actions {
			if a.State != roster.ActionApplied {
				w.t.Logf("%s %s %s: %s (%s)", a.Drift.Kind, a.Drift.Action, a.Drift.Subject.Name, a.State, a.Note)
			}
		}
		w.t.Fatalf("the baseline ended %s (%s), lists not whole: %+v", run.State, run.Error, broken)
	}
}

// want is a line for each action that does something, and for each listed one: "kind action name".
func lines(actions []roster.RunAction) []string {
	out := make([]string, 0, len(actions))
	for _, a := range actions {
		out = append(out, fmt.Sprintf("%s %s %s", a.Drift.Kind, a.Drift.Action, a.Drift.Subject.Name))
	}
	sort.Strings(out)
	return out
}

func (w *world) wantActions(actions []roster.RunAction, want ...string) {
	w.t.Helper()
	sort.Strings(want)
	if got := lines(actions); !slices.Equal(got, want) {
		w.t.Errorf("actions:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// members returns all members by userName.
func (w *world) members() map[string]roster.Member {
	w.t.Helper()
	out := map[string]roster.Member{}
	for _, status := range []string{"", "deleted"} {
		all, _, err := w.db.Members(context.Background(), w.org, store.List{Status: status})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range all {
			out[m.UserName()] = m
		}
	}
	return out
}

func (w *world) teams() map[string][]string {
	w.t.Helper()
	all, _, err := w.db.Teams(context.Background(), w.org, store.List{})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string][]string{}
	for _, t := range all {
		names, err := w.db.MemberNames(context.Background(), w.org, []string{t.ID})
		if err != nil {
			w.t.Fatal(err)
		}
		out[t.DisplayName] = names[t.ID]
		sort.Strings(out[t.DisplayName])
	}
	return out
}

func (w *world) team(name string) roster.Team {
	w.t.Helper()
	all, _, err := w.db.Teams(context.Background(), w.org, store.List{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range all {
		if t.DisplayName == name {
			return t
		}
	}
	w.t.Fatalf("no team %s", name)
	return roster.Team{}
}

// converged holds what is stored against the tenant's own account of who should be there.
func (w *world) converged() {
	w.t.Helper()
	live := map[string]bool{}
	for name, m := range w.members() {
		if m.Status.Live() && m.Source == roster.SourceSCIM {
			live[name] = true
		}
	}
	byID := map[string]string{}
	for _, p := range w.tenant.Desired() {
		byID[p.ObjectID] = p.UserPrincipalName
		m, ok := w.members()[p.UserPrincipalName]
		if !ok || !live[p.UserPrincipalName] {
			w.t.Errorf("%s should be live here", p.UserPrincipalName)
			continue
		}
		if m.Attributes.Get(roster.AttrDisplayName) != p.DisplayName || m.Attributes.Get(roster.AttrWorkEmail) != p.Mail {
			w.t.Errorf("%s is stored as %v", p.UserPrincipalName, m.Attributes)
		}
		delete(live, p.UserPrincipalName)
	}
	for name := range live {
		w.t.Errorf("%s should not be live here", name)
	}
	teams := w.teams()
	for _, t := range w.tenant.DesiredTeams() {
		var want []string
		for _, id := range t.Members {
			want = append(want, byID[id])
		}
		sort.Strings(want)
		if !slices.Equal(teams[t.DisplayName], want) {
			w.t.Errorf("team %s has %v, want %v", t.DisplayName, teams[t.DisplayName], want)
		}
		delete(teams, t.DisplayName)
	}
	for name := range teams {
		w.t.Errorf("team %s should not be here", name)
	}
}

// dump is everything that a run may change, for telling whether one did.
func (w *world) dump() string {
	w.t.Helper()
	out, err := w.db.Dump(context.Background(), w.org)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}
