package connectortest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// Run runs the suite against the tenants that start makes.
func Run(t *testing.T, start Factory) {
	RunDeltas(t, start)
	for name, test := range map[string]func(*testing.T, Factory){
		"full pull":          testPull,
		"pull of few people": testPullOfFew,
		"throttled":          testThrottled,
		"broken lists":       testBrokenLists,
		"first request":      testFirstRequest,
		"credentials":        testCredentials,
		"permissions":        testPermissions,
		"budget":             testBudget,
		"cancelled":          testCancelled,
		"sink's error":       testSinkError,
		"one person":         testPerson,
		"one team":           testTeam,
		"group members":      testGroupMembers,
		"look-ups":           testFind,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

func testPull(t *testing.T, start Factory) {
	d := company()
	tenant := start(t, d)
	c := tenant.Open(t, Access{})
	if err := c.Test(t.Context()); err != nil {
		t.Fatalf("Test: %v", err)
	}
	budget, got := connectors.NewBudget(10_000), &Recorder{}
	if err := c.Pull(connectors.WithBudget(t.Context(), budget), got); err != nil {
		t.Fatal(err)
	}
	d.compare(t, tenant, got)
	if spent := budget.Spent(); spent == 0 || int(got.stamps) < spent {
		t.Errorf("%d stamps were taken for %d requests, want one before each", got.stamps, spent)
	}
}

func testPullOfFew(t *testing.T, start Factory) {
	d := fewPeople()
	tenant, got := start(t, d), &Recorder{}
	if err := tenant.Open(t, Access{}).Pull(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	d.compare(t, tenant, got)
}

func testThrottled(t *testing.T, start Factory) {
	d := company()
	tenant, got := start(t, d), &Recorder{}
	lists := []Failure{{Kind: connectors.Assignments}, {Kind: connectors.Members, Group: d.Groups[0].Name}}
	if !tenant.Lists().OneOfPeople {
		lists = append(lists, Failure{Kind: connectors.Users})
	}
	for _, f := range lists {
		f.Page, f.Status, f.RetryAfter, f.Times = 2, http.StatusTooManyRequests, time.Second, 1
		if f.Kind == connectors.Members {
			f.Page = tenant.Lists().broken()
		}
		tenant.Fail(f)
	}
	began := time.Now()
	if err := tenant.Open(t, Access{}).Pull(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	d.compare(t, tenant, got)
	if took := time.Since(began); took < time.Duration(len(lists))*time.Second {
		t.Errorf("the pull took %s, although it was told %d times to wait for a second", took, len(lists))
	}
}

// testBrokenLists breaks each list on its second page: that one is not whole, what it gave before is kept, and every
// other list is read whole.
func testBrokenLists(t *testing.T, start Factory) {
	d := company()
	big := d.Groups[0]
	for _, f := range []Failure{
		{Kind: connectors.Assignments, Page: 2},
		{Kind: connectors.Members, Group: big.Name, Page: 2},
		{Kind: connectors.Users, Page: 2},
		{Kind: connectors.Teams, Page: 2},
	} {
		t.Run(string(f.Kind), func(t *testing.T) {
			t.Parallel()
			tenant, got := start(t, d), &Recorder{}
			lists := tenant.Lists()
			if f.Kind == connectors.Teams && !lists.Teams {
				t.Skip("its teams are among the assignments")
			}
			f.Status = http.StatusInternalServerError
			if f.Kind == connectors.Members {
				f.Page = lists.broken()
			}
			tenant.Fail(f)
			if err := tenant.Open(t, Access{}).Pull(t.Context(), got); err != nil {
				t.Fatal(err)
			}
			id := ""
			if f.Kind == connectors.Members {
				id = tenant.ObjectID(f.Group)
			}
			broken, found := got.ListOf(f.Kind, id)
			if !found || broken.Whole || broken.Err == "" || f.Page > 1 && broken.Count == 0 {
				t.Errorf("the broken list: found %t, %+v", found, broken)
			}
			for _, c := range got.lists {
				if c.Whole == (lists.same(c.Kind, f.Kind) && c.ID == id) {
					t.Errorf("list %s %q: whole %t: %s", c.Kind, c.Name, c.Whole, c.Err)
				}
			}
		})
	}
}

func testFirstRequest(t *testing.T, start Factory) {
	tenant, got := start(t, company()), &Recorder{}
	tenant.Fail(Failure{Kind: connectors.Assignments, Page: 1, Status: http.StatusInternalServerError})
	if err := tenant.Open(t, Access{}).Pull(t.Context(), got); connectors.FaultOf(err) != connectors.Unreachable {
		t.Errorf("Pull = %v, want unreachable", err)
	}
	if len(got.lists) > 0 {
		t.Errorf("lists were reported: %+v", got.lists)
	}
}

func testCredentials(t *testing.T, start Factory) {
	const wrong = "wrong-secret-0123456789"
	tenant, got := start(t, company()), &Recorder{}
	c := tenant.Open(t, Access{Secret: wrong})
	for name, err := range map[string]error{"Pull": c.Pull(t.Context(), got), "Test": c.Test(t.Context())} {
		var e *connectors.Error
		if !errors.As(err, &e) || e.Fault != connectors.BadCredentials || e.Fix == "" {
			t.Errorf("%s = %v, want bad credentials with what to do", name, err)
			continue
		}
		if strings.Contains(e.Error(), wrong) {
			t.Errorf("%s shows the secret: %v", name, e)
		}
	}
	if len(got.lists) > 0 {
		t.Errorf("lists were reported: %+v", got.lists)
	}
}

// testPermissions takes one permission at a time away.
func testPermissions(t *testing.T, start Factory) {
	for _, kind := range []connectors.CollectionKind{connectors.Assignments, connectors.Members, connectors.Users} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			tenant, got := start(t, company()), &Recorder{}
			c := tenant.Open(t, Access{Without: kind})
			err := c.Test(t.Context())
			var e *connectors.Error
			if !errors.As(err, &e) || e.Fault != connectors.MissingPermission || e.Fix == "" {
				t.Fatalf("Test = %v, want a missing permission with what to grant", err)
			}
			err = c.Pull(t.Context(), got)
			if tenant.Lists().same(kind, connectors.Assignments) {
				if connectors.FaultOf(err) != connectors.MissingPermission {
					t.Errorf("Pull = %v, want a missing permission", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range got.lists {
				if l.Kind == kind && (l.Whole || !strings.Contains(l.Err, e.Fix)) {
					t.Errorf("list %s %q: whole %t, %q, want it to say %q", l.Kind, l.Name, l.Whole, l.Err, e.Fix)
				}
			}
		})
	}
}

func testBudget(t *testing.T, start Factory) {
	const limit = 5
	tenant, got := start(t, company()), &Recorder{}
	c := tenant.Open(t, Access{})
	budget := connectors.NewBudget(limit)
	ctx := connectors.WithBudget(t.Context(), budget)
	if err := c.Pull(ctx, got); err != nil {
		t.Fatal(err)
	}
	if budget.Spent() != limit {
		t.Errorf("%d calls, want %d", budget.Spent(), limit)
	}
	if users, found := got.ListOf(connectors.Users, ""); !found || users.Whole || !strings.Contains(users.Err, "limit") {
		t.Errorf("list of users: found %t, %+v", found, users)
	}
	if _, err := c.FindUsers(ctx, "person00@contoso.example", ""); connectors.FaultOf(err) != connectors.OverBudget {
		t.Errorf("a look-up after the last call = %v, want over budget", err)
	}
	if err := c.Pull(ctx, &Recorder{}); connectors.FaultOf(err) != connectors.OverBudget {
		t.Errorf("a pull after the last call = %v, want over budget", err)
	}
}

func testCancelled(t *testing.T, start Factory) {
	tenant := start(t, company())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := &Recorder{OnPage: func(kind connectors.CollectionKind) error {
		if kind == connectors.Users {
			cancel()
		}
		return nil
	}}
	if err := tenant.Open(t, Access{}).Pull(ctx, got); !errors.Is(err, context.Canceled) {
		t.Errorf("Pull = %v, want that it was cancelled", err)
	}
	if _, found := got.ListOf(connectors.Users, ""); found {
		t.Error("the list that was cancelled was reported")
	}
}

func testSinkError(t *testing.T, start Factory) {
	tenant := start(t, company())
	full := errors.New("the disk is full")
	for _, at := range []connectors.CollectionKind{connectors.Assignments, connectors.Members, connectors.Users} {
		got := &Recorder{OnPage: func(kind connectors.CollectionKind) error {
			if kind == at {
				return full
			}
			return nil
		}}
		if err := tenant.Open(t, Access{}).Pull(t.Context(), got); !errors.Is(err, full) {
			t.Errorf("Pull = %v, want the sink's error from a page of %s", err, at)
		}
	}
}
