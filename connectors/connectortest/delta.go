package connectortest

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// deltaTests is the part of the suite about deltas. A connector that reads none skips it.
func deltaTests() map[string]func(*testing.T, Factory) {
	tests := map[string]func(*testing.T, Factory){
		"delta: restored":         testDeltaRestored,
		"delta: read again":       testDeltaSince,
		"delta: two in a row":     testDeltaTwice,
		"delta: the same cursor":  testDeltaReplay,
		"delta: throttled":        testDeltaThrottled,
		"delta: broken lists":     testDeltaBroken,
		"delta: lost cursor":      testDeltaLostCursor,
		"delta: refused":          testDeltaRefused,
		"delta: sink's error":     testDeltaSinkError,
		"delta: random schedules": testDeltaSchedules,
		"groups of a person":      testGroupsOf,
	}
	for name, c := range deltaCases() {
		tests["delta: "+name] = func(t *testing.T, start Factory) { testDeltaCase(t, start, c) }
	}
	return tests
}

// RunDeltas runs only the part about deltas, for tenants whose deltas are of another kind.
func RunDeltas(t *testing.T, start Factory) {
	for name, test := range deltaTests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

func testDeltaCase(t *testing.T, start Factory, c deltaCase) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	c.change(t, w)
	budget := connectors.NewBudget(10_000)
	said, next, err := known.follow(connectors.WithBudget(t.Context(), budget), w.delta, connectors.Since{Cursor: cursor}, nil)
	if err != nil || next == "" {
		t.Fatalf("Delta = %q, %v", next, err)
	}
	w.checkTruth(t, known)
	w.checkSaid(t, said, c.people, c.groups)
	if c.check != nil {
		c.check(t, w, said)
	}
	if spent := budget.Spent(); spent == 0 || int(said.stamps) < spent {
		t.Errorf("%d stamps were taken for %d requests, want one before each", said.stamps, spent)
	}
	again, _, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: next}, nil)
	if err != nil {
		t.Fatalf("the delta after it: %v", err)
	}
	w.checkTruth(t, known)
	w.checkSaid(t, again, nil, nil)
}

// checkSaid holds what a delta said against what it may have said, and against what every delta has to say.
func (w *world) checkSaid(t *testing.T, said *DeltaRecorder, people, groups []string) {
	t.Helper()
	for _, p := range said.problems {
		t.Error(p)
	}
	if !said.wholeOf(connectors.Assignments, "") && !said.changesOf(connectors.Assignments) || w.Lists().Teams && !said.wholeOf(connectors.Teams, "") {
		t.Error("the assignment list was not read whole")
	}
	if w.Lists().Repeats {
		return
	}
	for _, id := range said.peopleSaid() {
		if !slices.ContainsFunc(people, func(name string) bool { return w.ObjectID(name) == id }) {
			t.Errorf("person %s is handed over, who did not change: %+v", id, said.users[id])
		}
	}
	for _, id := range said.groupsSaid() {
		if !slices.ContainsFunc(groups, func(name string) bool { return w.ObjectID(name) == id }) {
			t.Errorf("something is said of group %s, which did not change", id)
		}
	}
}

// testDeltaRestored: somebody comes back with all they had, also what the IdP says nothing about.
func testDeltaRestored(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	if w.do.Restore == nil {
		t.Skip("this IdP restores nobody")
	}
	for _, name := range []string{direct, grouped, twice, off} {
		known, cursor := w.pull(t)
		w.delete(t, name)
		_, cursor, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.checkTruth(t, known)
		w.restore(t, name)
		said, cursor, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.checkTruth(t, known)
		w.checkSaid(t, said, []string{name}, []string{"Red"})
		w.delete(t, name)
		w.restore(t, name)
		if _, _, err = known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil); err != nil {
			t.Fatal(err)
		}
		w.checkTruth(t, known)
	}
}

