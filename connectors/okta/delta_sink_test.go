package okta_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// deltaSink keeps what a delta hands over.
type deltaSink struct {
	connectortest.Recorder
	users, groups map[string]bool // known before
	fail          map[string]error

	people, teams []string          // that are assigned
	asked         []string          // people of whom it was asked whether they are known
	named         map[string]string // groups' names as last handed over
}

var _ connectors.DeltaSink = (*deltaSink)(nil)

func (s *deltaSink) Assigned(_ context.Context, _ connectors.Stamp, users, groups []string) error {
	s.people, s.teams = append(s.people, users...), append(s.teams, groups...)
	return s.fail["Assigned"]
}

func (s *deltaSink) KnownUsers(_ context.Context, ids []string) (map[string]bool, error) {
	s.asked = append(s.asked, ids...)
	known := map[string]bool{}
	for _, id := range ids {
		if s.users[id] {
			known[id] = true
		}
	}
	return known, s.fail["KnownUsers"]
}

func (s *deltaSink) KnownGroup(id string) bool { return s.groups[id] }

func (s *deltaSink) Left(context.Context, connectors.Stamp, string, []string) error {
	return fmt.Errorf("okta says of nobody that they left a group")
}

func (s *deltaSink) Groups(ctx context.Context, at connectors.Stamp, page []connectors.Group) error {
	if err := s.fail["Groups"]; err != nil {
		return err
	}
	if s.named == nil {
		s.named = map[string]string{}
	}
	for _, g := range page {
		s.named[g.ObjectID] = g.Attributes["name"]
	}
	return s.Recorder.Groups(ctx, at, page)
}

func (s *deltaSink) Members(ctx context.Context, at connectors.Stamp, group string, page []string) error {
	if err := s.fail["Members"]; err != nil {
		return err
	}
	return s.Recorder.Members(ctx, at, group, page)
}

func (s *deltaSink) Users(ctx context.Context, at connectors.Stamp, page []connectors.User) error {
	if err := s.fail["Users"]; err != nil {
		return err
	}
	return s.Recorder.Users(ctx, at, page)
}

func (s *deltaSink) Collection(ctx context.Context, c connectors.Collection) error {
	if err := s.fail["Collection of "+string(c.Kind)]; err != nil {
		return err
	}
	return s.Recorder.Collection(ctx, c)
}

// org is a simulated org whose time a test moves, a connector for it, and what its caller keeps between deltas.
type org struct {
	*idpsim.OktaTenant
	t      *testing.T
	c      *okta.Connector
	cursor string
	users  map[string]bool
	groups map[string]bool
	now    time.Time
}

// newOrg returns an org with as many people and pushed groups; everybody is assigned directly and in every group. All of
// it is a day old.
func newOrg(t *testing.T, people, groups int, edit ...func(*okta.Config)) *org {
	t.Helper()
	o := &org{t: t, now: time.Date(2026, 11, 2, 10, 0, 0, 5e8, time.UTC)}
	o.OktaTenant = idpsim.NewOkta(idpsim.OktaConfig{Now: func() time.Time { return o.now }, PageSize: 3})
	cfg := okta.Config{OrgURL: orgURL, AppID: o.AppID(), APIToken: o.APIToken()}
	for _, e := range edit {
		e(&cfg)
	}
	o.c = o.open(cfg)
	var ids []string
	for i := range people {
		ids = append(ids, o.person(fmt.Sprintf("person%d@initech.example", i)))
	}
	must(t, o.AssignUser(ids...))
	for i := range groups {
		must(t, o.AddToGroup(o.team(fmt.Sprintf("Team %d", i)), ids...))
	}
	o.pass(24 * time.Hour)
	o.learn()
	return o
}

// open returns a connector that asks the org without a network.
func (o *org) open(cfg okta.Config) *okta.Connector {
	o.t.Helper()
	c, err := okta.Open(cfg, &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		o.ServeHTTP(w, r)
		return w.Result(), nil
	})}, nil)
	must(o.t, err)
	return c
}

func (o *org) pass(d time.Duration) { o.now = o.now.Add(d) }

func (o *org) person(login string) string {
	o.t.Helper()
	u, err := o.AddUser(idpsim.OktaUser{Profile: idpsim.OktaProfile{Login: login}})
	must(o.t, err)
	return u.ID
}

// team adds a group that is pushed, and not assigned.
func (o *org) team(name string) string {
	o.t.Helper()
	g, err := o.AddGroup(idpsim.OktaGroup{Name: name})
	must(o.t, err)
	must(o.t, o.PushGroup(g.ID))
	return g.ID
}

func (o *org) group(name string) string {
	o.t.Helper()
	g, found := o.Group(name)
	if !found {
		o.t.Fatalf("no group %s", name)
	}
	return g.ID
}

func (o *org) user(login string) string {
	o.t.Helper()
	u, found := o.User(login)
	if !found {
		o.t.Fatalf("no person %s", login)
	}
	return u.ID
}

// learn has everything that there is be known, as after a full pull.
func (o *org) learn() {
	o.t.Helper()
	var err error
	o.cursor, err = o.c.Cursor(o.t.Context())
	must(o.t, err)
	o.users, o.groups = map[string]bool{}, map[string]bool{}
	for _, p := range o.Desired() {
		o.users[p.ObjectID] = true
	}
	for _, m := range o.PushMappings() {
		o.groups[m.SourceGroupID] = true
	}
	for _, g := range o.AssignedGroups() {
		o.groups[g.GroupID] = true
	}
}

// delta runs a delta from the cursor that was kept, and keeps the next.
func (o *org) delta(named ...string) (*deltaSink, error) {
	o.t.Helper()
	got := &deltaSink{users: o.users, groups: o.groups}
	next, err := o.c.Delta(o.t.Context(), connectors.Since{Cursor: o.cursor, Groups: named}, got)
	if (err == nil) != (next != "") {
		o.t.Errorf("Delta = %q, %v", next, err)
	}
	if err == nil {
		o.cursor = next
	}
	return got, err
}

// reads runs a delta that has to go well, and returns the names of the groups that it handed over.
func (o *org) reads(named ...string) []string {
	o.t.Helper()
	got, err := o.delta(named...)
	must(o.t, err)
	return o.names(got.GroupIDs())
}

func (o *org) names(ids []string) []string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		g, _ := o.Group(id)
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return names
}