// testDeltaSince: what the caller names is read, changed or not.
func testDeltaSince(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	since := connectors.Since{
		Cursor: cursor, Users: []string{w.ObjectID(grouped), w.ObjectID(elsewhere)},
		Groups: []string{w.ObjectID("Red"), w.ObjectID("Grey")},
	}
	said, _, err := known.follow(t.Context(), w.delta, since, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.checkTruth(t, known)
	w.checkSaid(t, said, []string{grouped, elsewhere}, []string{"Red"})
	if l, found := said.ListOf(connectors.Members, w.ObjectID("Red")); !found || !l.Whole || l.Count < len(w.group("Red").Members) {
		t.Errorf("the group's list was ended: %t, %+v", found, l)
	}
	if u, found := said.User(w.ObjectID(grouped)); !found || u.Gone != "" || u.Attributes[w.Attributes().UserName] != grouped {
		t.Errorf("somebody in scope: %t, %+v", found, u)
	}
	if u, found := said.User(w.ObjectID(elsewhere)); !w.Lists().OneOfPeople && (!found || u.Scope != "") {
		t.Errorf("somebody out of scope: %t, %+v, want them without a reason", found, u)
	}
}

// testDeltaTwice: a second delta goes on where the first ended.
func testDeltaTwice(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	w.setEmail(t, grouped, "first@contoso.example")
	w.addMember(t, "Blue", elsewhere)
	_, second, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil)
	if err != nil || second == cursor {
		t.Fatalf("the first delta: %v, its cursor moved: %t", err, second != cursor)
	}
	w.checkTruth(t, known)
	w.setEmail(t, direct, "second@contoso.example")
	w.removeMember(t, "Red", grouped)
	said, _, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.checkTruth(t, known)
	w.checkSaid(t, said, []string{direct, grouped}, []string{"Red"})
}

// testDeltaReplay: a cursor can be used again, with the same result; also after the delta that followed it was merged.
func testDeltaReplay(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	w.setEmail(t, grouped, "new@contoso.example")
	w.addMember(t, "Blue", elsewhere)
	w.removeMember(t, "Red", inBoth)
	w.delete(t, direct)
	w.renameGroup(t, "Red", "Crimson")
	var runs [2]*DeltaRecorder
	for i := range runs {
		runs[i] = known.recorder()
		if _, err := w.delta.Delta(t.Context(), connectors.Since{Cursor: cursor}, runs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := runs[0].same(runs[1]); diff != "" {
		t.Errorf("the same cursor gave something else: %s", diff)
	}
	for range 2 {
		if _, _, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil); err != nil {
			t.Fatal(err)
		}
		w.checkTruth(t, known)
	}
}

func testDeltaThrottled(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	w.setEmail(t, grouped, "new@contoso.example")
	w.addMember(t, "Blue", elsewhere)
	slow := Failure{Kind: connectors.Assignments, Page: 2, Status: http.StatusTooManyRequests, RetryAfter: time.Second, Times: 1}
	w.Fail(slow)
	waits := 1
	if w.do.FailChanged != nil {
		for _, kind := range []connectors.CollectionKind{connectors.Users, connectors.Members} {
			slow.Kind, slow.Page = kind, 1
			w.do.FailChanged(slow)
			waits++
		}
	}
	began := time.Now()
	if _, _, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil); err != nil {
		t.Fatal(err)
	}
	w.checkTruth(t, known)
	if took := time.Since(began); took < time.Duration(waits)*time.Second {
		t.Errorf("the delta took %s, although it was told %d times to wait for a second", took, waits)
	}
}

// testDeltaBroken breaks each list that a delta reads: it ends with an error and without a cursor, and the cursor that it
// had still leads to everything.
func testDeltaBroken(t *testing.T, start Factory) {
	broken := func(kind connectors.CollectionKind, group string, page int) Failure {
		return Failure{Kind: kind, Group: group, Page: page, Status: http.StatusInternalServerError, Times: 1}
	}
	for name, fail := range map[string]func(t *testing.T, w *world){
		"assignments from the first page": func(_ *testing.T, w *world) { w.Fail(broken(connectors.Assignments, "", 1)) },
		"assignments":                     func(_ *testing.T, w *world) { w.Fail(broken(connectors.Assignments, "", 2)) },
		"people":                          func(_ *testing.T, w *world) { w.Fail(broken(connectors.Users, "", 1)) },
		"a group's members":               func(_ *testing.T, w *world) { w.Fail(broken(connectors.Members, "Red", 2)) },
		"teams": func(t *testing.T, w *world) {
			t.Helper()
			if !w.Lists().Teams {
				t.Skip("its teams are among the assignments")
			}
			w.Fail(broken(connectors.Teams, "", 1))
		},
		"changed people": func(t *testing.T, w *world) { t.Helper(); w.failChanged(t, broken(connectors.Users, "", 1)) },
		"changed groups": func(t *testing.T, w *world) { t.Helper(); w.failChanged(t, broken(connectors.Members, "", 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, start, small())
			known, cursor := w.pull(t)
			w.setEmail(t, grouped, "new@contoso.example")
			w.removeMember(t, "Blue", inBoth)
			fail(t, w)
			since := connectors.Since{Cursor: cursor, Groups: []string{w.ObjectID("Red")}}
			said, next, err := known.follow(t.Context(), w.delta, since, nil)
			if connectors.FaultOf(err) != connectors.Unreachable || next != "" {
				t.Errorf("Delta = %q, %v, want no cursor and unreachable", next, err)
			}
			if l, _ := said.ListOf(connectors.Members, w.ObjectID("Red")); name == "a group's members" && l.Whole {
				t.Error("the list that broke off is called whole")
			}
			if _, _, err = known.follow(t.Context(), w.delta, since, nil); err != nil {
				t.Fatal(err)
			}
			w.checkTruth(t, known)
		})
	}
}

func (w *world) failChanged(t *testing.T, f Failure) {
	t.Helper()
	if w.do.FailChanged == nil {
		t.Skip("this connector has no requests for what changed")
	}
	w.do.FailChanged(f)
}

func testDeltaLostCursor(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	for _, text := range []string{"", "no cursor", "{}", `{"users":"x"}`} {
		if next, err := w.delta.Delta(t.Context(), connectors.Since{Cursor: text}, known.recorder()); err == nil || next != "" {
			t.Errorf("Delta from %q = %q, %v, want an error", text, next, err)
		}
	}
	if w.do.ExpireCursor == nil {
		t.Skip("this IdP's cursors never expire")
	}
	w.do.ExpireCursor(t)
	_, next, err := known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil)
	if connectors.FaultOf(err) != connectors.LostCursor || next != "" {
		t.Errorf("Delta = %q, %v, want no cursor and the fault %s", next, err, connectors.LostCursor)
	}
	known, cursor = w.pull(t)
	w.setEmail(t, grouped, "new@contoso.example")
	if _, _, err = known.follow(t.Context(), w.delta, connectors.Since{Cursor: cursor}, nil); err != nil {
		t.Fatal(err)
	}
	w.checkTruth(t, known)
}

// testDeltaRefused: credentials, permissions and the limit of calls end a delta as they end a pull.
func testDeltaRefused(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	since := connectors.Since{Cursor: cursor, Groups: []string{w.ObjectID("Red")}}
	for limit := range 3 {
		ctx := connectors.WithBudget(t.Context(), connectors.NewBudget(limit))
		if next, err := w.delta.Delta(ctx, since, known.recorder()); connectors.FaultOf(err) != connectors.OverBudget || next != "" {
			t.Errorf("Delta with %d calls = %q, %v", limit, next, err)
		}
	}
	refused := func(a Access, want connectors.Fault) {
		c, ok := w.Open(t, a).(connectors.DeltaReader)
		if !ok {
			t.Fatal("the connector reads no deltas")
		}
		if next, err := c.Delta(t.Context(), since, known.recorder()); connectors.FaultOf(err) != want || next != "" {
			t.Errorf("Delta with %+v = %q, %v, want %s", a, next, err, want)
		}
	}
	refused(Access{Secret: "wrong-secret-0123456789"}, connectors.BadCredentials)
	refused(Access{Without: connectors.Members}, connectors.MissingPermission)
}

func testDeltaSinkError(t *testing.T, start Factory) {
	w := newWorld(t, start, small())
	known, cursor := w.pull(t)
	full := errors.New("the disk is full")
	w.setEmail(t, grouped, "new@contoso.example")
	since := connectors.Since{Cursor: cursor, Groups: []string{w.ObjectID("Red")}}
	for _, at := range []connectors.CollectionKind{connectors.Assignments, connectors.Members, connectors.Users} {
		r := known.recorder()
		r.OnPage = func(kind connectors.CollectionKind) error {
			if kind == at {
				return full
			}
			return nil
		}
		if next, err := w.delta.Delta(t.Context(), since, r); !errors.Is(err, full) || next != "" {
			t.Errorf("Delta = %q, %v, want the sink's error from a page of %s", next, err, at)
		}
	}
}

// testGroupsOf: the groups in scope that hold a person are among those said.
func testGroupsOf(t *testing.T, start Factory) {
	d := company()
	tenant := start(t, d)
	c, ok := tenant.Open(t, Access{}).(connectors.GroupsReader)
	if !ok {
		t.Skip("this connector does not read who is in which groups")
	}
	for _, p := range d.People[:20] {
		got, err := c.GroupsOf(t.Context(), tenant.ObjectID(p.UserName))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range d.Groups {
			holds, said := slices.Contains(g.Members, p.UserName), slices.Contains(got, tenant.ObjectID(g.Name))
			if said && !holds || holds && g.Assigned && !said {
				t.Errorf("%q is said to hold %s: %t, it does: %t, it is assigned: %t", g.Name, p.UserName, said, holds, g.Assigned)
			}
		}
	}
	tenant.Delete(t, d.People[1].UserName)
	if got, err := c.GroupsOf(t.Context(), tenant.ObjectID(d.People[1].UserName)); len(got) > 0 {
		t.Errorf("the groups of somebody deleted are %v, %v", got, err)
	}
}
